#include "broker/broker.h"

#include <optional>
#include <utility>

#include "base/ensure.h"
#include "broker/broker_config.h"
#include "broker/coordinator/partition_topics.h"
#include "broker/groups/coordinator.h"
#include "broker/handlers/api_table.h"
#include "broker/handlers/services.h"
#include "broker/metadata/metadata.h"
#include "broker/metadata/producer_ids.h"
#include "broker/metadata/store_guard.h"
#include "broker/mirror/link_fences.h"
#include "broker/mirror/mirror_targets.h"
#include "broker/mirror/mirror_topics.h"
#include "broker/mirror/promotions.h"
#include "broker/mirror/topic_fences.h"
#include "broker/net/request_metrics.h"
#include "broker/net/server.h"
#include "broker/partitions/fetch_sessions.h"
#include "broker/partitions/partition_table.h"
#include "broker/partitions/topic_creator.h"

namespace farshore::broker {
namespace {

constexpr Duration kMetadataLimit = seconds(30);  // of one step of the start
constexpr std::string_view kLockFile = ".lock";
constexpr std::string_view kMetadataDirectory = "meta";

FetchSessionLimits session_limits(const BrokerOptions& options) {
  FetchSessionLimits limits;
  limits.sessions_max = options.fetch_sessions_max;
  return limits;
}

BrokerImage self_image(const BrokerOptions& options) {
  BrokerImage self;
  self.id = options.id;
  self.rack = options.rack;
  return self;
}

// With every name that leads to it durable: else a power loss takes all that was synced inside.
Task<Status> make_data_directory(FileSystem& files, std::string directory) {
  std::vector<std::string> parents = {parent_path(directory)};
  for (;;) {
    std::string above = parents.back();
    CO_TRY(const bool there, co_await files.exists(above));
    if (there || parent_path(above) == above) break;
    parents.push_back(parent_path(above));
  }
  CO_CHECK(co_await files.make_dirs(directory));
  for (const auto& parent : parents) {
    auto synced = co_await files.sync_dir(parent);
    // A parent that we may not open is not one that we have changed.
    if (!synced && !(synced.error() == ErrorCode::kPermissionDenied)) co_return synced;
  }
  co_return ok();
}

// The listener's own address, where nothing else is said. "Every address" is none that a client could use.
Result<Endpoint> advertised_endpoint(const BrokerOptions& options, const Endpoint& bound) {
  Endpoint at = options.advertised.host.empty() ? Endpoint{options.server.listen.host, 0} : options.advertised;
  if (at.port == 0) at.port = bound.port;
  if (at.host == "0.0.0.0" || at.host == "::")
    return Error(ErrorCode::kInvalidArgument,
                 "listening on every address (" + at.host +
                     ") needs advertised.listeners: the address that clients are told to connect to");
  return at;
}

}  // namespace

// Everything of a running broker, in order of construction. Services refers into it.
struct Broker::Parts {
  Parts(Env& e, const Config& c, BrokerOptions o, std::unique_ptr<FileLock> l, std::unique_ptr<MetaStore> store)
      : env(e),
        config(c),
        options(std::move(o)),
        lock(std::move(l)),
        apis(broker_apis()),
        metrics(env.metrics(), apis),
        metadata(env, std::move(store), self_image(options)),
        partitions(env, arena, config, options.partitions, metadata),
        topics(env, metadata, partitions, options.topics),
        fetch_sessions(env.random().fork(), session_limits(options)),
        producer_ids(env, metadata),
        internal_topics(metadata, partitions, topics),
        groups(env, arena, internal_topics, options.groups),
        topic_fences(env, metadata, partitions),
        mirror_topics(env, metadata, partitions, topics, topic_fences),
        mirror_targets(env, metadata),
        link_fences(env, metadata, mirror_targets),
        promotions(env, arena, metadata, partitions, producer_ids, mirror_targets),
        services{env,           config,       apis,           metrics,        metadata,
                 partitions,    topics,       fetch_sessions, producer_ids,   groups,
                 mirror_topics, topic_fences, link_fences,    mirror_targets, promotions},
        server(env, arena, options.server, apis, metrics, services) {}

  Env& env;
  const Config& config;
  BrokerOptions options;
  std::unique_ptr<FileLock> lock;
  SlabArena arena;
  const ApiTable apis;
  RequestMetrics metrics;
  MetadataManager metadata;
  PartitionTable partitions;
  TopicCreator topics;
  FetchSessionCache fetch_sessions;
  ProducerIds producer_ids;
  PartitionTopics internal_topics;
  GroupCoordinator groups;
  TopicFences topic_fences;
  MirrorTopics mirror_topics;
  MirrorTargets mirror_targets;
  LinkFences link_fences;
  Promotions promotions;
  Services services;
  Server server;
  bool ready = false;
};

Broker::Broker(Env& env, KvOpener& kv, Config config, BrokerPlants plants)
    : env_(env), kv_(kv), config_(std::move(config)), plants_(plants) {}

Broker::~Broker() = default;

bool Broker::ready() const { return parts_ && parts_->ready; }

Endpoint Broker::listen_endpoint() const {
  ensure(parts_, "the broker is started");
  return parts_->server.local();
}

std::shared_ptr<const ClusterImage> Broker::image() const {
  ensure(parts_, "the broker is started");
  return parts_->metadata.image();
}

Services& Broker::services() {
  ensure(parts_, "the broker is started");
  return parts_->services;
}

Task<Status> Broker::start() {
  ensure(!parts_, "a broker is started once");
  auto started = co_await start_parts();
  if (!started) co_await stop();
  co_return started;
}

Task<Status> Broker::start_parts() {
  CO_TRY(BrokerOptions options, broker_options(config_, plants_));
  const std::string directory = options.partitions.data_dir;
  auto made = co_await make_data_directory(env_.files(), directory);
  if (!made) co_return std::move(made).error().in("data directory " + directory);
  auto lock = co_await env_.files().lock(join_path(directory, kLockFile));
  if (!lock) {
    if (lock.error() == ErrorCode::kAlreadyExists)
      co_return Error(ErrorCode::kAlreadyExists, "data directory " + directory +
                                                     " is in use by another broker: stop it, or use another directory");
    co_return std::move(lock).error().in("data directory " + directory);
  }
  auto kv = co_await kv_.open(join_path(directory, kMetadataDirectory));
  if (!kv) co_return std::move(kv).error().in("metadata in " + directory);
  CO_CHECK(co_await env_.files().sync_dir(directory));  // the metadata's own name
  CO_TRY(auto opened, co_await open_kv_meta_store(env_, std::move(*kv)));
  CO_TRY(auto store, co_await guard_meta_store(env_, std::move(opened), directory, env_.in(kMetadataLimit)));
  parts_ = std::make_shared<Parts>(env_, config_, std::move(options), std::move(*lock), std::move(store));
  Parts& parts = *parts_;
  auto listening = co_await parts.server.listen();
  if (!listening) co_return std::move(listening).error().in("listener " + parts.options.server.listen.to_string());
  CO_TRY(Endpoint advertised, advertised_endpoint(parts.options, parts.server.local()));
  parts.metadata.advertise(std::move(advertised));
  parts.metadata.use_salt(parts.options.producer_id_salt);
  CO_CHECK(co_await parts.metadata.start(parts.options.cluster_id, env_.in(kMetadataLimit)));
  CO_CHECK(co_await parts.producer_ids.start(env_.in(kMetadataLimit)));
  CO_CHECK(co_await parts.partitions.start());
  parts.promotions.start();
  parts.topic_fences.start();
  parts.groups.start();
  parts.server.start();
  parts.ready = true;
  watch_metrics();
  const ClusterImage& image = *parts.metadata.image();
  env_.log().info("broker ready", {{"listen", parts.server.local().to_string()},
                                   {"cluster_id", image.cluster_id},
                                   {"broker", parts.options.id},
                                   {"topics", image.topics.size()},
                                   {"partitions", parts.partitions.size()},
                                   {"offline", parts.partitions.offline()},
                                   {"max_open_files", config_.number("max.open.files")}});
  co_return ok();
}

Task<void> Broker::stop() {
  if (!parts_) co_return;
  Parts& parts = *parts_;
  parts.ready = false;
  parts.server.refuse_new();
  parts.partitions.refuse_waits();
  co_await parts.groups.stop();
  co_await parts.server.stop();
  co_await parts.promotions.stop();
  co_await parts.topic_fences.stop();
  auto closed = co_await parts.partitions.stop();
  co_await parts.metadata.stop();
  if (closed) env_.log().info("broker stopped", {{"broker", parts.options.id}});
  parts_.reset();
}

void Broker::watch_metrics() {
  MetricRegistry& registry = env_.metrics();
  Gauge& topics = registry.gauge("farshore_broker_topics", "Topics of the cluster.");
  Gauge& partitions = registry.gauge("farshore_broker_partitions", "Partitions on this broker.");
  Gauge& offline = registry.gauge("farshore_broker_partitions_offline", "Partitions whose log cannot be used.");
  Gauge& free = registry.gauge("farshore_broker_disk_free_bytes", "Free space where the logs are.");
  Gauge& full = registry.gauge("farshore_broker_disk_full", "1 while clients' writes are refused for lack of space.");
  Gauge& slabs = registry.gauge("farshore_broker_slab_bytes", "Memory in use for requests under way.");
  Gauge& files = registry.gauge("farshore_broker_log_files_open", "Files of logs that have a descriptor.");
  Gauge& files_max = registry.gauge("farshore_broker_log_files_open_max", "How many may have one (max.open.files).");
  Gauge& refused = registry.gauge("farshore_broker_descriptors_refused", "How often the system had no descriptor.");
  registry.on_collect([weak = std::weak_ptr<Parts>(parts_), &topics, &partitions, &offline, &free, &full, &slabs,
                       &files, &files_max, &refused] {
    auto parts = weak.lock();
    if (!parts || !parts->ready) return;
    topics.set(static_cast<double>(parts->metadata.image()->topics.size()));
    partitions.set(static_cast<double>(parts->partitions.size()));
    offline.set(static_cast<double>(parts->partitions.offline()));
    free.set(static_cast<double>(parts->partitions.free_bytes()));
    full.set(parts->partitions.disk_full() ? 1 : 0);
    files.set(static_cast<double>(parts->partitions.files().open_count()));
    files_max.set(static_cast<double>(parts->partitions.files().open_max()));
    refused.set(static_cast<double>(parts->partitions.files().refusals()));
    slabs.set(static_cast<double>(parts->arena.used_bytes()));
  });
}

}  // namespace farshore::broker
