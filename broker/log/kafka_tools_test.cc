// Apache Kafka's DumpLogSegments reads the files of this log. The test needs ../shared/peers (a JDK and Kafka's jars)
// beside the repository, and is skipped without it.
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "broker/log/testing/log_fixture.h"

namespace farshore::log_test {
namespace {

namespace fs = std::filesystem;

// Beside the repository: the first folder above this program that has it.
fs::path find_kafka_tool() {
  for (fs::path at = fs::read_symlink("/proc/self/exe"); at.has_relative_path(); at = at.parent_path()) {
    fs::path tool = at / "../shared/peers/kafka-tool";
    if (fs::exists(tool)) return fs::canonical(tool);
  }
  return {};
}

struct Output {
  std::string text;
  int status = -1;
};
Output run_command(const std::string& command) {
  Output output;
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return output;
  std::array<char, 4096> buffer;
  for (size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) output.text.append(buffer.data(), n);
  int status = ::pclose(pipe);
  output.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return output;
}

size_t count(const std::string& text, std::string_view what) {
  size_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

struct KafkaToolsTest : LogTest {};

TEST_F(KafkaToolsTest, DumpLogSegmentsReadsEveryFile) {
  fs::path tool = find_kafka_tool();
  if (tool.empty()) GTEST_SKIP() << "no ../shared/peers/kafka-tool beside the repository";
  if (run_command("timeout 20 java -version").status != 0) GTEST_SKIP() << "no Java";

  options.segment_bytes = 3000;
  options.index_interval_bytes = 256;
  set_options();
  const Compression codecs[] = {Compression::kNone, Compression::kGzip, Compression::kSnappy, Compression::kLz4,
                                Compression::kZstd};
  size_t records = 0;
  Offset txn_first;
  for (int i = 0; i < 60; ++i) {
    BatchBuilder batch;
    batch.compression(codecs[i % 5]);
    if (i % 4 == 1) batch.producer(100 + i % 3, 0, i / 12);
    if (i == 30) batch.producer(7, 2, 0).transactional();
    for (int r = 0; r < 3; ++r, ++records)
      batch.add(host->wall_ms() - 1000 + i * 7 + r, "key" + std::to_string(r), std::string(30 + i, 'v'), {{"h", "x"}});
    auto appended = append(batch, i / 20);
    ASSERT_TRUE(appended.has_value());
    if (appended->outcome != AppendOutcome::kAppended) records -= 3;
    if (i == 30) txn_first = appended->first;
  }
  BatchBuilder marker;
  marker.producer(7, 2, -1).add_marker(ControlType::kAbort, 3, host->wall_ms());
  ASSERT_TRUE(append(marker, 2, AppendOrigin::kCoordinator));
  fill(10, 1, 3);
  records += 10;
  commit();
  const int64_t end = log->ends().end.value();
  close();

  char pattern[] = "/tmp/farshore-log-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern), nullptr);
  fs::path directory = pattern;
  std::string list;
  for (const auto& [path, contents] : host->files()) {
    fs::path file = directory / fs::path(path).filename();
    std::ofstream(file, std::ios::binary) << contents;
    if (log_format::parse_file_name(file.filename().string())) list += (list.empty() ? "" : ",") + file.string();
  }
  ASSERT_GT(files(".log").size(), 2U);
  auto dump = run_command("timeout 100 " + tool.string() +
                          " kafka.tools.DumpLogSegments --deep-iteration --print-data-log --files " + list);
  auto sanity =
      run_command("timeout 100 " + tool.string() + " kafka.tools.DumpLogSegments --index-sanity-check --files " + list);
  auto verify =
      run_command("timeout 100 " + tool.string() + " kafka.tools.DumpLogSegments --verify-index-only --files " + list);
  fs::remove_all(directory);

  for (const auto& output : {dump, sanity, verify}) {
    EXPECT_EQ(output.status, 0) << output.text;
    for (const char* complaint :
         {"ismatch", "xception", "ound out of order", "could not be found", "isvalid: false", "orrupt", "nvalid"})
      EXPECT_EQ(count(output.text, complaint), 0U) << complaint << "\n" << output.text;
  }
  EXPECT_EQ(count(dump.text, "| offset: "), records + 1) << "and the marker\n" << dump.text;
  EXPECT_EQ(count(dump.text, "endTxnMarker: ABORT coordinatorEpoch: 3"), 1U) << dump.text;
  EXPECT_EQ(count(dump.text, "version: 0 producerId: 7 firstOffset: " + std::to_string(txn_first.value()) + " "), 1U)
      << dump.text;
  EXPECT_GT(count(dump.text, "producerId: 7 producerEpoch: 2 "), 0U) << dump.text;
  EXPECT_GT(count(dump.text, "lastOffset: " + std::to_string(end - 1) + " "), 0U) << dump.text;
  EXPECT_GT(count(sanity.text, "passed sanity check"), 3U) << sanity.text;
}

}  // namespace
}  // namespace farshore::log_test
