// LinkTakeover: takes over the links stored at the target when a gateway starts, and notices when another gateway has
// taken them over since.
//
//   load    until it succeeds: identify the target, make the backend, take control of it, raise each link's epoch and
//           start the link
//   watch   every `options.watch`: are we still in control? Are unconfirmed links stored? Collect garbage.
//   give up another gateway is in control: stop all links, for good. Two gateways that took control back would fence
//           each other for ever.
//
// Executor: the Env's. Owner: Gateway.
#pragma once

#include "base/gate.h"
#include "linker/gateway_options.h"
#include "linker/unconfirmed_links.h"

namespace farshore::linker {

class LinkTakeover {
 public:
  // References outlive it.
  LinkTakeover(Env& env, Connector& connector, const GatewayOptions& options, ClusterAdmin& target, LinkRegistry& links,
               UnconfirmedLinks& unconfirmed);
  ~LinkTakeover();

  // Before start(): keeps the image of relay translations there; otherwise it is in memory. Outlives the backend.
  void keep_translations_in(KvStore& kv) { translations_ = &kv; }
  void start();         // in the background
  Task<void> tried();   // completes when the load was tried once
  void request_stop();  // no further link is started
  Task<void> end();     // when all links and the backend have stopped

 private:
  Task<void> load();
  Task<Status> load_once();
  Task<Status> open_backend();
  Task<Status> take_over(StoredEntry entry, Deadline deadline);
  void note_failure(const Error& error);
  Task<void> watch();
  Task<void> collect_garbage();
  Task<void> give_up(Error fenced);

  Env& env_;
  Connector& connector_;
  const GatewayOptions& options_;
  ClusterAdmin& target_;
  LinkRegistry& links_;
  UnconfirmedLinks& unconfirmed_;
  KvStore* translations_ = nullptr;
  bool in_control_ = false;
  std::string garbage_error_;  // as last logged
  Event stopping_, tried_;
  Gate gate_;
};

}  // namespace farshore::linker
