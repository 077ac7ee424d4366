// ApiVersions 0-4 (KIP-35, KIP-511). A version that we do not know is answered by Connection. Features (KIP-584) are
// not used: none are listed. The private APIs are listed only to Farshore's own clients: other clients may index by
// key.
#include <algorithm>

#include "broker/handlers/internal/entries.h"
#include "broker/handlers/services.h"
#include "broker/net/api.h"
#include "broker/net/request_metrics.h"
#include "proto/kafka/api_table.h"
#include "proto/kafka/messages/api_versions.h"

namespace farshore::broker {
namespace {

constexpr std::string_view kOwnSoftware = "farshore";

// KIP-511: letters and digits, with '-' and '.' inside.
bool software_text(std::string_view text) {
  auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (text.empty() || !alnum(text.front()) || !alnum(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return alnum(c) || c == '-' || c == '.'; });
}

}  // namespace

Task<Result<kafka::ApiVersionsResponse>> handle_api_versions(RequestContext& context,
                                                             kafka::ApiVersionsRequest request) {
  kafka::ApiVersionsResponse response;
  if (context.api_version >= 3) {
    if (!software_text(request.client_software_name) || !software_text(request.client_software_version)) {
      context.services.metrics.error(kafka::ErrorCode::kInvalidRequest);
      response.error_code = static_cast<int16_t>(kafka::ErrorCode::kInvalidRequest);
      co_return response;
    }
    context.connection.software_name = std::move(request.client_software_name);
    context.connection.software_version = std::move(request.client_software_version);
  }
  bool ours = context.connection.software_name == kOwnSoftware;
  for (const ApiEntry& entry : context.services.apis.entries()) {
    if (entry.private_api() && !ours) continue;
    // Kafka shows Produce from version 0, though it refuses 0-2: some clients switch features on by the minimum.
    const kafka::ApiInfo* info = kafka::find_api(entry.key);
    auto& api = response.api_keys.emplace_back();
    api.api_key = entry.key;
    api.min_version = info ? std::min(entry.versions.min, info->advertised_min_version) : entry.versions.min;
    api.max_version = entry.versions.max;
  }
  co_return response;
}

ApiEntry api_versions_api() { return api<handle_api_versions>("ApiVersions", {0, 4}, Authorization::none()); }

}  // namespace farshore::broker
