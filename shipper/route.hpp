#pragma once
// Which events a sink gets, when it is not to get all.

#include "shipper/line.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::shipper {

// An empty list matches everything in `only`, and nothing in `except`.
struct Match {
  std::vector<std::string> category, action, agent;

  friend bool operator==(const Match&, const Match&) = default;
};

struct Route {
  Match only, except;
  // Of decisions that were allowed, one in so many is sent; no others are ever sampled.
  std::uint64_t allowed_one_in = 1;

  [[nodiscard]] bool takes_all() const { return *this == Route{}; }
  friend bool operator==(const Route&, const Route&) = default;
};

// Whether the sink gets this event line. Action and agent are asked of decisions and history only,
// category of every event. What cannot be read is sent. The sample is by the event's id, so that a
// repeat, another sink and another shipper choose the same: the first eight bytes of SHA-256 of
// `lilith.id`, big-endian, divided by the number leave no remainder.
[[nodiscard]] bool sends(const Route& route, const LineFields& fields);
[[nodiscard]] inline bool sends(const Route& route, std::string_view line) {
  return sends(route, scan_line(line));
}

}  // namespace lilith::shipper
