#include "linker/relay/journal_log.h"

#include <algorithm>

namespace farshore::linker {

Task<JournalLog::Appended> JournalLog::append(std::vector<kafka::KeyedRecord> records, Deadline deadline) {
  auto mine = std::make_shared<Wish>(Wish{std::move(records), deadline, false, {}});
  waiting_.push_back(mine);
  auto turn = co_await turn_.lock();
  // Who comes first writes for all that wait.
  while (!mine->done) {
    Wishes wishes = take_waiting();
    co_await write(std::move(wishes));
  }
  co_return std::move(mine->appended);
}

JournalLog::Wishes JournalLog::take_waiting() {
  Wishes wishes;
  size_t records = 0;
  while (!waiting_.empty()) {
    records += waiting_.front()->records.size();
    if (!wishes.empty() && records > records_max_) break;
    wishes.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return wishes;
}

Task<void> JournalLog::write(Wishes wishes) {
  std::vector<kafka::KeyedRecord> together;
  Deadline deadline = wishes.front()->deadline;
  for (const auto& wish : wishes) {
    together.insert(together.end(), wish->records.begin(), wish->records.end());
    deadline = std::max(deadline, wish->deadline);
  }
  const bool usable = writer_.usable();
  auto written = co_await writer_.append(std::move(together), deadline);
  const bool too_large = !written && written.error() == ErrorCode::kInvalidArgument;
  if (too_large && wishes.size() > 1) {
    for (auto& wish : wishes) {
      Wishes alone{std::move(wish)};
      co_await write(std::move(alone));
    }
    co_return;
  }
  for (const auto& wish : wishes) {
    wish->done = true;
    if (written) continue;
    wish->appended.result = written.error();
    wish->appended.in_doubt = usable && !too_large;
  }
}

}  // namespace farshore::linker
