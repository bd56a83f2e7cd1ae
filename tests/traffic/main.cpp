// lilith-traffic: generated agent traffic for the demo, the benchmarks and whoever has no
// recording.

#include "tests/traffic/traffic.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

constexpr const char* kUsage =
    "usage: lilith-traffic [--seed N] [--calls N] [--hosts N] [--days N]\n"
    "Prints calls in the neutral form, one JSON object a line, for `lilith import neutral`.\n";

}  // namespace

int main(int argc, char** argv) {
  lilith::test::TrafficOptions options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    std::uint64_t value = 0;
    const char* text = i + 1 < argc ? argv[i + 1] : "";
    const auto parsed = std::from_chars(text, text + std::strlen(text), value);
    const bool good = parsed.ec == std::errc{} && *parsed.ptr == '\0' && value > 0;
    if (good && flag == "--seed") {
      options.seed = value;
    } else if (good && flag == "--calls") {
      options.calls = value;
    } else if (good && flag == "--hosts" && value <= 10'000) {
      options.hosts = static_cast<std::uint32_t>(value);
    } else if (good && flag == "--days" && value <= 3'650) {
      options.days = static_cast<std::uint32_t>(value);
    } else {
      std::fputs(kUsage, stderr);
      return 2;
    }
  }
  lilith::test::generate_traffic(options, [](const std::string& line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
  });
  return std::ferror(stdout) != 0 ? 1 : 0;
}
