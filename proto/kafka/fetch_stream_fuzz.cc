// Decodes any bytes as a Fetch response that arrives in pieces: an error, or whole batches within the announced
// records.
#include <algorithm>

#include "base/ensure.h"
#include "proto/kafka/fetch_stream.h"

using namespace farshore;
using namespace farshore::kafka;

namespace {

struct Visitor final : FetchVisitor {
  void on_response(const FetchResponse&) override {}
  void on_partition(const FetchTopic&, const Partition&, size_t records_bytes) override { left = records_bytes; }
  void on_batches(BatchRun run) override {
    size_t size = 0;
    for (const auto& batch : run.batches) size += batch.size_bytes();
    ensure(!run.empty() && size == run.bytes.size() && size <= left, "batches are exactly their bytes");
    left -= size;
  }
  void on_bad_records(Error) override {}
  void on_partition_end(const FetchTopic&, const Partition&, size_t cut) override { ensure(cut <= left, "cut off"); }
  void on_response_end(const std::vector<FetchResponse::NodeEndpoint>&) override {}
  size_t left = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  static SlabArena arena;
  SlabWriter slabs(arena);
  Visitor visitor;
  auto version = static_cast<int16_t>(FetchResponse::kMinVersion +
                                      data[0] % (FetchResponse::kMaxVersion - FetchResponse::kMinVersion + 1));
  const size_t piece = data[1] + 1;
  ConstBytes bytes(reinterpret_cast<const std::byte*>(data + 2), size - 2);
  FetchDecoder decoder(version, bytes.size(), slabs, nullptr, visitor,
                       {.batch_bytes_max = 1 << 20, .element_bytes_max = 64 << 10});
  while (!bytes.empty()) {
    FetchDecoder::Want want = decoder.want();
    ensure(!want.into.empty() && want.bytes_min <= want.into.size(), "bytes are wanted until the end");
    size_t n = std::min({want.into.size(), bytes.size(), piece});
    std::memcpy(want.into.data(), bytes.data(), n);
    bytes = bytes.subspan(n);
    if (!decoder.filled(n)) return 0;
  }
  return 0;
}
