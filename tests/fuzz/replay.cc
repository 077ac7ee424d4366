// main() of a fuzz target where there is no libFuzzer: plays each file of the named folders once, and every beginning
// of it (an input cut short is what fuzzers find most). Fails when there is nothing to play.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr size_t kCutsMax = 64;  // of one file: slow targets have long inputs

size_t play(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> whole{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const size_t step = whole.size() / kCutsMax + 1;
  size_t played = 0;
  for (size_t size = whole.size();; size -= std::min(step, size)) {
    // A copy of exactly this size: the sanitizers then see a read beyond it.
    const std::vector<uint8_t> input(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    LLVMFuzzerTestOneInput(input.data(), input.size());
    ++played;
    if (size == 0) return played;
  }
}

}  // namespace

int main(int argc, char** argv) {
  size_t files = 0, inputs = 0;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) continue;
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
      std::printf("%s\n", path.filename().c_str());
      std::fflush(stdout);  // the last line names the file that crashed
      inputs += play(path);
      ++files;
    }
  }
  std::printf("%zu files, %zu inputs\n", files, inputs);
  return files == 0 ? 1 : 0;
}
