#include "broker/log/internal/epoch_cache.h"

#include <algorithm>
#include <charconv>

#include "broker/log/internal/log_format.h"

namespace farshore {
namespace {

Error corrupt(std::string_view what) {
  return {ErrorCode::kCorrupt, std::string(log_format::kEpochs) + ": " + std::string(what)};
}

// Takes one number and the separator behind it off the text.
template <class T>
bool take(std::string_view& text, char separator, T& value) {
  auto end = text.find(separator);
  if (end == std::string_view::npos) return false;
  auto [stop, error] = std::from_chars(text.data(), text.data() + end, value);
  if (error != std::errc() || stop != text.data() + end) return false;
  text.remove_prefix(end + 1);
  return true;
}

}  // namespace

bool EpochCache::assign(LogEpoch epoch, Offset start) {
  if (epoch < LogEpoch(0)) return false;
  if (!entries_.empty() && entries_.back().epoch == epoch && entries_.back().start <= start) return false;
  while (!entries_.empty() && (entries_.back().epoch >= epoch || entries_.back().start >= start)) entries_.pop_back();
  entries_.push_back({epoch, start});
  return true;
}

EpochEnd EpochCache::end_of(LogEpoch epoch, Offset log_end) const {
  constexpr EpochEnd kNone{LogEpoch(-1), Offset(-1)};
  if (epoch < LogEpoch(0) || entries_.empty()) return kNone;
  auto higher = std::upper_bound(entries_.begin(), entries_.end(), epoch,
                                 [](LogEpoch value, const Entry& e) { return value < e.epoch; });
  if (higher == entries_.end()) return entries_.back().epoch == epoch ? EpochEnd{epoch, log_end} : kNone;
  if (higher == entries_.begin()) return {epoch, higher->start};  // older than all: diverges where we begin
  return {std::prev(higher)->epoch, higher->start};
}

LogEpoch EpochCache::at(Offset offset) const {
  auto after = std::upper_bound(entries_.begin(), entries_.end(), offset,
                                [](Offset value, const Entry& e) { return value < e.start; });
  return after == entries_.begin() ? LogEpoch(-1) : std::prev(after)->epoch;
}

bool EpochCache::truncate_end(Offset to) {
  size_t before = entries_.size();
  while (!entries_.empty() && entries_.back().start >= to) entries_.pop_back();
  return entries_.size() != before;
}

bool EpochCache::truncate_start(Offset start) {
  auto after = std::upper_bound(entries_.begin(), entries_.end(), start,
                                [](Offset value, const Entry& e) { return value < e.start; });
  if (after == entries_.begin()) return false;
  auto holds = std::prev(after);
  if (holds == entries_.begin() && holds->start == start) return false;
  holds->start = start;
  entries_.erase(entries_.begin(), holds);
  return true;
}

std::string EpochCache::encode() const {
  std::string text = std::to_string(log_format::kEpochsVersion) + "\n" + std::to_string(entries_.size()) + "\n";
  for (const auto& entry : entries_)
    text += std::to_string(entry.epoch.value()) + " " + std::to_string(entry.start.value()) + "\n";
  return text;
}

Result<EpochCache> EpochCache::decode(std::string_view text) {
  int version = -1;
  size_t count = 0;
  if (!take(text, '\n', version)) return corrupt("no version");
  if (version != log_format::kEpochsVersion) return corrupt("unknown version " + std::to_string(version));
  if (!take(text, '\n', count)) return corrupt("no count");
  EpochCache cache;
  for (size_t i = 0; i < count; ++i) {
    int32_t epoch = -1;
    int64_t start = -1;
    if (!take(text, ' ', epoch) || !take(text, '\n', start)) return corrupt("a line is cut off");
    if (epoch < 0 || start < 0) return corrupt("a negative number");
    if (!cache.entries_.empty() &&
        (epoch <= cache.entries_.back().epoch.value() || start <= cache.entries_.back().start.value()))
      return corrupt("not ascending");
    cache.entries_.push_back({LogEpoch(epoch), Offset(start)});
  }
  if (!text.empty()) return corrupt("more lines than counted");
  return cache;
}

}  // namespace farshore
