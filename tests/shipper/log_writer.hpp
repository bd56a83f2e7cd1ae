#pragma once

#include "audit/log.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lilith::test {

// Appends `count` decisions to the log through the real appender; returns every line that was
// written.
void append_events(const audit::LogOptions& options, std::size_t count);
[[nodiscard]] audit::LogOptions log_options(const std::string& path);
// All lines of the rotated files and the log, in order.
[[nodiscard]] std::vector<std::string> all_lines(const std::string& path);
// seq of an event line.
[[nodiscard]] std::uint64_t seq_of(const std::string& line);

// What a receiver saw, against what the log holds: every line at least once, nothing else, and in
// order: a line may come again, but none comes for the first time before an earlier one. Returns
// how many came more than once.
[[nodiscard]] std::size_t expect_at_least_once_in_order(const std::vector<std::string>& received,
                                                        const std::vector<std::string>& written);
// Octet-counted frames taken apart; a torn last frame is left out.
[[nodiscard]] std::vector<std::string> unframe(std::string_view stream);

}  // namespace lilith::test
