// Leftovers: deletes the link in one of its ways, drawn from the seed, and looks for what it left: entries at the
// target, fences at the source, gateways that still show it. Then a new link of the same name must work.
#pragma once

#include <string>

#include "tests/simulation/settlement.h"

namespace farshore::simulation {

class Leftovers {
 public:
  Leftovers(Clusters& clusters, Operator& hand, Settlement& settlement, uint64_t seed)
      : clusters_(clusters), hand_(hand), settlement_(settlement), random_(seed) {}

  void check();

 private:
  bool delete_link();
  // Empty: nothing is left. Otherwise what is.
  std::string left();
  std::string left_at_source() const;
  Task<void> list_links(linker::Gateway& gateway, size_t& links);
  Task<void> read_keys(std::string& keys);

  Clusters& clusters_;
  Operator& hand_;
  Settlement& settlement_;
  Random random_;
};

}  // namespace farshore::simulation
