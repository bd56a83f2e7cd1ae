#pragma once
// Seeded agent traffic of the shape that was measured on recorded sessions (docs/replay.md,
// "generated traffic"): the mix of tools, shell lines of one to four commands, project roots,
// bursts of sub-agents, a few probes of secrets and of unknown hosts. The same seed gives the same
// bytes on every machine.

#include <cstdint>
#include <functional>
#include <string>

namespace lilith::test {

struct TrafficOptions {
  std::uint64_t seed = 1;
  std::uint64_t calls = 10'000;
  std::uint32_t hosts = 8;
  std::uint32_t days = 14;
};

// One call at a time in the neutral form of `lilith import neutral`, without LF, in order of time.
void generate_traffic(const TrafficOptions& options,
                      const std::function<void(const std::string& line)>& emit);

}  // namespace lilith::test
