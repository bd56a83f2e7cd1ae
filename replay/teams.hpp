#pragma once
// Who belongs to which team: a YAML map of a team's name to globs over hosts, or over `user@host`.
// The first team that matches has the developer.

#include "audit/base/result.hpp"
#include "replay/recording.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lilith::replay {

struct Team {
  std::string name;  // letters, digits, - _ . : it becomes a file name
  std::vector<std::string> globs;
};

[[nodiscard]] Result<std::vector<Team>> read_teams(std::string_view yaml, std::string_view file);
// For each team one flag per developer of the recording; `left` is how many are in none.
[[nodiscard]] std::vector<std::vector<bool>> members_of(const std::vector<Team>& teams,
                                                        const Recording& recording,
                                                        std::size_t& left);

}  // namespace lilith::replay
