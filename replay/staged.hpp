#pragma once
// The same policy with some sections in deny and the others in log, as text: comments, order and
// spelling stay, only the words behind `default_action` (and `mode`) change.
//
// The grammar flips sections and the file as a whole. A single tool can't be flipped by itself.

#include "audit/base/result.hpp"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::replay {

inline constexpr std::string_view kEgress = "egress", kTools = "tool_invocations";

// Sections of a policy that a gate can flip: those that are there with deny or log. A section with
// `allow` blocks what it names and nothing else, flipped or not.
[[nodiscard]] Result<std::vector<std::string>> sections_of(std::string_view policy_yaml);

// `in_deny` are names from sections_of(). `mode: audit` becomes `mode: enforce` when any is.
[[nodiscard]] Result<std::string> staged_policy(std::string_view policy_yaml,
                                                const std::set<std::string>& in_deny);

}  // namespace lilith::replay
