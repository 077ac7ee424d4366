#include "broker/net/internal/answer_memory.h"

#include <algorithm>

namespace farshore::broker {

AnswerMemory::Share::~Share() {
  if (gave_way_) return;
  memory_.shares_.erase(id_);
  memory_.used_ -= bytes_;
}

std::unique_ptr<AnswerMemory::Share> AnswerMemory::open(Stream& stream, size_t bytes) {
  size_t used = used_;
  std::vector<Share*> leave;
  if (full(used, bytes)) {
    std::vector<Share*> candidates = stalled();
    for (Share* share : slow(stream.peer().host))
      if (std::find(candidates.begin(), candidates.end(), share) == candidates.end()) candidates.push_back(share);
    for (Share* share : candidates) {
      if (!full(used, bytes)) break;
      leave.push_back(share);
      used -= share->bytes_;
    }
  }
  if (full(used, bytes)) return nullptr;
  for (Share* share : leave) give_way(*share);
  std::unique_ptr<Share> share(new Share(*this, next_id_++, stream, bytes));
  shares_[share->id_] = share.get();
  used_ += bytes;
  return share;
}

std::vector<AnswerMemory::Share*> AnswerMemory::stalled() const {
  const MonoTime now = env_.now();
  std::vector<Share*> found;
  for (const auto& [id, share] : shares_)
    if (now - share->read_at_ > kStalledMax) found.push_back(share);
  std::stable_sort(found.begin(), found.end(),
                   [](const Share* a, const Share* b) { return a->read_at_ < b->read_at_; });
  return found;
}

std::vector<AnswerMemory::Share*> AnswerMemory::slow(const std::string& newcomer) const {
  const MonoTime now = env_.now();
  const size_t own = held_by(newcomer);
  std::vector<std::pair<size_t, Share*>> found;  // with what their addresses hold
  for (const auto& [id, share] : shares_) {
    if (now - share->begun_at_ <= kSlowMax) continue;
    const size_t held = held_by(share->stream_.peer().host);
    if (held >= own) found.emplace_back(held, share);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Share*> shares;
  for (const auto& [held, share] : found) shares.push_back(share);
  return shares;
}

// Few responses are large: at most as many as fit into the memory.
size_t AnswerMemory::held_by(const std::string& address) const {
  size_t held = 0;
  for (const auto& [id, share] : shares_)
    if (share->stream_.peer().host == address) held += share->bytes_;
  return held;
}

// Its writer notices it, and destroys the response.
void AnswerMemory::give_way(Share& share) {
  shares_.erase(share.id_);
  used_ -= share.bytes_;
  share.gave_way_ = true;
  share.stream_.close();
}

}  // namespace farshore::broker
