#include "broker/metadata/internal/open_keys.h"

#include "broker/metadata/internal/codec.h"
#include "proto/link/keys.h"

namespace farshore::broker {
namespace {

bool is_open(const std::string& key) { return key.starts_with(kLinkKeyPrefix) || key == kProducerIdsKey; }

}  // namespace

Status check_open_range(const std::string& begin, const std::string& end) {
  if (!is_open(begin))
    return Error(ErrorCode::kInvalidArgument, "key '" + begin + "' is not open to others: only 'link/...' is");
  if (begin.starts_with(kLinkKeyPrefix) && !end.empty() && end > prefix_end(std::string(kLinkKeyPrefix)))
    return Error(ErrorCode::kInvalidArgument, "the range leaves 'link/...'");
  return ok();
}

Status check_open_writes(const MetaTxn& txn) {
  const std::string link_end = prefix_end(std::string(kLinkKeyPrefix));
  for (const auto& op : txn.then) {
    bool allowed = false;
    if (const auto* put = std::get_if<KvPut>(&op)) allowed = is_open(put->key);
    if (const auto* erase = std::get_if<KvDelete>(&op)) allowed = is_open(erase->key);
    if (const auto* range = std::get_if<KvDeleteRange>(&op))
      allowed = range->begin.starts_with(kLinkKeyPrefix) && range->end <= link_end;
    if (!allowed) return Error(ErrorCode::kInvalidArgument, "only keys under 'link/' may be written");
  }
  return ok();
}

}  // namespace farshore::broker
