#include "offsets/client/target/internal/watched_cluster.h"

#include <algorithm>
#include <utility>

namespace farshore::client {

bool is_refusal(const Error& error) {
  switch (error.code) {
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kUnsupported:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kConflict:
    case ErrorCode::kCorrupt:
      return true;
    default:
      return false;
  }
}

WatchedCluster::WatchedCluster(Env& env, std::vector<Endpoint> bootstrap, ConnectionSecurity security,
                               Duration request_timeout)
    : env_(env),
      bootstrap_(std::move(bootstrap)),
      request_timeout_(request_timeout),
      connector_(env, std::move(security)) {
  connect();
}

void WatchedCluster::connect() {
  client_ = std::make_unique<kafka::ClusterClient>(env_, connector_, cluster_options(bootstrap_, request_timeout_));
}

bool WatchedCluster::failed(const Error& error) {
  ++failures_;
  if (error != ErrorCode::kConflict) return false;
  client_->close();
  connect();
  return true;
}

Duration WatchedCluster::pause() const { return std::min<Duration>(kEvery * (1 << std::min(failures_, 4)), kSlowest); }

}  // namespace farshore::client
