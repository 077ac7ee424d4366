#include "tests/simulation/losses.h"

#include <cstdlib>

namespace farshore::simulation {
namespace {

constexpr Duration kNamedWithin = seconds(20);
constexpr std::string_view kEmptied = "mirror emptied: the source deleted what was not mirrored";
constexpr std::string_view kCutBack = "mirror truncated: the source has another history";

std::string field(std::string_view line, std::string_view key) {
  const std::string wanted = " " + std::string(key) + "=";
  const size_t at = line.find(wanted);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = line.substr(at + wanted.size());
  return std::string(rest.substr(0, rest.find(' ')));
}

int64_t number(std::string_view line, std::string_view key) { return std::atoll(field(line, key).c_str()); }

linker::api::StatusReply status_of(const GatewayNode& node) {
  linker::api::StatusRequest request;
  request.set_link(kLink);
  auto status = node.gateway->status(request);
  return status ? std::move(*status) : linker::api::StatusReply();  // this gateway has no such link now
}

}  // namespace

Losses::Losses(Clusters& clusters) : clusters_(clusters) {
  clusters.world().trace().watch([this](std::string_view line) { heard(line); });
}

Losses::~Losses() { clusters_.world().trace().watch(nullptr); }

void Losses::heard(std::string_view line) {
  const bool emptied = line.find(kEmptied) != std::string_view::npos;
  if (!emptied && line.find(kCutBack) == std::string_view::npos) return;
  Range range;
  range.kind = emptied ? "not-mirrored" : "cut";
  range.topic = field(line, "topic");
  range.partition = static_cast<int32_t>(number(line, "partition"));
  range.from = number(line, "from");
  range.to = number(line, "to");
  heard_.push_back(std::move(range));
}

std::vector<Losses::Owner> Losses::owners_of(const std::string& topic) const {
  std::vector<Owner> owners;
  for (const GatewayNode& node : clusters_.gateways()) {
    if (!node.up()) continue;
    const auto status = status_of(node);
    for (const auto& mirror : status.mirrors())
      if (mirror.topic() == topic && !mirror.has_promotion() && status.links_size() > 0)
        owners.push_back({node.env->index(), status.links(0).link_id(), mirror.target_topic_id()});
  }
  return owners;
}

bool Losses::named(const Range& range) const {
  for (const GatewayNode& node : clusters_.gateways()) {
    if (!node.up()) continue;
    const auto status = status_of(node);
    for (const auto& mirror : status.mirrors()) {
      if (mirror.topic() != range.topic) continue;
      if (mirror.losses_total() > mirror.losses_size()) return true;  // the oldest are not listed
      for (const auto& loss : mirror.losses())
        if (loss.kind() == range.kind && loss.partition() == range.partition && loss.from_offset() < range.to &&
            loss.to_offset() > range.from)
          return true;
    }
  }
  return false;
}

void Losses::look() {
  const Duration now = clusters_.world().now();
  for (Range& range : heard_) {
    Expected& expected = expected_.emplace_back();
    expected.owners = owners_of(range.topic);
    expected.range = std::move(range);
    expected.at = now;
    ++seen_;
  }
  heard_.clear();
  std::erase_if(expected_, [&](const Expected& expected) {
    if (expected.owners.empty() || named(expected.range)) return true;
    if (now - expected.at < kNamedWithin) return false;
    if (owners_of(expected.range.topic) != expected.owners) return true;  // who did it is gone
    clusters_.history().violation(expected.range.topic + "-" + std::to_string(expected.range.partition) +
                                  ": the mirror lost [" + std::to_string(expected.range.from) + ", " +
                                  std::to_string(expected.range.to) + "), " + expected.range.kind +
                                  ", and no gateway says so");
    return true;
  });
}

}  // namespace farshore::simulation
