#include "broker/partitions/internal/data_directory.h"

#include <string_view>
#include <utility>

namespace farshore::broker {
namespace {

constexpr std::string_view kDeletedSuffix = "-delete";
constexpr std::string_view kStraySuffix = "-stray";
constexpr std::string_view kPartitionMetadata = "partition.metadata";
constexpr size_t kPartitionMetadataBytesMax = 4096;

// Kafka's file of this name: two lines.
std::string partition_metadata(const TopicId& id) { return "version: 0\ntopic_id: " + id.to_string() + "\n"; }

Result<TopicId> parse_partition_metadata(std::string_view text) {
  constexpr std::string_view field = "topic_id: ";
  auto at = text.find(field);
  if (!text.starts_with("version: 0\n") || at == std::string_view::npos)
    return Error(ErrorCode::kCorrupt, "partition.metadata is not of version 0");
  std::string_view id = text.substr(at + field.size());
  return Uuid::parse(id.substr(0, id.find_first_of("\r\n")));
}

}  // namespace

std::string DataDirectory::log_directory(const std::string& topic, int32_t partition) const {
  return join_path(path_, topic + "-" + std::to_string(partition));
}

Task<Result<std::string>> DataDirectory::claim(const TopicImage& topic, int32_t partition) {
  const TopicId wanted = topic.id;
  std::string directory = log_directory(topic.name, partition);
  std::string id_path = join_path(directory, kPartitionMetadata);
  CO_CHECK(co_await files_.make_dirs(directory));
  auto text = co_await read_file(files_, id_path, kPartitionMetadataBytesMax);
  if (text) {
    CO_TRY(auto id, parse_partition_metadata(*text));
    if (id != wanted)
      co_return Error(ErrorCode::kCorrupt, directory + " belongs to topic id " + id.to_string() + ", not " +
                                               wanted.to_string() + ": move it away and restart");
    co_return directory;
  }
  if (text.error() != ErrorCode::kNotFound) co_return std::move(text).error();
  CO_CHECK(co_await replace_file(files_, id_path, partition_metadata(wanted)));
  CO_CHECK(co_await files_.sync_dir(path_));
  co_return directory;
}

Task<Status> DataDirectory::remove(const std::string& topic, int32_t partition) {
  std::string directory = log_directory(topic, partition);
  CO_TRY(bool there, co_await files_.exists(directory));
  if (!there) co_return ok();
  std::string aside = directory + "." + env_.random().uuid().to_string() + std::string(kDeletedSuffix);
  CO_CHECK(co_await files_.rename(directory, aside));
  CO_CHECK(co_await files_.sync_dir(path_));
  co_return co_await files_.remove_all(aside);
}

Task<Status> DataDirectory::clean_up(const ClusterImage& image) {
  CO_TRY(auto names, co_await files_.list(path_));
  for (const auto& name : names) {
    std::string directory = join_path(path_, name);
    if (name.ends_with(kDeletedSuffix) && name.find('.') != std::string::npos) {
      CO_CHECK(co_await files_.remove_all(directory));
      continue;
    }
    if (name.ends_with(kStraySuffix)) continue;
    auto text = co_await read_file(files_, join_path(directory, kPartitionMetadata), kPartitionMetadataBytesMax);
    if (!text) continue;  // not a log of ours
    auto id = parse_partition_metadata(*text);
    if (!id || image.topic(*id)) continue;
    std::string aside = name + "." + env_.random().uuid().to_string() + std::string(kStraySuffix);
    env_.log().warn("log of a topic that does not exist set aside",
                    {{"directory", name}, {"topic_id", *id}, {"now", aside}});
    CO_CHECK(co_await files_.rename(directory, join_path(path_, aside)));
    CO_CHECK(co_await files_.sync_dir(path_));
  }
  co_return ok();
}

}  // namespace farshore::broker
