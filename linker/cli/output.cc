#include "linker/cli/output.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace farshore::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Json = nlohmann::ordered_json;

// `index` -1: a singular field.
Json value_of(const Message& m, const Reflection& r, const FieldDescriptor& f, int index) {
  bool one = index < 0;
  switch (f.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? r.GetInt32(m, &f) : r.GetRepeatedInt32(m, &f, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return one ? r.GetInt64(m, &f) : r.GetRepeatedInt64(m, &f, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? r.GetUInt32(m, &f) : r.GetRepeatedUInt32(m, &f, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return one ? r.GetUInt64(m, &f) : r.GetRepeatedUInt64(m, &f, index);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return one ? r.GetDouble(m, &f) : r.GetRepeatedDouble(m, &f, index);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return one ? r.GetFloat(m, &f) : r.GetRepeatedFloat(m, &f, index);
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? r.GetBool(m, &f) : r.GetRepeatedBool(m, &f, index);
    case FieldDescriptor::CPPTYPE_ENUM:
      return one ? r.GetEnum(m, &f)->name() : r.GetRepeatedEnum(m, &f, index)->name();
    case FieldDescriptor::CPPTYPE_STRING:
      return one ? r.GetString(m, &f) : r.GetRepeatedString(m, &f, index);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return to_json(one ? r.GetMessage(m, &f) : r.GetRepeatedMessage(m, &f, index));
  }
  return nullptr;
}

std::string format(const char* pattern, double value, const char* unit) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value, unit);
  return text;
}

}  // namespace

Json to_json(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  const auto& descriptor = *message.GetDescriptor();
  Json out = Json::object();
  for (int i = 0; i < descriptor.field_count(); ++i) {
    const FieldDescriptor& field = *descriptor.field(i);
    if (field.is_map()) {
      Json map = Json::object();
      for (int n = 0; n < reflection.FieldSize(message, &field); ++n) {
        Json entry = to_json(reflection.GetRepeatedMessage(message, &field, n));
        map[entry["key"].is_string() ? entry["key"].get<std::string>() : entry["key"].dump()] = entry["value"];
      }
      out[field.name()] = std::move(map);
    } else if (field.is_repeated()) {
      Json list = Json::array();
      for (int n = 0; n < reflection.FieldSize(message, &field); ++n)
        list.push_back(value_of(message, reflection, field, n));
      out[field.name()] = std::move(list);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !reflection.HasField(message, &field)) {
      out[field.name()] = nullptr;
    } else {
      out[field.name()] = value_of(message, reflection, field, -1);
    }
  }
  return out;
}

std::string Table::to_string() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string human_bytes(double bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(units)) {
    bytes /= 1024;
    ++unit;
  }
  return format(unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

std::string human_duration_ms(int64_t ms) {
  if (ms < 0) return "-";
  if (ms < 1000) return std::to_string(ms) + " ms";
  if (ms < 60'000) return format("%.1f %s", static_cast<double>(ms) / 1000, "s");
  int64_t seconds = ms / 1000;
  if (seconds < 3600) return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  return std::to_string(seconds / 3600) + " h " + std::to_string(seconds / 60 % 60) + " min";
}

std::string human_count(int64_t n) {
  std::string digits = std::to_string(n < 0 ? -n : n);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<size_t>(at), ",");
  return n < 0 ? "-" + digits : digits;
}

std::string human_lag(int64_t records, int32_t unknown_partitions) {
  if (records < 0) return "unknown";
  return (unknown_partitions > 0 ? "at least " : "") + human_count(records);
}

std::string human_losses(int64_t ranges, int64_t offsets) {
  if (ranges <= 0) return "";
  return human_count(ranges) + (ranges == 1 ? " range, " : " ranges, ") + human_count(offsets) +
         (offsets == 1 ? " offset" : " offsets");
}

std::string human_fences(int64_t topics) {
  return human_count(topics) + (topics == 1 ? " topic takes" : " topics take") +
         " no writes at the source; 'farshore status' shows which, and why";
}

std::string human_reason(const std::string& reason, const std::string& source_fence) {
  if (source_fence.empty()) return reason;
  return (reason.empty() ? "" : reason + "; ") + "the source topic " + source_fence;
}

std::string human_lag_ms(int64_t ms) { return ms < 0 ? "unknown" : human_duration_ms(ms); }

std::string human_ago_ms(int64_t ms) { return ms < 0 ? "never" : human_duration_ms(ms) + " ago"; }

std::string human_time_ms(int64_t unix_ms) {
  if (unix_ms <= 0) return "-";
  std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts);
  return text;
}

}  // namespace farshore::cli
