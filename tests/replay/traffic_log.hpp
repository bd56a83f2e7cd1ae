#pragma once

#include "audit/event.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::test {

// Generated calls as a log has them, from several hosts: imported history among decisions of an
// earlier policy, refused calls, cut and redacted ones, events without a call, other events, and
// repeats. The chain is `chain`, its seqs begin with 1; the hashes are not real.
[[nodiscard]] std::vector<audit::Event> traffic_events(std::uint64_t seed, std::uint64_t calls,
                                                       std::string_view chain);
[[nodiscard]] std::string lines_of_events(const std::vector<audit::Event>& events);

// A small policy that denies some of them; `command` is one more that it allows.
[[nodiscard]] std::string small_policy(std::string_view command, std::string_view action = "deny");

}  // namespace lilith::test
