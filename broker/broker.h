// Broker: one broker of a Farshore cluster, complete, without a program around it. Runs unchanged on RealEnv and
// SimEnv: farshore-broker (main.cc) wraps it, tests and simulations make as many as they like. Executor: the Env's.
// Durability: see `durability` in broker_config.h.
#pragma once

#include <memory>

#include "base/config.h"
#include "base/env.h"
#include "base/kv.h"
#include "broker/broker_config.h"

namespace farshore::broker {

struct ClusterImage;
struct Services;

class Broker {
 public:
  // `config` has broker_schema(). `env` and `kv` outlive the broker.
  Broker(Env& env, KvOpener& kv, Config config, BrokerPlants plants = BrokerPlants());
  // Frees memory and files, nothing else: what stop() has not written is recovered by the next start.
  ~Broker();

  // Locks the data directory, opens the metadata, raises the leadership epochs durably, opens the logs, listens. On an
  // error everything is closed again. Errors: kInvalidArgument and kUnsupported (a configuration), kAlreadyExists (the
  // directory or the port is in use), kCorrupt (damaged metadata), kIo, kNoSpace.
  Task<Status> start();
  // Refuses new requests, answers those under way, closes the logs cleanly. Safe to call after a failed start.
  Task<void> stop();

  bool ready() const;
  // Where clients connect: with the port that was really bound.
  Endpoint listen_endpoint() const;
  std::shared_ptr<const ClusterImage> image() const;
  // For tests and the program around it; valid between start() and stop().
  Services& services();

 private:
  struct Parts;
  Task<Status> start_parts();
  void watch_metrics();

  Env& env_;
  KvOpener& kv_;
  Config config_;
  const BrokerPlants plants_;
  std::shared_ptr<Parts> parts_;  // shared with the metrics' refresher, which may outlive the broker
};

}  // namespace farshore::broker
