#pragma once
// Numbers about clustered counts: how many blocks an active developer-day has to expect, and at
// most how many with a stated confidence. Pure functions of tables and of a seeded generator; the
// same arguments give the same numbers on every machine.
//
// Why these and not others: calls of one developer on one day resemble each other, so that bounds
// over single events are wrong by the length of a burst. Whole hosts and whole days are resampled
// (Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007), and few blocks get a
// floor that no resampling can give. tests/fleet measures how often the bounds hold.

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace lilith::replay {

// The standard fixes the output of this engine; library distributions are not fixed and not used.
using Random = std::mt19937_64;

// Uniform in [0, bound); bound > 0.
[[nodiscard]] std::size_t random_index(Random& random, std::size_t bound);

// Blocks and active developer-days by host and day, row-major: cell (host, day) is at
// host * days + day.
struct Grid {
  Grid() = default;
  Grid(std::size_t host_count, std::size_t day_count)
      : hosts(host_count), days(day_count), blocks(hosts * days), active(hosts * days) {}
  std::size_t hosts = 0, days = 0;
  std::vector<double> blocks;  // distinct denied (tool, target) of each developer and day
  std::vector<double> active;  // developers with at least one call on that host and day
};

// Rates are blocks per active developer-day.
struct Bound {
  double blocks = 0, active = 0;
  double rate = 0;
  double bootstrap = 0;   // percentile of the two-way bootstrap
  double floor = 0;       // overdispersed count bound plus the spread of the days to come
  double upper = 0;       // the larger of both: the number to quote
  double dispersion = 1;  // variance / mean of the totals of days or hosts, at least 1
};

inline constexpr double kConfidence = 0.95;
inline constexpr std::size_t kBootstrapDraws = 1'000;

// Upper bound of the mean of a Poisson count (Garwood, Biometrika 28, 1936): the quantile of a
// gamma distribution with shape count + 1. count >= 0, 0 < confidence < 1.
[[nodiscard]] double count_upper(double count, double confidence);
// Quantile of the standard normal distribution.
[[nodiscard]] double normal_quantile(double probability);

// Percentile of the rate when hosts and days are drawn anew, each with replacement, and the weight
// of a cell is the product of both. 0 when there is no block.
[[nodiscard]] double two_way_bootstrap(const Grid& grid, double confidence, std::size_t draws,
                                       Random& random);

// The bound for the next `future_active` developer-days. `grid.active` must not be all zero.
[[nodiscard]] Bound upper_bound(const Grid& grid, double future_active, double confidence,
                                Random& random);

// Chance that a job of this period does not fall into a window: max(0, 1 - window / period).
[[nodiscard]] double cadence_blindness(double window_days, double period_days);

// Expected new kinds in the next unit by incidence Good-Turing: kinds seen in exactly one unit,
// divided by the number of units (Chao et al., Ecological Monographs 84, 2014).
[[nodiscard]] double good_turing_next(std::span<const std::uint32_t> units_of_kind,
                                      std::size_t units);

// How sure the largest rate among `developers` bounds the share `share` of all developers: 1 -
// share^developers (Wilks 1941). 59 developers for 95 % of them with 95 %.
[[nodiscard]] double worst_developer_confidence(std::size_t developers, double share);

}  // namespace lilith::replay
