#pragma once
// The whole plan as one model: everything that a person needs to say yes or no to a flip. The pages
// (HTML, Markdown, JSON, SARIF, JUnit) only print it.

#include "replay/gate.hpp"
#include "replay/input.hpp"
#include "replay/suggest_report.hpp"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lilith::replay {

struct PlanDay {
  std::int32_t day = 0;
  std::size_t developers = 0;   // active
  std::size_t new_facts = 0;    // tools, programs, hosts and roots of files not seen before
  std::size_t known_facts = 0;  // all so far
  double developer_days = 0;    // so far
};

// Blocks of one developer by day; -1 where the developer was not active.
struct PlanDeveloper {
  std::string name;
  std::vector<int> blocks;
};

// Events by what was recorded (rows: allowed, denied, imported) and what the candidate says
// (columns: allow, deny, unknown).
using FlipMatrix = std::array<std::array<std::uint64_t, 3>, 3>;

struct PlanRule {
  std::string rule;
  int line = 0;  // in the policy
  std::uint64_t calls = 0;
};

struct Plan {
  std::string policy, sha256;
  std::string verdict;  // one sentence
  GateReport gate;
  Forecast forecast;  // of the whole candidate in deny
  std::string forecast_sentence;
  RecordingQuality quality;
  InputReport input;
  std::size_t hosts = 0, developers = 0;
  std::vector<PlanDay> days;
  std::vector<PlanDeveloper> heat_map;  // most blocks first
  std::size_t developers_left_out = 0;
  FlipMatrix flips{};
  std::vector<std::pair<std::string, std::uint64_t>> top_denied;  // targets by calls
  std::vector<PlanRule> allow_rules;     // every entry of the allow lists, least used first
  std::optional<SuggestReport> suggest;  // none when there are fewer than two days
  // For whoever wants the same report again.
  std::vector<std::pair<std::string, std::string>> inputs;  // file and SHA-256
  std::string command_line, version, suffix_list;
  std::uint64_t seed = 0;
  std::int32_t utc_offset_minutes = 0;
};

struct PlanOptions {
  std::string policy_path, policy_yaml;
  Evidence evidence;
  GateLimits limits;
  std::vector<Team> teams;
  SuggestOptions suggest;
  std::uint64_t seed = 1;
};

inline constexpr std::size_t kHeatMapRows = 40, kTopDenied = 20;

// Everything but inputs, command line and versions, which only the command knows.
[[nodiscard]] Result<Plan> make_plan(const Recording& recording, const PlanOptions& options);

[[nodiscard]] std::string to_html(const Plan& plan);
[[nodiscard]] std::string to_markdown(const Plan& plan);
[[nodiscard]] std::string to_json(const Plan& plan);
// SARIF 2.1.0: failed gates, risky suggestions and unused allow entries, at lines of the policy.
[[nodiscard]] std::string to_sarif(const Plan& plan);
// JUnit: one case per section and team.
[[nodiscard]] std::string to_junit(const Plan& plan);

}  // namespace lilith::replay
