#pragma once
// Time, passed in wherever a test must steer it.

#include "audit/base/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace lilith {

// Microseconds since 1970-01-01T00:00:00Z.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;
using MonotonicTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime now() const = 0;
  [[nodiscard]] virtual MonotonicTime monotonic() const = 0;
};

// The machine's own clocks; lives as long as the program.
const Clock& system_clock();

// RFC 3339 in UTC with six digits of fraction: 2026-11-24T00:20:42.831204Z.
[[nodiscard]] std::string format_time(WallTime time);
// Reads RFC 3339 with 0-9 digits of fraction and Z or a numeric offset.
[[nodiscard]] Result<WallTime> parse_time(std::string_view text);

// RFC 9562 UUID version 7 from the time and ten bytes of randomness.
[[nodiscard]] std::string uuid_v7(WallTime time, const std::uint8_t (&random)[10]);
[[nodiscard]] std::string uuid_v7(WallTime time);  // randomness from getrandom(2)

}  // namespace lilith
