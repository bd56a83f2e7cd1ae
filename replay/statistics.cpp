#include "replay/statistics.hpp"

#include <algorithm>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <numeric>

namespace lilith::replay {
namespace {

double total(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// Sample variance over mean; 1 where it says nothing.
double dispersion_of(const std::vector<double>& totals) {
  if (totals.size() < 2) return 1;
  const double count = static_cast<double>(totals.size());
  const double mean = total(totals) / count;
  if (mean <= 0) return 1;
  double squares = 0;
  for (const double value : totals) squares += (value - mean) * (value - mean);
  return squares / (count - 1) / mean;
}

// Hosts and days without activity are no evidence of an even spread: they are left out.
double dispersion_of(const Grid& grid) {
  std::vector<double> by_host(grid.hosts), by_day(grid.days);
  std::vector<double> host_active(grid.hosts), day_active(grid.days);
  for (std::size_t host = 0; host < grid.hosts; ++host) {
    for (std::size_t day = 0; day < grid.days; ++day) {
      const std::size_t cell = host * grid.days + day;
      by_host[host] += grid.blocks[cell];
      by_day[day] += grid.blocks[cell];
      host_active[host] += grid.active[cell];
      day_active[day] += grid.active[cell];
    }
  }
  const auto active_only = [](const std::vector<double>& totals,
                              const std::vector<double>& activity) {
    std::vector<double> out;
    for (std::size_t i = 0; i < totals.size(); ++i) {
      if (activity[i] > 0) out.push_back(totals[i]);
    }
    return out;
  };
  return std::max({1.0, dispersion_of(active_only(by_host, host_active)),
                   dispersion_of(active_only(by_day, day_active))});
}

}  // namespace

std::size_t random_index(Random& random, std::size_t bound) {
  // Rejection of the uneven tail, so that every index is equally likely.
  const std::uint64_t limit = Random::max() - Random::max() % bound;
  std::uint64_t value = random();
  while (value >= limit) value = random();
  return static_cast<std::size_t>(value % bound);
}

double count_upper(double count, double confidence) {
  return boost::math::gamma_p_inv(count + 1, confidence);
}

double normal_quantile(double probability) {
  return std::sqrt(2.0) * boost::math::erf_inv(2 * probability - 1);
}

double two_way_bootstrap(const Grid& grid, double confidence, std::size_t draws, Random& random) {
  if (total(grid.blocks) <= 0) return 0;
  std::vector<double> rates;
  rates.reserve(draws);
  std::vector<double> day_weight(grid.days), host_weight(grid.hosts);
  for (std::size_t draw = 0; draw < draws; ++draw) {
    std::fill(day_weight.begin(), day_weight.end(), 0.0);
    std::fill(host_weight.begin(), host_weight.end(), 0.0);
    for (std::size_t i = 0; i < grid.days; ++i) ++day_weight[random_index(random, grid.days)];
    for (std::size_t i = 0; i < grid.hosts; ++i) ++host_weight[random_index(random, grid.hosts)];
    double blocks = 0, active = 0;
    for (std::size_t host = 0; host < grid.hosts; ++host) {
      if (host_weight[host] == 0) continue;
      for (std::size_t day = 0; day < grid.days; ++day) {
        const double weight = host_weight[host] * day_weight[day];
        blocks += weight * grid.blocks[host * grid.days + day];
        active += weight * grid.active[host * grid.days + day];
      }
    }
    if (active > 0) rates.push_back(blocks / active);
  }
  if (rates.empty()) return 0;
  const auto rank =
      static_cast<std::size_t>(std::ceil(confidence * static_cast<double>(rates.size() + 1)));
  const std::size_t index = std::min(std::max<std::size_t>(rank, 1), rates.size()) - 1;
  std::nth_element(rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(index), rates.end());
  return rates[index];
}

Bound upper_bound(const Grid& grid, double future_active, double confidence, Random& random) {
  Bound out;
  out.blocks = total(grid.blocks);
  out.active = total(grid.active);
  out.rate = out.blocks / out.active;
  out.bootstrap = two_way_bootstrap(grid, confidence, kBootstrapDraws, random);
  out.dispersion = dispersion_of(grid);
  const double mean =
      out.dispersion * count_upper(std::ceil(out.blocks / out.dispersion), confidence);
  out.floor = mean / out.active +
              normal_quantile(confidence) *
                  std::sqrt(mean * out.dispersion / (out.active * std::max(1.0, future_active)));
  out.upper = std::max(out.bootstrap, out.floor);
  return out;
}

double cadence_blindness(double window_days, double period_days) {
  return std::max(0.0, 1 - window_days / period_days);
}

double good_turing_next(std::span<const std::uint32_t> units_of_kind, std::size_t units) {
  if (units == 0) return 0;
  const auto singles = std::count(units_of_kind.begin(), units_of_kind.end(), 1U);
  return static_cast<double>(singles) / static_cast<double>(units);
}

double worst_developer_confidence(std::size_t developers, double share) {
  return 1 - std::pow(share, static_cast<double>(developers));
}

}  // namespace lilith::replay
