#include "linker/backend/backend.h"

#include "linker/backend/farshore_backend.h"
#include "linker/backend/kafka_backend.h"

namespace farshore::linker {

std::unique_ptr<LinkBackend> make_link_backend(Env& env, Connector& connector, ClusterAdmin& target, bool farshore,
                                               LinkBackendOptions options) {
  if (farshore) return std::make_unique<FarshoreBackend>(env, connector, target);
  return std::make_unique<KafkaBackend>(env, connector, target, std::move(options));
}

}  // namespace farshore::linker
