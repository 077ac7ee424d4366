#include "base/gate.h"

namespace farshore {
namespace {

struct Leaver {  // leaves the gate when the task has ended, or when its frame was abandoned with a dead Env
  Gate* gate;
  explicit Leaver(Gate* g) : gate(g) {}
  Leaver(Leaver&& other) noexcept : gate(std::exchange(other.gate, nullptr)) {}
  Leaver(const Leaver&) = delete;
  ~Leaver() {
    if (gate && !gate->reactor().dead()) gate->leave();
  }
};

}  // namespace

bool spawn(Gate& gate, const char* name, Task<void> task) {
  if (!gate.enter()) return false;
  asio::co_spawn(gate.reactor().executor(), std::move(task),
                 [name, leaver = Leaver(&gate)](std::exception_ptr failure) {
                   if (!failure) return;
                   try {
                     std::rethrow_exception(failure);
                   } catch (const std::exception& e) {
                     std::fprintf(stderr, "farshore: task %s ended by an exception: %s\n", name, e.what());
                   } catch (...) {
                     std::fprintf(stderr, "farshore: task %s ended by an unknown exception\n", name);
                   }
                   std::abort();
                 });
  return true;
}

}  // namespace farshore
