// Types of message fields that are not plain C++ values: Bytes; Records, a `records` field without a copy; WireMessage,
// an encoded message as a list of pieces to send. Executor: slices of slabs belong to the executor of their arena; the
// rest are plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/slab.h"

namespace farshore {
class File;
}  // namespace farshore

namespace farshore::kafka {

using Bytes = std::vector<std::byte>;

inline constexpr size_t kStringBytesMax = 32767;  // a longer string cannot be sent in the non-compact form

// A part of an open file, to be sent by the kernel without a copy (sendfile). `pin` keeps the file and its content at
// that position alive; the creator of the range decides what that takes.
struct FileRange {
  File* file = nullptr;
  uint64_t position = 0;
  uint64_t length = 0;
  std::shared_ptr<void> pin;
  friend bool operator==(const FileRange& a, const FileRange& b) {
    return a.file == b.file && a.position == b.position && a.length == b.length;
  }
};

// A `records` field: null, or bytes in pieces. A decoded one is a single view into the frame, which must outlive it.
// One to encode is any sequence of views (the Writer copies them), slices of slabs (shared) and file ranges (shared).
class Records {
 public:
  using Piece = std::variant<ConstBytes, SliceList, FileRange>;

  Records() = default;  // null
  static Records empty();
  static Records view(ConstBytes bytes);
  explicit Records(SliceList slices) { append(std::move(slices)); }

  void append(ConstBytes borrowed);
  void append(SliceList slices);
  void append(FileRange range);

  bool is_null() const { return null_; }
  uint64_t size() const { return size_; }
  const std::vector<Piece>& pieces() const { return pieces_; }
  // The content, if it is a single view (after decoding it always is). Empty if null.
  ConstBytes bytes() const;
  // Copies the content. There must be no file range (ensured).
  Bytes to_bytes() const;
  // Equal if both are null, or both have the same content. File ranges are compared by identity.
  friend bool operator==(const Records& a, const Records& b);

 private:
  std::vector<Piece> pieces_;
  uint64_t size_ = 0;
  bool null_ = true;
};

// An encoded message: a list of pieces, each a range of its own bytes, a list of slab slices, or a file range.
class WireMessage {
 public:
  struct OwnedRange {
    size_t offset, length;  // in owned()
  };
  using Piece = std::variant<OwnedRange, SliceList, FileRange>;

  const std::vector<Piece>& pieces() const { return pieces_; }
  const Bytes& owned() const { return owned_; }
  ConstBytes bytes(OwnedRange range) const { return ConstBytes(owned_).subspan(range.offset, range.length); }
  uint64_t size() const { return size_; }
  // Of size(), what is held in memory of the message's own: not file ranges, not slices.
  uint64_t memory_bytes() const { return owned_.size(); }
  // One contiguous copy, for tests and for small messages inside others. There must be no file range (ensured).
  Bytes to_bytes() const;

 private:
  friend class Writer;
  Bytes owned_;
  std::vector<Piece> pieces_;
  uint64_t size_ = 0;
};

}  // namespace farshore::kafka
