#include "proto/batch/compress.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>

#include "base/ensure.h"

namespace farshore {
namespace {

using Buffer = std::vector<std::byte>;

Error corrupt(std::string_view codec, std::string_view what) {
  return {ErrorCode::kCorrupt, std::string(codec) + ": " + std::string(what)};
}
Error too_large(std::string_view codec, size_t output_max) {
  return {ErrorCode::kResourceExhausted,
          std::string(codec) + ": decompresses to more than " + std::to_string(output_max) + " bytes"};
}

const char* chars(ConstBytes bytes) { return reinterpret_cast<const char*>(bytes.data()); }

// Room for more output: doubles, never beyond output_max + 1 (the one byte that proves there is too much).
bool grow(Buffer& out, size_t used, size_t output_max) {
  if (used < out.size()) return true;
  if (out.size() > output_max) return false;
  size_t size = std::max<size_t>(out.size() * 2, 16384);
  out.resize(std::min(size, output_max + 1));
  return true;
}

Buffer gzip_compress(ConstBytes input) {
  z_stream z{};
  ensure(deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib starts");
  Buffer out(deflateBound(&z, input.size()));
  z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
  z.avail_in = static_cast<uInt>(input.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  ensure(deflate(&z, Z_FINISH) == Z_STREAM_END, "zlib compresses into its own bound");
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

Result<Buffer> gzip_decompress(ConstBytes input, size_t output_max) {
  z_stream z{};
  ensure(inflateInit2(&z, 15 + 16) == Z_OK, "zlib starts");
  std::unique_ptr<z_stream, int (*)(z_stream*)> end(&z, inflateEnd);
  Buffer out;
  size_t used = 0;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
  z.avail_in = static_cast<uInt>(input.size());
  for (;;) {
    if (!grow(out, used, output_max)) return too_large("gzip", output_max);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    z.avail_out = static_cast<uInt>(out.size() - used);
    int status = inflate(&z, Z_NO_FLUSH);
    used = out.size() - z.avail_out;
    if (status == Z_STREAM_END) {
      if (z.avail_in == 0) break;
      if (inflateReset(&z) != Z_OK) return corrupt("gzip", "members cannot be read");  // several members: one stream
      continue;
    }
    if (status != Z_OK && status != Z_BUF_ERROR) return corrupt("gzip", z.msg ? z.msg : "bad data");
    if (z.avail_out > 0) return corrupt("gzip", "the stream is cut off");
  }
  if (used > output_max) return too_large("gzip", output_max);
  out.resize(used);
  return out;
}

// xerial snappy-java: an 8-byte magic, version 1, lowest compatible version 1, then chunks of {int32 size, snappy}.
constexpr std::array<unsigned char, 16> kXerialHeader = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
constexpr size_t kXerialChunkBytes = 32 << 10;

Buffer snappy_compress(ConstBytes input) {
  Buffer out(kXerialHeader.size());
  std::memcpy(out.data(), kXerialHeader.data(), kXerialHeader.size());
  while (!input.empty()) {
    ConstBytes chunk = input.first(std::min(input.size(), kXerialChunkBytes));
    input = input.subspan(chunk.size());
    size_t at = out.size(), size = 0;
    out.resize(at + 4 + snappy::MaxCompressedLength(chunk.size()));
    snappy::RawCompress(chars(chunk), chunk.size(), reinterpret_cast<char*>(out.data() + at + 4), &size);
    store_be(out.data() + at, static_cast<int32_t>(size));
    out.resize(at + 4 + size);
  }
  return out;
}

Status snappy_append(Buffer& out, ConstBytes chunk, size_t output_max) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(chars(chunk), chunk.size(), &size)) return corrupt("snappy", "no length");
  if (size > output_max - out.size()) return too_large("snappy", output_max);
  if (!snappy::IsValidCompressedBuffer(chars(chunk), chunk.size())) return corrupt("snappy", "bad data");
  size_t at = out.size();
  out.resize(at + size);
  if (!snappy::RawUncompress(chars(chunk), chunk.size(), reinterpret_cast<char*>(out.data() + at)))
    return corrupt("snappy", "bad data");
  return ok();
}

Result<Buffer> snappy_decompress(ConstBytes input, size_t output_max) {
  Buffer out;
  bool xerial = input.size() >= kXerialHeader.size() && std::memcmp(input.data(), kXerialHeader.data(), 8) == 0;
  if (!xerial) {
    FARSHORE_CHECK(snappy_append(out, input, output_max));
    return out;
  }
  input = input.subspan(kXerialHeader.size());
  while (!input.empty()) {
    if (input.size() < 4) return corrupt("snappy", "a chunk length is cut off");
    auto size = load_be<int32_t>(input.data());
    input = input.subspan(4);
    if (size < 0 || static_cast<size_t>(size) > input.size()) return corrupt("snappy", "a chunk ends beyond the data");
    FARSHORE_CHECK(snappy_append(out, input.first(static_cast<size_t>(size)), output_max));
    input = input.subspan(static_cast<size_t>(size));
  }
  return out;
}

// Kafka's reader wants independent blocks of at most 64 KiB.
Buffer lz4_compress(ConstBytes input) {
  LZ4F_preferences_t how{};
  how.frameInfo.blockMode = LZ4F_blockIndependent;
  how.frameInfo.blockSizeID = LZ4F_max64KB;
  Buffer out(LZ4F_compressFrameBound(input.size(), &how));
  size_t size = LZ4F_compressFrame(out.data(), out.size(), input.data(), input.size(), &how);
  ensure(!LZ4F_isError(size), "lz4 compresses into its own bound");
  out.resize(size);
  return out;
}

Result<Buffer> lz4_decompress(ConstBytes input, size_t output_max) {
  LZ4F_dctx* raw = nullptr;
  ensure(!LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)), "lz4 starts");
  std::unique_ptr<LZ4F_dctx, LZ4F_errorCode_t (*)(LZ4F_dctx*)> context(raw, LZ4F_freeDecompressionContext);
  Buffer out;
  size_t used = 0, wanted = 1;
  while (!input.empty() && wanted != 0) {
    if (!grow(out, used, output_max)) return too_large("lz4", output_max);
    size_t room = out.size() - used, taken = input.size();
    wanted = LZ4F_decompress(context.get(), out.data() + used, &room, input.data(), &taken, nullptr);
    if (LZ4F_isError(wanted)) return corrupt("lz4", LZ4F_getErrorName(wanted));
    if (room == 0 && taken == 0) return corrupt("lz4", "makes no progress");
    used += room;
    input = input.subspan(taken);
  }
  // A full output buffer may hide a rest inside the codec.
  while (wanted != 0) {
    if (!grow(out, used, output_max)) return too_large("lz4", output_max);
    size_t room = out.size() - used, taken = 0;
    wanted = LZ4F_decompress(context.get(), out.data() + used, &room, nullptr, &taken, nullptr);
    if (LZ4F_isError(wanted)) return corrupt("lz4", LZ4F_getErrorName(wanted));
    if (wanted != 0 && room == 0) return corrupt("lz4", "the frame is cut off");
    used += room;
  }
  if (!input.empty()) return corrupt("lz4", "bytes after the frame");
  if (used > output_max) return too_large("lz4", output_max);
  out.resize(used);
  return out;
}

Buffer zstd_compress(ConstBytes input) {
  Buffer out(ZSTD_compressBound(input.size()));
  size_t size = ZSTD_compress(out.data(), out.size(), input.data(), input.size(), ZSTD_CLEVEL_DEFAULT);
  ensure(!ZSTD_isError(size), "zstd compresses into its own bound");
  out.resize(size);
  return out;
}

Result<Buffer> zstd_decompress(ConstBytes input, size_t output_max) {
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  ensure(context != nullptr, "zstd starts");
  Buffer out;
  size_t used = 0, wanted = 1;
  ZSTD_inBuffer in{input.data(), input.size(), 0};
  for (;;) {
    if (!grow(out, used, output_max)) return too_large("zstd", output_max);
    ZSTD_outBuffer room{out.data(), out.size(), used};
    size_t before = in.pos;
    wanted = ZSTD_decompressStream(context.get(), &room, &in);
    if (ZSTD_isError(wanted)) return corrupt("zstd", ZSTD_getErrorName(wanted));
    bool moved = room.pos != used || in.pos != before;
    used = room.pos;
    if (in.pos == in.size && wanted == 0) break;
    if (!moved && used < out.size()) return corrupt("zstd", "the frame is cut off");
  }
  if (used > output_max) return too_large("zstd", output_max);
  out.resize(used);
  return out;
}

}  // namespace

size_t DecompressLimits::output_max(size_t input_bytes) const {
  size_t by_ratio = input_bytes > output_bytes_max / ratio_max ? output_bytes_max : input_bytes * ratio_max;
  return std::min(output_bytes_max, std::max(by_ratio, ratio_free_bytes));
}

Buffer compress(Compression codec, ConstBytes input) {
  ensure(input.size() <= std::numeric_limits<int32_t>::max(), "a batch payload is below 2 GiB");
  switch (codec) {
    case Compression::kNone:
      return {input.begin(), input.end()};
    case Compression::kGzip:
      return gzip_compress(input);
    case Compression::kSnappy:
      return snappy_compress(input);
    case Compression::kLz4:
      return lz4_compress(input);
    case Compression::kZstd:
      return zstd_compress(input);
  }
  ensure(false, "a codec of the enum");
}

Result<Buffer> decompress(Compression codec, ConstBytes input, const DecompressLimits& limits) {
  size_t output_max = limits.output_max(input.size());
  if (codec == Compression::kNone) {
    if (input.size() > output_max) return too_large("none", output_max);
    return Buffer(input.begin(), input.end());
  }
  if (input.empty()) return corrupt("compressed records", "no bytes");
  switch (codec) {
    case Compression::kGzip:
      return gzip_decompress(input, output_max);
    case Compression::kSnappy:
      return snappy_decompress(input, output_max);
    case Compression::kLz4:
      return lz4_decompress(input, output_max);
    case Compression::kZstd:
      return zstd_decompress(input, output_max);
    default:
      return corrupt("record batch", "unknown compression");
  }
}

}  // namespace farshore
