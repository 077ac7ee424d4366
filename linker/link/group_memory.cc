#include "linker/link/group_memory.h"

#include <nlohmann/json.hpp>

namespace farshore::linker {

std::string encode(const GroupMemory& memory) {
  nlohmann::json json{{"v", 1}, {"offsets", nlohmann::json::array()}};
  for (const auto& [where, written] : memory) {
    nlohmann::json row{where.topic, where.partition, written.offset.value()};
    if (written.before) row.push_back(written.before->value());
    json["offsets"].push_back(std::move(row));
  }
  return json.dump();
}

GroupMemory decode_group_memory(std::string_view text) {
  GroupMemory memory;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("offsets") || !json["offsets"].is_array()) return memory;
  for (const auto& row : json["offsets"]) {
    if (!row.is_array() || row.size() < 3 || !row[0].is_string() || !row[1].is_number() || !row[2].is_number())
      continue;
    WrittenOffset written{TargetOffset(row[2].get<int64_t>()), std::nullopt};
    if (row.size() > 3 && row[3].is_number()) written.before = TargetOffset(row[3].get<int64_t>());
    memory[{row[0].get<std::string>(), row[1].get<int32_t>()}] = written;
  }
  return memory;
}

}  // namespace farshore::linker
