#pragma once

#include "audit/event.hpp"

#include <random>

namespace lilith::test {

// The egress denial that docs/event.md prints, every optional member of a decision set.
[[nodiscard]] audit::Event denied_egress();
[[nodiscard]] audit::Event allowed_command();
// An event with random members of random content, quotes, control characters and brackets among it.
[[nodiscard]] audit::Event random_event(std::mt19937& random);

}  // namespace lilith::test
