#pragma once

#include <string>
#include <string_view>

namespace lilith::enforcer::setup {

// A unified diff (three lines of context) of two texts; empty when they are the same. Lines are
// printed so that they can't drive a terminal.
[[nodiscard]] std::string unified_diff(std::string_view before, std::string_view after,
                                       std::string_view before_name, std::string_view after_name);

}  // namespace lilith::enforcer::setup
