#pragma once
// A simulated fleet: which developer used what on which day, in four regimes of how work clusters
// and changes. The forecast's bounds are held against it, since only a simulation knows what the
// week after a flip really brought. The same seed gives the same fleet.
//
//   iid      every use is drawn for itself
//   burst    every use is repeated, 8 times on average (retry loops, edit-test loops)
//   project  as burst, and each day one developer in ten starts a new project with names of its own
//   shift    as burst, and from the day of the flip on the whole fleet uses 200 new things

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::test {

enum class Regime { kIid, kBurst, kProject, kShift };
[[nodiscard]] std::string_view name(Regime regime);

struct FleetOptions {
  std::uint64_t seed = 1;
  Regime regime = Regime::kBurst;
  std::uint32_t hosts = 40;
  std::uint32_t baseline_days = 10;  // working days before the flip
  std::uint32_t future_days = 5;     // after it; shift begins here
  double uses_per_day = 40;          // mean of an active developer
};

// One thing used on one host and day, once.
struct FleetUse {
  std::uint32_t host = 0, day = 0;
  std::uint32_t key = 0;
  std::uint32_t events = 0;   // repeats included
  std::uint32_t project = 0;  // of the developer, from 1; 0: the thing is shared by the fleet
};
struct Fleet {
  FleetOptions options;
  std::vector<FleetUse> uses;        // by host, day, key
  std::vector<std::uint8_t> active;  // host * days + day
  std::uint32_t keys = 0;
  [[nodiscard]] std::uint32_t days() const { return options.baseline_days + options.future_days; }
};
[[nodiscard]] Fleet make_fleet(const FleetOptions& options);

// The fleet as calls in the neutral form of `lilith import neutral`, in order of time, without LF:
// shared things are commands, hosts and tools, private ones files below the developer's projects.
// Days are working days from Monday, 2026-03-02 on; `host_prefix` begins the hosts' names.
void write_fleet(const Fleet& fleet, std::string_view host_prefix,
                 const std::function<void(const std::string& line)>& emit);

}  // namespace lilith::test
