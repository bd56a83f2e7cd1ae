// lilith-fleet: a simulated fleet as calls for `lilith import neutral`, for tutorials and tests.

#include "tests/fleet/fleet.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int usage() {
  std::fputs(
      "lilith-fleet [--seed N] [--regime iid|burst|project|shift] [--hosts N] [--days N]\n"
      "             [--future N] [--uses N] [--prefix TEXT]\n"
      "Calls of a simulated fleet in the form of `lilith import neutral`, on standard output.\n",
      stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace lilith::test;
  FleetOptions options;
  options.future_days = 0;
  const char* prefix = "ws-";
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) return usage();
    const char* value = argv[i + 1];
    const auto number = static_cast<std::uint32_t>(std::strtoul(value, nullptr, 10));
    const auto is = [&](const char* option) { return std::strcmp(argv[i], option) == 0; };
    if (is("--seed")) {
      options.seed = number;
    } else if (is("--hosts")) {
      options.hosts = number;
    } else if (is("--days")) {
      options.baseline_days = number;
    } else if (is("--future")) {
      options.future_days = number;
    } else if (is("--uses")) {
      options.uses_per_day = number;
    } else if (is("--prefix")) {
      prefix = value;
    } else if (is("--regime")) {
      bool known = false;
      for (const Regime regime : {Regime::kIid, Regime::kBurst, Regime::kProject, Regime::kShift}) {
        if (name(regime) != value) continue;
        options.regime = regime;
        known = true;
      }
      if (!known) return usage();
    } else {
      return usage();
    }
  }
  write_fleet(make_fleet(options), prefix, [](const std::string& line) {
    std::fputs(line.c_str(), stdout);
    std::fputc('\n', stdout);
  });
  return std::ferror(stdout) != 0 ? 1 : 0;
}
