#include "proto/link/group_memory.h"

#include "proto/link/internal/stored_json.h"

namespace farshore {
namespace {

constexpr int kGroupMemoryVersion = 1;

}  // namespace

std::string encode(const GroupMemory& memory) {
  Json rows = Json::array();
  for (const auto& [where, written] : memory) {
    Json row{where.topic, where.partition, written.offset.value()};
    if (written.before) row.push_back(written.before->value());
    rows.push_back(std::move(row));
  }
  return dump_stored(Json{{"v", kGroupMemoryVersion}, {"offsets", std::move(rows)}});
}

GroupMemory decode_group_memory(std::string_view text) {
  GroupMemory memory;
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("offsets") || !json["offsets"].is_array()) return memory;
  for (const auto& row : json["offsets"]) {
    if (!row.is_array() || row.size() < 3 || !row[0].is_string() || !row[1].is_number_integer() ||
        !row[2].is_number_integer())
      continue;
    WrittenOffset written{TargetOffset(row[2].get<int64_t>()), std::nullopt};
    if (row.size() > 3 && row[3].is_number_integer()) written.before = TargetOffset(row[3].get<int64_t>());
    memory[{row[0].get<std::string>(), row[1].get<int32_t>()}] = written;
  }
  return memory;
}

}  // namespace farshore
