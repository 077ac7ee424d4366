#include "proto/kafka/wire_types.h"

#include <algorithm>

namespace farshore::kafka {

namespace {

void copy_slices(const SliceList& slices, Bytes& into) {
  for (const Slice& slice : slices.slices()) into.insert(into.end(), slice.bytes().begin(), slice.bytes().end());
}

}  // namespace

Records Records::empty() {
  Records records;
  records.null_ = false;
  return records;
}

Records Records::view(ConstBytes bytes) {
  Records records = empty();
  records.append(bytes);
  return records;
}

void Records::append(ConstBytes borrowed) {
  null_ = false;
  if (borrowed.empty()) return;
  size_ += borrowed.size();
  pieces_.emplace_back(borrowed);
}

void Records::append(SliceList slices) {
  null_ = false;
  if (slices.empty()) return;
  size_ += slices.size();
  pieces_.emplace_back(std::move(slices));
}

void Records::append(FileRange range) {
  null_ = false;
  if (range.length == 0) return;
  size_ += range.length;
  pieces_.emplace_back(std::move(range));
}

ConstBytes Records::bytes() const {
  if (pieces_.empty()) return {};
  ensure(pieces_.size() == 1 && std::holds_alternative<ConstBytes>(pieces_[0]), "records are one view");
  return std::get<ConstBytes>(pieces_[0]);
}

Bytes Records::to_bytes() const {
  Bytes all;
  all.reserve(size_);
  for (const Piece& piece : pieces_) {
    ensure(!std::holds_alternative<FileRange>(piece), "records are in memory");
    if (auto* view = std::get_if<ConstBytes>(&piece)) {
      all.insert(all.end(), view->begin(), view->end());
    } else {
      copy_slices(std::get<SliceList>(piece), all);
    }
  }
  return all;
}

bool operator==(const Records& a, const Records& b) {
  if (a.null_ != b.null_ || a.size_ != b.size_) return false;
  auto in_file = [](const Records::Piece& piece) { return std::holds_alternative<FileRange>(piece); };
  if (std::none_of(a.pieces_.begin(), a.pieces_.end(), in_file) &&
      std::none_of(b.pieces_.begin(), b.pieces_.end(), in_file)) {
    return a.to_bytes() == b.to_bytes();
  }
  return std::equal(a.pieces_.begin(), a.pieces_.end(), b.pieces_.begin(), b.pieces_.end(),
                    [](const Records::Piece& x, const Records::Piece& y) {
                      auto *fx = std::get_if<FileRange>(&x), *fy = std::get_if<FileRange>(&y);
                      if (fx || fy) return fx && fy && *fx == *fy;
                      Records left, right;
                      std::visit([&](const auto& piece) { left.append(piece); }, x);
                      std::visit([&](const auto& piece) { right.append(piece); }, y);
                      return left.to_bytes() == right.to_bytes();
                    });
}

Bytes WireMessage::to_bytes() const {
  Bytes all;
  all.reserve(size_);
  for (const Piece& piece : pieces_) {
    ensure(!std::holds_alternative<FileRange>(piece), "the message is in memory");
    if (auto* range = std::get_if<OwnedRange>(&piece)) {
      ConstBytes own = bytes(*range);
      all.insert(all.end(), own.begin(), own.end());
    } else {
      copy_slices(std::get<SliceList>(piece), all);
    }
  }
  return all;
}

}  // namespace farshore::kafka
