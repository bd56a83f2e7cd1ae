#pragma once
// Is it time to flip? Each section of the policy by itself and for each team: ready, not ready and
// why, or too few data to say. What is ready is checked once more together, since two sections that
// each stay below a limit need not do so both.

#include "replay/forecast.hpp"
#include "replay/teams.hpp"

#include <set>
#include <string>
#include <vector>

namespace lilith::replay {

struct GateLimits {
  double max_blocks = 0.5;           // upper bound of blocks per developer-day
  double max_share_over = 0.05;      // of developers above kWorstThreshold a day
  double max_unknown_share = 0.001;  // of calls that can't be decided again
};

enum class Readiness { kReady, kNotReady, kTooFew };
[[nodiscard]] std::string_view name(Readiness readiness);  // ready, not_ready, too_few_data

struct GateRow {
  std::string team;       // "all" for everyone
  std::string section;    // of the policy; "egress+tool_invocations" for the check together
  std::string operation;  // empty: the section; else one operation in it, which can't be flipped
                          // by itself and is for information
  Readiness readiness = Readiness::kTooFew;
  Forecast forecast;
  std::vector<std::string> reasons;  // why not
};

struct TeamGate {
  std::string team;
  std::vector<GateRow> rows;
  std::set<std::string> ready;  // sections that can be flipped together, now
  std::string staged_yaml;      // the policy that flips them, empty when there is none
};

struct GateReport {
  std::string policy, sha256;
  Case kind = Case::kFixed;  // of every row
  GateLimits limits;
  std::vector<TeamGate> teams;
  std::size_t without_team = 0;
  std::vector<std::string> notes;
  [[nodiscard]] Readiness readiness() const;  // not ready if any section is, then too few
};

// `policy_yaml` is the candidate's text, whose name stands in `policy_path`. An error when a staged
// policy would not load.
[[nodiscard]] Result<GateReport> gate(const Recording& recording, const std::string& policy_path,
                                      const std::string& policy_yaml, const Evidence& evidence,
                                      const GateLimits& limits, const std::vector<Team>& teams,
                                      std::uint64_t seed);

[[nodiscard]] std::string to_text(const GateReport& report);
[[nodiscard]] std::string to_json(const GateReport& report, std::uint64_t seed);

}  // namespace lilith::replay
