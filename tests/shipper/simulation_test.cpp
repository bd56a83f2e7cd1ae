// Hundreds of lives of a shipper, each decided by one seed. LILITH_SIM_SEED=N runs one of them
// again, and with LILITH_LONG all from there on.

#include "tests/shipper/simulation.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <unistd.h>

namespace lilith::shipper {
namespace {

void add(SimulatedRun& sum, const SimulatedRun& one) {
  sum.events += one.events;
  sum.kills += one.kills;
  sum.stops += one.stops;
  sum.resets += one.resets;
  sum.repeats += one.repeats;
  sum.checkpoints += one.checkpoints;
  sum.disk_errors += one.disk_errors;
  sum.read_errors += one.read_errors;
  sum.withheld += one.withheld;
}

class ShipSimulation : public testing::Test {
 protected:
  // The worlds' files in memory, where there is such a place: a thousand checkpoints of a life each
  // wait for the disk.
  static void SetUpTestSuite() {
    constexpr const char* kMemory = "/dev/shm";
    if (::access(kMemory, W_OK) == 0) ::setenv("TMPDIR", kMemory, 0);
  }
};

TEST_F(ShipSimulation, EveryEventAtLeastOnceInOrderWhateverHappens) {
  const char* const one = std::getenv("LILITH_SIM_SEED");
  const std::uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  const bool longer = std::getenv("LILITH_LONG") != nullptr;
  constexpr std::uint64_t kLast = 10'000, kLastOfShortForm = 100;
  const std::uint64_t last = longer ? kLast : one != nullptr ? first : kLastOfShortForm;
  SimulatedRun sum;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("again with LILITH_SIM_SEED=" + std::to_string(seed));
    add(sum, World(seed).run());
    if (HasFailure()) break;
  }
  std::cout << "seeds " << first << " to " << last << ": " << sum.events << " events, " << sum.kills
            << " kills, " << sum.stops << " stops, " << sum.resets << " resets, " << sum.disk_errors
            << " full disks, " << sum.read_errors << " read errors, " << sum.checkpoints
            << " checkpoints, " << sum.repeats << " repeats, " << sum.withheld
            << " withheld and named\n";
  if (one == nullptr) {
    EXPECT_GT(sum.withheld, 0U);
  }
}

TEST_F(ShipSimulation, OneSeedIsOneLife) {
  for (const std::uint64_t seed : {3U, 4U, 5U}) {
    const SimulatedRun once = World(seed).run(), again = World(seed).run();
    EXPECT_EQ(once.fingerprint, again.fingerprint) << "seed " << seed;
    EXPECT_EQ(once.kills, again.kills) << "seed " << seed;
  }
}

}  // namespace
}  // namespace lilith::shipper
