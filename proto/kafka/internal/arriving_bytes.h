// ArrivingBytes: the body of one response while it is received into slabs. Holds what was received and not yet decoded,
// and parses elements from its front, each of them whole or not at all. Executor: that of the slabs.
#pragma once

#include <algorithm>
#include <string>

#include "base/slab.h"
#include "proto/kafka/reader.h"

namespace farshore::kafka {

enum class DecodeStep : uint8_t { kGoOn, kNeedMore };

class ArrivingBytes {
 public:
  // `body_bytes`: of the whole response. `element_bytes_max`: a longer element is refused. `slabs` must outlive it.
  ArrivingBytes(size_t body_bytes, SlabWriter& slabs, size_t element_bytes_max)
      : slabs_(slabs), element_bytes_max_(element_bytes_max), left_(body_bytes) {}

  size_t left() const { return left_; }                    // not received yet
  size_t size() const { return pending_.size(); }          // received, not consumed
  size_t rest() const { return left_ + pending_.size(); }  // not consumed

  // Where the next bytes of the response go; at most left() bytes.
  MutableBytes room() {
    MutableBytes room = slabs_.room();
    return room.first(std::min(room.size(), left_));
  }
  void received(size_t size) {
    ensure(size <= left_, "no more bytes than wanted");
    pending_.append(slabs_.take(size));
    left_ -= size;
  }

  SliceList front(size_t size) const { return pending_.sub(0, size); }
  void copy_out(size_t offset, MutableBytes to) const { pending_.copy_out(offset, to); }
  void drop_front(size_t size) { pending_ = pending_.sub(size, pending_.size() - size); }

  // How many more bytes element() needs before it tries again; at least 1.
  size_t element_bytes_wanted() const { return parse_at_ > pending_.size() ? parse_at_ - pending_.size() : 1; }

  // Calls `parse(reader)` with the bytes at the front. If it read an element, these bytes are consumed; if the bytes
  // ended too early, nothing is consumed and `parse` is called again with more of them. So `parse` must do no harm when
  // repeated. Errors: what `parse` returns, what the reader found; kResourceExhausted: longer than element_bytes_max.
  template <class Parse>
  Result<DecodeStep> element(Parse parse) {
    if (pending_.size() < parse_at_ && left_ > 0) return DecodeStep::kNeedMore;
    ConstBytes bytes;
    const size_t limit = std::min(pending_.size(), element_bytes_max_);
    if (!pending_.empty() && pending_.slices().front().size() >= limit) {
      bytes = pending_.slices().front().bytes().first(limit);
    } else if (!pending_.empty()) {
      // The first slice alone nearly always holds the whole element.
      bytes = pending_.slices().front().bytes();
      Reader first(bytes, element_bytes_max_ * kDecodedBytesFactor);
      FARSHORE_CHECK(parse(first));
      if (first.ok()) return consumed(first.position());
      straddling_.resize(limit);
      pending_.copy_out(0, straddling_);
      bytes = straddling_;
    }
    Reader reader(bytes, element_bytes_max_ * kDecodedBytesFactor);
    FARSHORE_CHECK(parse(reader));
    if (reader.ok()) return consumed(reader.position());
    if (!reader.ended_early() || left_ == 0) return reader.status().error();
    if (limit >= element_bytes_max_) {
      return Error(farshore::ErrorCode::kResourceExhausted,
                   "more than " + std::to_string(element_bytes_max_) + " bytes between two records fields");
    }
    // A new attempt after every byte would take quadratic time.
    parse_at_ = limit < kEachByteBelow ? limit + 1 : std::min(limit + limit / 2, limit + left_);
    return DecodeStep::kNeedMore;
  }

 private:
  static constexpr size_t kEachByteBelow = 4096;  // shorter elements are tried again after every read

  DecodeStep consumed(size_t size) {
    parse_at_ = 0;
    drop_front(size);
    return DecodeStep::kGoOn;
  }

  SlabWriter& slabs_;
  const size_t element_bytes_max_;
  size_t left_;
  SliceList pending_;
  size_t parse_at_ = 0;  // element() does not try again before this many bytes are pending
  Bytes straddling_;     // a copy of an element that lies in two slabs
};

}  // namespace farshore::kafka
