#pragma once
// Case C: what a flip costs people who taught the policy nothing. Each workstation's calls are
// judged by what the others taught, on days that nobody taught.

#include "replay/forecast.hpp"
#include "replay/suggest.hpp"

#include <string_view>

namespace lilith::replay {

// Above so many workstations, several are left out together: learning anew costs time, and leaving
// out more than one can only raise the rate.
inline constexpr std::size_t kNewPeopleGroupsMax = 10;

// Learned anew on `halves.learned` without each workstation, tested on its calls of
// `halves.tested`. `refused` when fewer than two workstations were active on both sides, or too few
// to say anything.
[[nodiscard]] Result<Forecast> forecast_new_people(const Recording& recording,
                                                   const rules::Policy& base,
                                                   std::string_view base_yaml,
                                                   const SuggestOptions& options, Halves halves,
                                                   Random& random);

}  // namespace lilith::replay
