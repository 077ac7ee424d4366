#include "base/http/process_metrics.h"

#include <dirent.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>
#include <vector>

namespace farshore {
namespace {

std::string read_whole(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<int64_t> number(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

// "btime 1764374400" of /proc/stat: when the machine started, in seconds of the epoch.
std::optional<int64_t> boot_time_s() {
  const std::string text = read_whole("/proc/stat");
  const size_t at = text.find("\nbtime ");
  if (at == std::string::npos) return std::nullopt;
  return number(std::string_view(text).substr(at + 7));
}

std::optional<int64_t> open_descriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (!directory) return std::nullopt;
  int64_t count = -3;  // ".", "..", and the descriptor of this very look
  while (::readdir(directory)) ++count;
  ::closedir(directory);
  return count;
}

class Families {
 public:
  void add(const char* name, const char* help, double value, bool counts = false) {
    prometheus::MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = counts ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    (counts ? metric.counter.value : metric.gauge.value) = value;
  }
  std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text, int64_t ticks_per_second, int64_t page_bytes) {
  const size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos || ticks_per_second <= 0) return std::nullopt;
  std::istringstream fields{std::string(text.substr(name_end + 1))};
  std::vector<std::string> words;  // from field 3, the state, on
  for (std::string word; fields >> word;) words.push_back(std::move(word));
  constexpr size_t kFirst = 3, kUserTime = 14, kSystemTime = 15, kThreads = 20, kStart = 22, kVirtual = 23,
                   kResident = 24;
  if (words.size() <= kResident - kFirst) return std::nullopt;
  auto field = [&](size_t at) { return number(words[at - kFirst]); };
  const auto user = field(kUserTime), system = field(kSystemTime), threads = field(kThreads), start = field(kStart),
             size = field(kVirtual), pages = field(kResident);
  if (!user || !system || !threads || !start || !size || !pages) return std::nullopt;
  const auto ticks = static_cast<double>(ticks_per_second);
  ProcessStat stat;
  stat.cpu_seconds = static_cast<double>(*user + *system) / ticks;
  stat.started_after_boot_seconds = static_cast<double>(*start) / ticks;
  stat.virtual_bytes = static_cast<double>(*size);
  stat.resident_bytes = static_cast<double>(*pages) * static_cast<double>(page_bytes);
  stat.threads = *threads;
  return stat;
}

std::string render_process_metrics() {
  Families families;
  if (auto stat = parse_process_stat(read_whole("/proc/self/stat"), ::sysconf(_SC_CLK_TCK), ::sysconf(_SC_PAGESIZE))) {
    families.add("process_cpu_seconds_total", "CPU time of the process, user and system.", stat->cpu_seconds, true);
    families.add("process_resident_memory_bytes", "Memory of the process that is in RAM.", stat->resident_bytes);
    families.add("process_virtual_memory_bytes", "Addresses that the process has mapped.", stat->virtual_bytes);
    families.add("process_threads", "Threads of the process.", static_cast<double>(stat->threads));
    if (auto boot = boot_time_s())
      families.add("process_start_time_seconds", "When the process began, in seconds since the epoch.",
                   static_cast<double>(*boot) + stat->started_after_boot_seconds);
  }
  if (auto open = open_descriptors())
    families.add("process_open_fds", "Open file descriptors.", static_cast<double>(*open));
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
    families.add("process_max_fds", "File descriptors that the system allows.", static_cast<double>(limit.rlim_cur));
  return families.text();
}

}  // namespace farshore
