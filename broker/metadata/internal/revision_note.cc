#include "broker/metadata/internal/revision_note.h"

#include <algorithm>

#include "base/crc32c.h"

namespace farshore::broker {
namespace {

constexpr size_t kRevisionDigits = 20, kCrcDigits = 10;
constexpr size_t kLineBytesMax = 4096;

std::string padded(uint64_t number, size_t digits) {
  std::string text = std::to_string(number);
  return std::string(digits - std::min(digits, text.size()), '0') + text;
}

std::string note_line(Revision revision) {
  std::string line = "1 " + padded(static_cast<uint64_t>(revision), kRevisionDigits) + " ";
  return line + padded(crc32c(as_bytes(line)), kCrcDigits) + "\n";
}

}  // namespace

Task<Result<std::optional<Revision>>> RevisionNote::load() {
  auto line = co_await read_file(env_.files(), path_, kLineBytesMax);
  if (!line && line.error() == ErrorCode::kNotFound) co_return std::optional<Revision>();
  if (!line) co_return std::move(line).error();
  uint64_t digits = 0;
  for (size_t i = 2; i < std::min(line->size(), 2 + kRevisionDigits); ++i)
    digits = digits * 10 + static_cast<uint64_t>((*line)[i] - '0');
  const auto revision = static_cast<Revision>(digits);
  if (*line == note_line(revision)) co_return std::optional(revision);
  env_.log().warn("the note of the metadata's revision is damaged, and is made again", {{"file", path_}});
  co_return std::optional<Revision>();
}

Task<void> RevisionNote::save(Revision revision) {
  if (revision <= noted_) co_return;
  noted_ = revision;
  auto written = co_await write(revision);
  if (!written && !failing_)
    env_.log().warn("the metadata's revision was not noted", {{"file", path_}, {"error", written.error()}});
  failing_ = !written;
}

Task<Status> RevisionNote::write(Revision revision) {
  if (!file_) {
    OpenMode mode;
    mode.create = true;
    CO_TRY(std::shared_ptr<File> opened, co_await env_.files().open(path_, mode));
    if (!file_) file_ = std::move(opened);  // commits may end side by side
  }
  auto file = file_;
  const std::string line = note_line(revision);
  if (file->size() > line.size()) CO_CHECK(co_await file->truncate(line.size()));  // it was damaged
  ConstBytes piece = as_bytes(line);
  co_return co_await file->write_at(0, ConstBytesList(&piece, 1));
}

}  // namespace farshore::broker
