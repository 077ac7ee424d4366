#include "broker/log/log.h"

#include "broker/log/internal/segmented_log.h"

namespace farshore {

Task<Result<std::unique_ptr<Log>>> open_log(Env& env, FileSystem& files, SlabArena& arena, std::string directory,
                                            LogOptions options) {
  auto log = std::make_unique<SegmentedLog>(env, files, arena, directory, options);
  auto opened = co_await log->open();
  if (!opened) co_return std::move(opened).error().in("opening " + directory);
  co_return std::unique_ptr<Log>(std::move(log));
}

}  // namespace farshore
