#include "broker/log/internal/log_reset.h"

#include "broker/log/internal/log_format.h"

namespace farshore {

Task<Status> LogReset::reset_to(Offset start) {
  Intent intent;
  intent.kind = Intent::Kind::kReset;
  intent.start = start;
  CO_CHECK(co_await directory_.intent().note(std::move(intent)));
  state_.restart_at(start);
  state_.cleaned_to = start;
  CO_CHECK(co_await remove_contents());
  CO_CHECK(co_await create_empty(start));
  co_return co_await directory_.intent().done();
}

Task<Status> LogReset::finish(Offset start) {
  CO_CHECK(co_await remove_contents());
  auto old = co_await directory_.checkpoint().load();  // so that the new checkpoint gets a higher sequence number
  if (!old && old.error() == ErrorCode::kIo) co_return std::move(old).error();
  CO_CHECK(co_await create_empty(start));
  state_.segments.clear();
  co_return co_await directory_.intent().done();
}

Task<Status> LogReset::remove_contents() {
  state_.clear_contents();
  CO_TRY(auto names, co_await directory_.names());
  for (const auto& name : names) {
    if (log_format::parse_file_name(name) || name == log_format::kEpochs)
      CO_CHECK(co_await directory_.remove_if_there(name));
  }
  CO_CHECK(co_await directory_.gaps().clear());
  state_.epochs.file_removed();
  co_return co_await directory_.sync();
}

Task<Status> LogReset::create_empty(Offset start) {
  CO_TRY(SegmentPtr segment, co_await directory_.segments().create(start));
  state_.segments.add(segment);
  state_.restart_at(start);
  // The checkpoint comes before the directory's sync makes the segment durable: a segment without a checkpoint would
  // count as a log that another program wrote.
  CO_CHECK(co_await directory_.checkpoint().save(state_.checkpoint(), CheckpointFile::Durability::kDurable));
  CO_CHECK(co_await directory_.sync());
  segment->name_synced = true;
  co_return ok();
}

}  // namespace farshore
