#include "broker/partitions/internal/data_directory.h"

#include <algorithm>
#include <utility>

namespace farshore::broker {
namespace {

constexpr std::string_view kDeletedSuffix = "-delete";
constexpr std::string_view kStraySuffix = "-stray";
constexpr std::string_view kPartitionMetadata = "partition.metadata";
constexpr size_t kPartitionMetadataBytesMax = 4096;
constexpr size_t kFileNameBytesMax = 255;  // NAME_MAX

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

// `name` is `<topic>-<partition>`. The topic is cut where the file system has no room for it, as Kafka does.
std::string DataDirectory::aside_name(std::string_view name, std::string_view suffix) const {
  const size_t partition = std::min(name.rfind('-'), name.size());
  const std::string end =
      std::string(name.substr(partition)) + "." + env_.random().uuid().to_string() + std::string(suffix);
  return std::string(name.substr(0, std::min(partition, kFileNameBytesMax - end.size()))) + end;
}

Task<Status> DataDirectory::set_stray_aside(std::string name, TopicId id) {
  std::string aside = aside_name(name, kStraySuffix);
  env_.log().warn("log of a topic that does not exist set aside",
                  {{"directory", name}, {"topic_id", id}, {"now", aside}});
  CO_CHECK(co_await files_.rename(join_path(path_, name), join_path(path_, aside)));
  co_return co_await files_.sync_dir(path_);
}

Task<Result<std::string>> DataDirectory::claim(const TopicImage& topic, int32_t partition, ImagePtr image) {
  const TopicId wanted = topic.id;
  std::string directory = log_directory(topic.name, partition);
  std::string id_path = join_path(directory, kPartitionMetadata);
  auto text = co_await read_file(files_, id_path, kPartitionMetadataBytesMax);
  if (text) {
    auto id = parse_partition_metadata(*text);
    if (!id) co_return std::move(id).error().in(id_path + " cannot be read: move " + directory + " away and restart");
    if (*id == wanted) co_return directory;
    if (auto other = image->topic(*id))
      co_return Error(ErrorCode::kCorrupt, directory + " holds the log of another topic, " + other->name +
                                               ": its directories were mixed up. Stop the broker, put the right "
                                               "directory there, or move this one away to begin with an empty log");
    // The directory of an earlier topic of this name, whose removal failed.
    CO_CHECK(co_await set_stray_aside(topic.name + "-" + std::to_string(partition), *id));
  } else if (text.error() != ErrorCode::kNotFound) {
    co_return std::move(text).error();
  }
  CO_CHECK(co_await files_.make_dirs(directory));
  CO_CHECK(co_await replace_file(files_, id_path, partition_metadata(wanted)));
  CO_CHECK(co_await files_.sync_dir(path_));
  co_return directory;
}

Task<Result<std::string>> DataDirectory::set_aside(std::string topic, int32_t partition) {
  std::string name = topic + "-" + std::to_string(partition);
  std::string directory = join_path(path_, name);
  CO_TRY(bool there, co_await files_.exists(directory));
  if (!there) co_return std::string();
  std::string aside = join_path(path_, aside_name(name, kDeletedSuffix));
  CO_CHECK(co_await files_.rename(directory, aside));
  co_return aside;
}

Task<Status> DataDirectory::sync() { co_return co_await files_.sync_dir(path_); }

Task<Status> DataDirectory::remove(std::string aside) { co_return co_await files_.remove_all(aside); }

Task<Status> DataDirectory::clean_up_one(const ClusterImage& image, std::string name) {
  std::string directory = join_path(path_, name);
  if (name.ends_with(kDeletedSuffix) && name.find('.') != std::string::npos)
    co_return co_await files_.remove_all(directory);
  if (name.ends_with(kStraySuffix)) co_return ok();
  auto text = co_await read_file(files_, join_path(directory, kPartitionMetadata), kPartitionMetadataBytesMax);
  if (!text && text.error() == ErrorCode::kUnavailable) co_return std::move(text).error();
  if (!text) co_return ok();  // not a log of ours
  auto id = parse_partition_metadata(*text);
  if (!id || image.topic(*id)) co_return ok();
  co_return co_await set_stray_aside(std::move(name), *id);
}

Task<Status> DataDirectory::clean_up(const ClusterImage& image) {
  CO_TRY(auto names, co_await files_.list(path_));
  for (const auto& name : names) {
    auto cleaned = co_await clean_up_one(image, name);
    if (!cleaned)
      env_.log().error("a leftover in the data directory stays: it is tried again at the next start",
                       {{"directory", name}, {"error", cleaned.error()}});
    // Each directory would wait for a descriptor.
    if (!cleaned && cleaned.error() == ErrorCode::kUnavailable) break;
  }
  co_return ok();
}

}  // namespace farshore::broker
