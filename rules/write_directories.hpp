#pragma once
// What a policy says about writing files, for a kernel that knows directories and no patterns.

#include "rules/policy.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {

// Directories that hold every path that write_file may be allowed for this user, without
// repetition; none: nothing may be written. nullopt: the policy does not keep writes to certain
// places (it only records, or allows by default).
[[nodiscard]] std::optional<std::vector<std::string>> write_directories(const Policy& policy,
                                                                        std::string_view user,
                                                                        std::string_view home);

}  // namespace lilith::rules
