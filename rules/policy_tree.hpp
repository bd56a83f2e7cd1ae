#pragma once
// From the policy's tree of values to the policy, for rules/ itself.

#include "audit/yaml/tree.hpp"
#include "rules/policy.hpp"

#include <string_view>

namespace lilith::rules {

// As load_policy(), after the YAML parser. `sha256` is that of the file's bytes.
[[nodiscard]] PolicyLoad load_policy_nodes(const yaml::Node& root, std::string_view sha256,
                                           std::string_view file_name);

}  // namespace lilith::rules
