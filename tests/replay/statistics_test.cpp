#include "replay/statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace lilith::replay {
namespace {

// The exact bound is defined by: a Poisson variable of that mean is at most `count` with 5 %.
TEST(CountUpper, IsTheMeanAtWhichSoFewWouldBeRare) {
  for (const int count : {0, 1, 3, 10, 40}) {
    const double mean = count_upper(count, 0.95);
    double term = std::exp(-mean), tail = 0;
    for (int k = 0; k <= count; ++k) {
      tail += term;
      term *= mean / (k + 1);
    }
    EXPECT_NEAR(tail, 0.05, 1e-9) << count;
  }
  EXPECT_NEAR(count_upper(0, 0.95), -std::log(0.05), 1e-12);  // the rule of three: 2.996
}

TEST(NormalQuantile, OfTables) {
  EXPECT_NEAR(normal_quantile(0.95), 1.6448536, 1e-6);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-12);
}

TEST(CadenceBlindness, IsTheShareOfThePeriodOutsideTheWindow) {
  EXPECT_NEAR(cadence_blindness(14, 30), 0.5333, 1e-3);
  EXPECT_NEAR(cadence_blindness(14, 90), 0.8444, 1e-3);
  EXPECT_EQ(cadence_blindness(14, 7), 0);
}

TEST(WorstDeveloper, FiftyNineBoundNinetyFivePercentWithNinetyFive) {
  EXPECT_GE(worst_developer_confidence(59, 0.95), 0.95);
  EXPECT_LT(worst_developer_confidence(58, 0.95), 0.95);
}

// By hand: kinds seen on 1, 1, 2 and 4 of 4 days: 2 singletons over 4 days.
TEST(GoodTuring, CountsKindsOfOneUnit) {
  const std::uint32_t units[] = {1, 1, 2, 4};
  EXPECT_EQ(good_turing_next(units, 4), 0.5);
  EXPECT_EQ(good_turing_next({}, 0), 0);
}

TEST(RandomIndex, ReachesEveryIndexAndNoOther) {
  Random random(1);
  std::vector<int> seen(7);
  for (int i = 0; i < 7'000; ++i) ++seen.at(random_index(random, 7));
  for (const int count : seen) EXPECT_NEAR(count, 1'000, 150);
}

Grid uniform_grid(std::size_t hosts, std::size_t days, double blocks) {
  Grid grid(hosts, days);
  for (double& cell : grid.blocks) cell = blocks;
  for (double& cell : grid.active) cell = 1;
  return grid;
}

TEST(TwoWayBootstrap, OfEqualCellsIsTheRateItself) {
  Random random(1);
  EXPECT_NEAR(two_way_bootstrap(uniform_grid(6, 5, 2), 0.95, 200, random), 2, 1e-12);
}

// All blocks on one of ten hosts: that host is drawn 0 to 4 times, so that the bound is far above
// the rate of 1, and below what the host alone would say.
TEST(TwoWayBootstrap, SeesThatOneHostBearsItAll) {
  Grid grid = uniform_grid(10, 5, 0);
  for (std::size_t day = 0; day < 5; ++day) grid.blocks[day] = 10;
  Random random(1);
  const double upper = two_way_bootstrap(grid, 0.95, 1'000, random);
  EXPECT_GE(upper, 2);
  EXPECT_LE(upper, 10);
}

TEST(TwoWayBootstrap, SameSeedSameNumber) {
  Grid grid = uniform_grid(10, 5, 0);
  for (std::size_t cell = 0; cell < grid.blocks.size(); ++cell)
    grid.blocks[cell] = static_cast<double>(cell % 7);
  Random one(3), same(3), other(4);
  const double first = two_way_bootstrap(grid, 0.95, 500, one);
  EXPECT_EQ(first, two_way_bootstrap(grid, 0.95, 500, same));
  EXPECT_NE(first, two_way_bootstrap(grid, 0.95, 37, other));
}

TEST(UpperBound, OfNoBlockIsTheRuleOfThreeAndNotNothing) {
  Random random(1);
  const Bound bound = upper_bound(uniform_grid(10, 10, 0), 1e12, 0.95, random);
  EXPECT_EQ(bound.rate, 0);
  EXPECT_EQ(bound.bootstrap, 0);
  EXPECT_NEAR(bound.upper, 2.9957 / 100, 1e-4);
  EXPECT_EQ(bound.dispersion, 1);
}

TEST(UpperBound, GrowsWhenBlocksClusterOnADay) {
  Grid even = uniform_grid(10, 10, 0), clustered = even;
  for (std::size_t host = 0; host < 10; ++host) {
    for (std::size_t day = 0; day < 10; ++day) even.blocks[host * 10 + day] = host == day ? 4 : 0;
    clustered.blocks[host * 10] = 4;
  }
  Random one(1), two(1);
  const Bound a = upper_bound(even, 50, 0.95, one), b = upper_bound(clustered, 50, 0.95, two);
  EXPECT_EQ(a.blocks, b.blocks);
  EXPECT_EQ(a.dispersion, 1);
  EXPECT_NEAR(b.dispersion, 40, 1e-9);  // variance 160 over mean 4 of the totals of days
  EXPECT_GT(b.upper, 2 * a.upper);
}

}  // namespace
}  // namespace lilith::replay
