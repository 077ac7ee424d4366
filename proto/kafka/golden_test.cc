// Frames that real clients and Apache Kafka's broker sent (golden/frames.inc). Each decodes to its last byte, and the
// decoded message encodes to the same bytes.
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "proto/kafka/fetch_stream.h"
#include "proto/kafka/frame.h"
#include "proto/kafka/messages/api_versions.h"
#include "proto/kafka/testing/random_messages.h"

namespace farshore::kafka {
namespace {

constexpr char kFrames[] =
#include "golden/frames.inc"
    ;

struct GoldenFrame {
  int16_t key = 0, version = 0;
  bool request = false;
  Bytes bytes;
  std::string name() const {
    return std::string(api_name(key)) + (request ? " request" : " response") + " version " + std::to_string(version);
  }
};

std::vector<GoldenFrame> golden_frames() {
  std::vector<GoldenFrame> frames;
  std::istringstream file(kFrames);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string side, hex;
    GoldenFrame frame;
    words >> frame.key >> frame.version >> side >> hex;
    frame.request = side == "Q";
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
      frame.bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    frames.push_back(std::move(frame));
  }
  return frames;
}

TEST(GoldenFrames, DecodeAndEncodeToTheSameBytes) {
  auto frames = golden_frames();
  ASSERT_GT(frames.size(), 70u);
  auto cases = message_cases();
  std::set<int16_t> keys;
  for (const GoldenFrame& frame : frames) {
    keys.insert(frame.key);
    auto it = std::find_if(cases.begin(), cases.end(), [&](const MessageCase& each) {
      return each.key == frame.key && each.request == frame.request;
    });
    ASSERT_NE(it, cases.end());
    const ApiInfo* api = find_api(frame.key);
    Reader reader(frame.bytes);
    Writer header;
    if (frame.request) {
      auto parsed = parse_request_header(reader);
      ASSERT_TRUE(parsed) << frame.name();
      EXPECT_EQ(parsed->api, api);
      EXPECT_EQ(parsed->header.request_api_version, frame.version);
      begin_request(header, *api, frame.version, parsed->header.correlation_id, *parsed->header.client_id);
    } else {
      int32_t correlation_id = reader.i32();
      if (api->response_header_version(frame.version) == 1) reader.skip_tagged_fields();
      begin_response(header, *api, frame.version, correlation_id);
    }
    // The Reader is moved past the header; what follows is the message.
    auto again = it->recode(reader, frame.version);
    ASSERT_TRUE(again) << frame.name() << ": " << again.error().to_string();
    header.raw(*again);
    auto whole = finish_frame(header);
    ASSERT_TRUE(whole);
    Bytes bytes = whole->to_bytes();
    EXPECT_EQ(load_be<int32_t>(bytes.data()), static_cast<int32_t>(frame.bytes.size())) << frame.name();
    EXPECT_EQ(Bytes(bytes.begin() + 4, bytes.end()), frame.bytes) << frame.name();
  }
  EXPECT_GE(keys.size(), 24u);
}

// What Apache Kafka 4.1.1 advertises: real clients switch features on by the minimum too.
TEST(GoldenFrames, AdvertiseTheVersionsOfOurApiTable) {
  for (const GoldenFrame& frame : golden_frames()) {
    if (frame.key != ApiVersionsResponse::kApiKey || frame.request) continue;
    Reader reader(frame.bytes);
    reader.i32();
    auto response = ApiVersionsResponse::decode(reader, frame.version);
    ASSERT_TRUE(response);
    for (const ApiInfo& api : apis()) {
      if (api.is_private) continue;
      auto it = std::find_if(response->api_keys.begin(), response->api_keys.end(),
                             [&](const auto& each) { return each.api_key == api.key; });
      ASSERT_NE(it, response->api_keys.end()) << api.name;
      EXPECT_EQ(api.advertised_min_version, it->min_version) << api.name;
      EXPECT_LE(api.max_version, it->max_version) << api.name;
    }
    return;
  }
  FAIL() << "no recorded ApiVersions response";
}

TEST(GoldenFrames, FetchResponsesAreDecodedWhileTheyArrive) {
  struct Visitor : FetchVisitor {
    void on_response(const FetchResponse&) override {}
    void on_partition(const FetchTopic&, const Partition&, size_t) override { ++partitions; }
    void on_batches(BatchRun run) override {
      EXPECT_TRUE(verify_crc(run));
      batches += run.batches.size();
    }
    void on_bad_records(Error error) override { ADD_FAILURE() << error.to_string(); }
    void on_partition_end(const FetchTopic&, const Partition&, size_t cut) override { EXPECT_EQ(cut, 0u); }
    void on_response_end(const std::vector<FetchResponse::NodeEndpoint>&) override {}
    size_t partitions = 0, batches = 0;
  };
  SlabArena arena;
  SlabWriter slabs(arena);
  Visitor visitor;
  for (const GoldenFrame& frame : golden_frames()) {
    if (frame.key != FetchResponse::kApiKey || frame.request) continue;
    ConstBytes body = ConstBytes(frame.bytes).subspan(4);
    FetchDecoder decoder(frame.version, body.size(), slabs, nullptr, visitor);
    while (!body.empty()) {
      auto want = decoder.want();
      std::memcpy(want.into.data(), body.data(), 1);
      auto status = decoder.filled(1);
      ASSERT_TRUE(status) << status.error().to_string();
      body = body.subspan(1);
    }
    EXPECT_TRUE(decoder.done());
  }
  EXPECT_GT(visitor.partitions, 0u);
  EXPECT_GT(visitor.batches, 0u);
}

}  // namespace
}  // namespace farshore::kafka
