#pragma once
// What suggestions are worth: learned on earlier days, judged on later ones, never on their own.

#include "replay/forecast.hpp"
#include "replay/suggest.hpp"

#include <string>
#include <vector>

namespace lilith::replay {

struct BurnDown {
  std::size_t accepted = 0;  // suggestions, in the order of the list
  double blocks = 0;         // left on the held-out days
};

struct HoldOut {
  DayRange learned, tested;
  SuggestedPolicy policy;  // learned on `learned` alone
  std::uint64_t calls = 0, denied_by_base = 0, denied = 0, unknown = 0;
  // Of the denied, by the tool or operation that denies: what the learned days did not hold.
  std::map<std::string, std::uint64_t> denied_by_target;
  std::uint64_t denied_by_new_tools = 0;
  std::vector<BurnDown> burn_down;
  Forecast forecast;    // case learned; its `past` comes from learning anew for each window
  Forecast new_people;  // case new_people, for the same days
};

struct SuggestReport {
  std::string policy, sha256;
  HoldOut hold_out;
  SuggestedPolicy suggested;  // learned on all days: what is written
};

[[nodiscard]] Result<HoldOut> hold_out(const Recording& recording, const rules::Policy& base,
                                       std::string_view base_yaml, const SuggestOptions& options,
                                       Halves halves, Random& random);

// What the suggestions would cost the people who taught them, and those who did not: two sentences,
// since the two are never one number.
[[nodiscard]] std::string sentence_of_those_who_taught(const HoldOut& held);
[[nodiscard]] std::string sentence_of_new_people(const HoldOut& held);
[[nodiscard]] std::string to_text(const SuggestReport& report, std::size_t top);
[[nodiscard]] std::string to_json(const SuggestReport& report);

}  // namespace lilith::replay
