#pragma once
// The smallest allow list that explains what was done in a baseline, with the evidence for every
// entry and what is risky about it. Nothing that was blocked, refused by a person, or that a block
// list names becomes evidence.

#include "replay/path_cut.hpp"
#include "replay/recording.hpp"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::replay {

enum class SuggestionKind { kTool, kReadPath, kWritePath, kCommand, kHost };
[[nodiscard]] std::string_view name(SuggestionKind kind);

// R1 names below it belong to strangers      R2 a directory that is still growing
// R3 one workstation only                    R4 one day only
// R5 an interpreter or launcher              R6 sensitive files were used below it
// R7 first used after a blocked attempt of the same session
// R8 used by a rare agent only               R9 what is written there is run from there
// R10 an address or an unusual port
// Why a suggestion is left to a person.
enum class Held {
  kNo,
  kRisk,     // one of R1, R5, R7, R10, which nobody accepted by name
  kSupport,  // too few workstations and days
  kProbe,    // it would open a secret: nobody can accept it
};

struct Suggestion {
  SuggestionKind kind = SuggestionKind::kTool;
  std::string value;     // a tool, a pattern, a program, a host or *.DOMAIN
  int port = 0;          // hosts
  std::string protocol;  // hosts
  Support support;
  std::size_t explains = 0;  // distinct paths or hosts
  std::vector<std::string> risks;
  std::map<std::string, std::uint64_t>
      sub_commands;  // programs; the grammar can't allow them apart
  Held held = Held::kNo;
  std::string why_not;  // in words
  [[nodiscard]] bool accepted() const { return held == Held::kNo; }
};

struct SuggestOptions {
  DayRange days;                            // to learn from
  std::vector<bool> developers;             // to learn from, by index; empty: all
  std::size_t min_hosts = 2, min_days = 3;  // either is enough
  std::set<std::string> accepted_risks;     // of R1, R5, R7, R10, which are held back without
};

struct SuggestedPolicy {
  std::vector<Suggestion> suggestions;  // accepted ones first, by calls
  std::string yaml;                     // the base with all accepted ones; loads
  std::uint64_t calls_denied = 0;       // by the base, in the learned days
  std::uint64_t calls_blocked = 0;      // of those, left out of the evidence: blocked or hazardous
};

// `base` is the policy to extend, `base_yaml` its text. An error when the base can't be extended.
[[nodiscard]] Result<SuggestedPolicy> suggest(const Recording& recording, const rules::Policy& base,
                                              std::string_view base_yaml,
                                              const SuggestOptions& options);

// The base's text with these entries. Order, lists and values of the base stay, its comments don't.
[[nodiscard]] Result<std::string> extend_policy(std::string_view base_yaml,
                                                const std::vector<const Suggestion*>& entries,
                                                std::string_view header);

// The comment lines that begin a suggested policy: what it was learned from.
[[nodiscard]] std::string provenance_header(DayRange days, std::string_view base_sha256);
// The first secret that a path suggestion opens in `extended` and that `base` did not; empty: none.
[[nodiscard]] std::string opened_secret(const Suggestion& suggestion, const rules::Policy& base,
                                        const rules::Policy& extended);

// "read path   ~/work/app/**": a suggestion in one line.
[[nodiscard]] std::string label_of(const Suggestion& suggestion);
// "12 calls, 3 sessions, 2 workstations, 2 days; R2 growing directory"
[[nodiscard]] std::string evidence_of(const Suggestion& suggestion);
[[nodiscard]] std::string_view risk_text(std::string_view code);

}  // namespace lilith::replay
