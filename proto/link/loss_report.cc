#include "proto/link/loss_report.h"

#include <algorithm>

#include "proto/link/internal/state_tables.h"
#include "proto/link/internal/stored_json.h"

namespace farshore {
namespace {

constexpr int kLossReportVersion = 1;
constexpr std::string_view kLossReportName = "a report of lost records";

constexpr std::pair<LossKind, std::string_view> kLossKinds[] = {
    {LossKind::kNotMirrored, "not-mirrored"}, {LossKind::kCut, "cut"}, {LossKind::kKept, "kept"}};

LossKind loss_kind_from_json(const Json& json) {
  const std::string text = json.get<std::string>();
  auto kind = parse_loss_kind(text);
  if (!kind) throw BadStoredValue{Error(ErrorCode::kCorrupt, "'" + text + "' is no kind of loss")};
  return *kind;
}

SourceOffset source_offset(const Json& json) { return SourceOffset(json.get<int64_t>()); }

void merge_rows(LossReport::Row& into, const LossReport::Row& row) {
  if (into.partition == row.partition && into.partition >= 0) {
    into.from = std::min(into.from, row.from);
    into.to = std::max(into.to, row.to);
  } else {
    into.partition = -1;
    into.from = into.to = SourceOffset(-1);
  }
  into.ranges += row.ranges;
  into.offsets += row.offsets;
  into.first_ms = std::min(into.first_ms, row.first_ms);
  into.last_ms = std::max(into.last_ms, row.last_ms);
}

}  // namespace

std::string_view name(LossKind kind) { return name_in(kLossKinds, kind); }
std::optional<LossKind> parse_loss_kind(std::string_view text) { return value_in(kLossKinds, text); }

bool LossReport::extend(LossKind kind, int32_t partition, SourceOffset from, SourceOffset to, int64_t wall_ms) {
  if (kind == LossKind::kCut) return false;  // the same offsets can be mirrored and cut again
  for (Row& row : rows) {
    if (row.kind != kind || row.partition != partition || row.ranges != 1) continue;
    if (from < row.from || from >= row.to) continue;
    if (to > row.to) {
      totals[kind].offsets += to - row.to;
      row.offsets += to - row.to;
      row.to = to;
      row.last_ms = wall_ms;
    }
    return true;
  }
  return false;
}

void LossReport::add(LossKind kind, int32_t partition, SourceOffset from, SourceOffset to, int64_t wall_ms) {
  if (from >= to || extend(kind, partition, from, to, wall_ms)) return;
  Row row;
  row.kind = kind;
  row.partition = partition;
  row.from = from;
  row.to = to;
  row.offsets = to - from;
  row.first_ms = row.last_ms = wall_ms;
  rows.push_back(row);
  totals[kind].ranges += 1;
  totals[kind].offsets += row.offsets;
  if (rows.size() > kRowsMax) merge_oldest();
}

// The two oldest rows of one partition and kind become one. If no two are, the two oldest of one kind: there are more
// rows than kinds.
void LossReport::merge_oldest() {
  for (const bool same_partition : {true, false}) {
    for (size_t second = 1; second < rows.size(); ++second) {
      for (size_t first = 0; first < second; ++first) {
        if (rows[first].kind != rows[second].kind) continue;
        if (same_partition && rows[first].partition != rows[second].partition) continue;
        merge_rows(rows[first], rows[second]);
        rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(second));
        return;
      }
    }
  }
}

bool LossReport::finish_at(int32_t partition, SourceOffset end, int64_t wall_ms) {
  auto found = begun.find(partition);
  if (found == begun.end()) return false;
  const Begun what = found->second;
  begun.erase(found);
  if (what.kind == LossKind::kCut)
    add(what.kind, partition, end, what.to, wall_ms);  // nothing, if the log still ends at `to`
  else if (end >= what.to)
    add(what.kind, partition, what.from, what.to, wall_ms);
  return true;
}

std::string encode(const LossReport& report) {
  Json rows = Json::array(), begun = Json::array(), totals = Json::object();
  for (const auto& row : report.rows)
    rows.push_back(Json::array({name(row.kind), row.partition, row.from.value(), row.to.value(), row.ranges,
                                row.offsets, row.first_ms, row.last_ms}));
  for (const auto& [partition, what] : report.begun)
    begun.push_back(Json::array({name(what.kind), partition, what.from.value(), what.to.value()}));
  for (const auto& [kind, total] : report.totals)
    totals[std::string(name(kind))] = Json::array({total.ranges, total.offsets});
  return dump_stored(Json{{"v", kLossReportVersion},
                          {"link", report.link.to_string()},
                          {"topic", report.topic.to_string()},
                          {"rows", std::move(rows)},
                          {"begun", std::move(begun)},
                          {"totals", std::move(totals)}});
}

Result<LossReport> decode_loss_report(std::string_view text) {
  Json json;
  FARSHORE_CHECK(parse_stored(kLossReportName, text, kLossReportVersion, json));
  return read_json<LossReport>(kLossReportName, json, [](const Json& from, LossReport& report) {
    report.link = LinkId(uuid_from_json(from.at("link")));
    report.topic = TargetTopicId(uuid_from_json(from.at("topic")));
    for (const auto& row : from.at("rows")) {
      auto& out = report.rows.emplace_back();
      out.kind = loss_kind_from_json(row.at(0));
      out.partition = row.at(1).get<int32_t>();
      out.from = source_offset(row.at(2));
      out.to = source_offset(row.at(3));
      out.ranges = row.at(4).get<int64_t>();
      out.offsets = row.at(5).get<int64_t>();
      out.first_ms = row.at(6).get<int64_t>();
      out.last_ms = row.at(7).get<int64_t>();
    }
    for (const auto& what : from.at("begun"))
      report.begun[what.at(1).get<int32_t>()] = {loss_kind_from_json(what.at(0)), source_offset(what.at(2)),
                                                 source_offset(what.at(3))};
    for (const auto& [kind, total] : from.at("totals").items())
      report.totals[loss_kind_from_json(Json(kind))] = {total.at(0).get<int64_t>(), total.at(1).get<int64_t>()};
  });
}

}  // namespace farshore
