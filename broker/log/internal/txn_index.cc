#include "broker/log/internal/txn_index.h"

#include "broker/log/internal/index_codec.h"
#include "broker/log/internal/log_format.h"

namespace farshore {

using namespace log_format;

bool TxnIndex::collect(Offset from, Offset to, std::vector<AbortedTxn>& into) const {
  for (const auto& entry : entries_) {
    if (entry.txn.last >= from && entry.txn.first < to) into.push_back(entry.txn);
    if (entry.last_stable >= to) return true;
  }
  return false;
}

void TxnIndex::truncate_to(Offset to) {
  while (!entries_.empty() && entries_.back().txn.last >= to) entries_.pop_back();
}

std::string TxnIndex::encode() const {
  std::string bytes;
  for (const auto& entry : entries_) {
    append_be(bytes, kTxnIndexVersion);
    append_be(bytes, entry.txn.producer_id);
    append_be(bytes, entry.txn.first.value());
    append_be(bytes, entry.txn.last.value());
    append_be(bytes, entry.last_stable.value());
  }
  return bytes;
}

Result<TxnIndex> TxnIndex::decode(std::string_view bytes, Offset base, Offset next) {
  if (bytes.size() % kTxnEntryBytes) return corrupt_index("transaction", "a cut entry", bytes.size() / kTxnEntryBytes);
  TxnIndex index;
  for (size_t at = 0; at < bytes.size(); at += kTxnEntryBytes) {
    size_t i = at / kTxnEntryBytes;
    if (load_be_at<int16_t>(bytes, at) != kTxnIndexVersion)
      return corrupt_index("transaction", "an unknown version", i);
    Entry entry;
    entry.txn.producer_id = load_be_at<int64_t>(bytes, at + 2);
    entry.txn.first = Offset(load_be_at<int64_t>(bytes, at + 10));
    entry.txn.last = Offset(load_be_at<int64_t>(bytes, at + 18));
    entry.last_stable = Offset(load_be_at<int64_t>(bytes, at + 26));
    if (entry.txn.producer_id < 0 || entry.txn.first < Offset(0) || entry.txn.first > entry.txn.last ||
        entry.txn.last < base || entry.txn.last >= next || entry.last_stable > entry.txn.last + 1)
      return corrupt_index("transaction", "impossible offsets", i);
    if (!index.entries_.empty() && entry.txn.last <= index.entries_.back().txn.last)
      return corrupt_index("transaction", "not ascending", i);
    index.entries_.push_back(entry);
  }
  return index;
}

}  // namespace farshore
