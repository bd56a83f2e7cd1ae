#pragma once
// Whether one pattern of a policy matches everything that another one matches. The answers are
// one-sided: `true` is proved, `false` may be "not seen".

#include "rules/policy_model.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {

// A path pattern as components; a leading ~ or $HOME is one component of its own.
using PatternParts = std::vector<std::string>;
[[nodiscard]] PatternParts parts_of(std::string_view pattern);
[[nodiscard]] bool covers(const PatternParts& wide, const PatternParts& narrow);
[[nodiscard]] bool is_literal(std::string_view part);  // no wildcard and no $USER

// Hosts alone, and with ports and protocols as the lists read them.
[[nodiscard]] bool covers(const HostPattern& wide, const HostPattern& narrow);
[[nodiscard]] bool covers(const HostEntry& wide, bool wide_blocks, const HostEntry& narrow,
                          bool narrow_blocks);

// A path that the pattern matches for a user with this name and home; `filler` stands where the
// pattern leaves a name open. Empty: none is known.
[[nodiscard]] std::string path_for(std::string_view pattern, std::string_view user,
                                   std::string_view home, std::string_view filler);
// A text that a glob of `arguments` matches.
[[nodiscard]] std::string text_for(std::string_view glob, std::string_view filler);

}  // namespace lilith::rules
