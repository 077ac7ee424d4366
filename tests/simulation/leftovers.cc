#include "tests/simulation/leftovers.h"

#include "broker/broker.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "proto/link/keys.h"

namespace farshore::simulation {
namespace {

constexpr Duration kHandLimit = seconds(20), kDeleteLimit = seconds(60);
constexpr Duration kGoneWithin = seconds(90);  // longer than a fence that nobody renews

}  // namespace

bool Leftovers::delete_link() {
  const uint64_t way = random_.below(3);
  if (way == 1) (void)hand_.insist("pause", "", kHandLimit);
  if (way == 2)
    for (const char* topic : kLifecycleTopics) (void)hand_.insist("failover", topic, kHandLimit);
  // Without force it is refused while a mirror has not ended: of a topic that the source made just now, for instance.
  const Duration end = clusters_.world().now() + kDeleteLimit;
  Status deleted;
  do {
    deleted = hand_.insist(way == 2 && random_.chance(0.7) ? "delete" : "force-delete", "", kHandLimit);
    if (deleted || deleted.error() == ErrorCode::kNotFound) return true;
    clusters_.world().run_for(seconds(1));
  } while (clusters_.world().now() < end);
  clusters_.history().violation("the link cannot be deleted: " + deleted.error().to_string());
  return false;
}

void Leftovers::check() {
  if (!delete_link()) return;
  std::string rest;
  const auto nothing_left = [&] {
    rest = left();
    return rest.empty();
  };
  const Duration end = clusters_.world().now() + kGoneWithin;
  while (!nothing_left() && clusters_.world().now() < end) clusters_.world().run_for(seconds(1));
  if (!rest.empty()) return clusters_.history().violation("after the link was deleted:" + rest);
  if (!settlement_.reach("with a new link")) return;
  settlement_.check_equal();
}

std::string Leftovers::left() {
  if (!clusters_.west().up() || !clusters_.east().up()) return " a broker is down";
  std::string text = left_at_source(), keys;
  (void)clusters_.world().run(*clusters_.west().env, read_keys(keys), kHandLimit);
  text += keys;
  for (GatewayNode& node : clusters_.gateways()) {
    size_t links = 1;
    if (node.up()) (void)clusters_.world().run(*node.env, list_links(*node.gateway, links), kHandLimit);
    if (links > 0) text += std::string(" ") + node.host + " shows it, or does not answer;";
  }
  return text;
}

std::string Leftovers::left_at_source() const {
  std::string text;
  const auto target = clusters_.west().broker->image(), source = clusters_.east().broker->image();
  for (const auto& [name, topic] : source->topics) {
    for (const WriteFence& fence : topic->fences) {
      if (!fence.holds()) continue;
      const auto* there = target->topic(name);
      const bool promoted = there && there->mirror && there->mirror->ended() &&
                            there->mirror->source_topic.value() == topic->id &&
                            there->mirror->promotion()->kind == PromotionKind::kPromote;
      if (!fence.forever() || !promoted)
        text += " topic " + name + " of the source is fenced until " + std::to_string(fence.until_ms) + ";";
    }
  }
  return text;
}

Task<void> Leftovers::list_links(linker::Gateway& gateway, size_t& links) {
  auto found = co_await gateway.list_links();
  if (found) links = static_cast<size_t>(found->links_size());
}

Task<void> Leftovers::read_keys(std::string& keys) {
  std::string begin(kLinkKeyPrefix), end(kLinkKeyPrefix);
  end.back() = static_cast<char>(end.back() + 1);
  auto& env = *clusters_.west().env;
  auto& metadata = clusters_.west().broker->services().metadata;
  auto found = co_await metadata.range(std::move(begin), std::move(end), env.in(kHandLimit));
  if (!found) keys = " the target's keys cannot be read: " + found.error().to_string();
  if (!found) co_return;
  // A report stays: it belongs to one end of one topic, and says for ever what that end has lost.
  for (const auto& entry : found->entries)
    if (parse_link_key(entry.key).kind != LinkKey::Kind::kEndReport) keys += " key " + entry.key + " is at the target;";
}

}  // namespace farshore::simulation
