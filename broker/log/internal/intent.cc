#include "broker/log/internal/intent.h"

#include <charconv>
#include <sstream>

#include "base/crc32c.h"
#include "broker/log/internal/log_format.h"

namespace farshore {
namespace {

constexpr int kVersion = 1;

std::string body(const Intent& intent) {
  std::string text = std::to_string(kVersion) + "\n";
  text += intent.kind == Intent::Kind::kReset ? "reset" : "swap";
  text += " " + std::to_string(intent.start.value());
  for (Offset base : intent.replaced) text += " " + std::to_string(base.value());
  return text + "\n";
}

}  // namespace

std::string Intent::encode() const {
  std::string text = body(*this);
  return text + std::to_string(crc32c(as_bytes(text))) + "\n";
}

Result<Intent> Intent::decode(std::string_view text) {
  const Error bad(ErrorCode::kCorrupt, "partition.intent cannot be read");
  std::istringstream in{std::string(text)};
  int version = 0;
  std::string line, kind;
  if (!(in >> version) || version != kVersion || !std::getline(in, line) || !std::getline(in, line)) return bad;
  std::istringstream words(line);
  Intent intent;
  int64_t number = 0;
  if (!(words >> kind >> number) || (kind != "reset" && kind != "swap")) return bad;
  intent.kind = kind == "reset" ? Kind::kReset : Kind::kSwap;
  intent.start = Offset(number);
  while (words >> number) intent.replaced.push_back(Offset(number));
  if (intent.encode() != text) return bad;  // also checks the CRC
  return intent;
}

IntentFile::IntentFile(FileSystem& files, std::string directory)
    : files_(files), directory_(std::move(directory)), path_(join_path(directory_, log_format::kIntent)) {}

Task<Result<std::optional<Intent>>> IntentFile::load() {
  auto text = co_await read_file(files_, path_);
  if (!text && text.error() == ErrorCode::kNotFound) co_return std::nullopt;
  if (!text) co_return std::move(text).error();
  CO_TRY(Intent intent, Intent::decode(*text));
  co_return std::optional(std::move(intent));
}

Task<Status> IntentFile::note(Intent intent) { return replace_file(files_, path_, intent.encode()); }

Task<Status> IntentFile::done() {
  CO_CHECK(co_await files_.remove(path_));
  co_return co_await files_.sync_dir(directory_);
}

}  // namespace farshore
