#include "proto/link/link_writer.h"

#include <charconv>

namespace farshore {
namespace {

constexpr std::string_view kLinkClientPrefix = "farshore-link/";

}  // namespace

std::string client_id_of(const LinkWriter& writer) {
  return std::string(kLinkClientPrefix) + writer.link.to_string() + "/" + std::to_string(writer.epoch.value());
}

std::optional<LinkWriter> parse_link_writer(std::string_view client_id) {
  if (!client_id.starts_with(kLinkClientPrefix)) return std::nullopt;
  client_id.remove_prefix(kLinkClientPrefix.size());
  const size_t slash = client_id.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto link = Uuid::parse(client_id.substr(0, slash));
  const std::string_view number = client_id.substr(slash + 1);
  int64_t epoch = 0;
  auto [end, failure] = std::from_chars(number.data(), number.data() + number.size(), epoch);
  if (!link || failure != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return LinkWriter{LinkId(*link), LinkEpoch(epoch)};
}

}  // namespace farshore
