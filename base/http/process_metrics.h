// render_process_metrics(): what the operating system counts of this process, with the names that all Prometheus
// clients use (process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds, ...). Reads /proc, which
// never waits for a disk. What cannot be read is left out: it is not shown as 0.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace farshore {

struct ProcessStat {  // of /proc/self/stat, proc(5)
  double cpu_seconds = 0, started_after_boot_seconds = 0;
  double virtual_bytes = 0, resident_bytes = 0;
  int64_t threads = 0;
};
// `text`: the file. The name of the program, which stands in brackets in it, may hold any character.
std::optional<ProcessStat> parse_process_stat(std::string_view text, int64_t ticks_per_second, int64_t page_bytes);

// In Prometheus's text format.
std::string render_process_metrics();

}  // namespace farshore
