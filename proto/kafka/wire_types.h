// What messages are made of: opaque bytes, record batches that are carried and never copied, and an encoded message as
// a list of pieces that can be gathered or sent from a file. Executor: slices of slabs stay on the executor of their
// arena; everything else is a plain value.
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

// A part of an open file, to be sent without passing through user space. `pin` keeps the file (and its content at that
// position) alive; whoever makes the range decides what that takes.
struct FileRange {
  File* file = nullptr;
  uint64_t position = 0;
  uint64_t length = 0;
  std::shared_ptr<void> pin;
  friend bool operator==(const FileRange& a, const FileRange& b) {
    return a.file == b.file && a.position == b.position && a.length == b.length;
  }
};

// A `records` field: null, or bytes in pieces. Decoded, it is one view into the frame, which must outlive it. To be
// encoded, it is any sequence of views (copied by the Writer), slices of slabs (shared) and file ranges (shared).
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
  // The content, where it is a single view (always so after decoding); empty when null.
  ConstBytes bytes() const;
  // Copies the content out; pieces in memory only (ensured).
  Bytes to_bytes() const;
  // Same nullness and content; file ranges are compared by identity.
  friend bool operator==(const Records& a, const Records& b);

 private:
  std::vector<Piece> pieces_;
  uint64_t size_ = 0;
  bool null_ = true;
};

// An encoded message: its own bytes in one block, interleaved with what it borrowed. Sizes are known.
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
  // One contiguous copy; pieces in memory only (ensured). For tests, and for small messages inside others.
  Bytes to_bytes() const;

 private:
  friend class Writer;
  Bytes owned_;
  std::vector<Piece> pieces_;
  uint64_t size_ = 0;
};

}  // namespace farshore::kafka
