// SimKv: the KvStore of the simulation, kept in its directory on the SimDisk (a file CURRENT stands for it, so that it
// goes with the directory). A process's death keeps every applied write; a power loss keeps the synced ones and, in
// order, some of the rest. Every call takes time.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/kv.h"
#include "base/random.h"
#include "base/time.h"

namespace farshore::sim {

class SimEnv;
class SimDisk;
enum class PowerLoss : uint8_t;

struct KvDisk {
  std::map<std::string, std::string> live, synced;
  std::deque<KvBatch> unsynced;  // applied to `live`, not yet to `synced`
  SimEnv* owner = nullptr;       // the process that has it open
  // Faults, for scenarios.
  Duration slow{};                       // added to every call
  std::optional<ErrorCode> fail_writes;  // the next writes fail so; kIo: perhaps applied, and the handle is dead
  std::optional<ErrorCode> fail_reads;
  int failures = 0;  // how many more
};

// The store in this directory of a host's disk, or null: to inject faults, or to look.
KvDisk* find_kv(SimDisk& disk, std::string_view directory);

std::unique_ptr<KvOpener> make_sim_kv_opener(SimEnv& env);
void lose_kv_power(KvDisk& kv, PowerLoss how, Random& random);

}  // namespace farshore::sim
