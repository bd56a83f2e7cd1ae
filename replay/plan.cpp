#include "replay/plan.hpp"

#include "audit/yaml/tree.hpp"
#include "replay/needs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lilith::replay {
namespace {

using Kind = Need::Kind;

// What a baseline teaches: not each file, but the project or directory that it is in.
std::string fact_of(const Need& need, const std::string& cwd) {
  static constexpr std::string_view kNames[] = {"tool ", "read ", "write ", "program ", "host "};
  const std::string kind(kNames[static_cast<std::size_t>(need.kind)]);
  if (need.kind != Kind::kRead && need.kind != Kind::kWrite) return kind + need.value;
  if (!cwd.empty() && need.value.starts_with(cwd)) return kind + cwd;
  // The first two directories.
  std::size_t end = 0;
  for (int level = 0; level < 3 && end != std::string::npos; ++level)
    end = need.value.find('/', end + 1);
  return kind + need.value.substr(0, end);
}

struct Facts {
  std::vector<std::vector<std::string>> of_call;
  std::vector<std::vector<Need>> needs;
};

Facts facts_of(const Recording& recording) {
  Facts out;
  for (const RecordedCall& recorded : recording.calls()) {
    std::vector<std::string> facts;
    auto needs = needs_of(recorded);
    if (!recorded.unknown) facts.push_back("tool " + recorded.tool);
    if (needs) {
      const std::string cwd = with_home(recorded.facts.cwd, recorded.facts);
      for (const Need& need : *needs) facts.push_back(fact_of(need, cwd));
    }
    out.of_call.push_back(std::move(facts));
    out.needs.push_back(needs ? std::move(*needs) : std::vector<Need>());
  }
  return out;
}

void accumulate(const Recording& recording, const Facts& facts, Plan& plan) {
  std::map<std::int32_t, std::set<std::uint32_t>> calls, developers;
  for (const Use& use : recording.uses()) {
    calls[use.day].insert(use.call);
    developers[use.day].insert(use.developer);
  }
  std::set<std::string> known;
  double developer_days = 0;
  for (const auto& [day, of_day] : calls) {
    PlanDay one;
    one.day = day;
    one.developers = developers[day].size();
    developer_days += static_cast<double>(one.developers);
    for (const std::uint32_t call : of_day) {
      for (const std::string& fact : facts.of_call[call])
        one.new_facts += known.insert(fact).second ? 1U : 0U;
    }
    one.known_facts = known.size();
    one.developer_days = developer_days;
    plan.days.push_back(one);
  }
}

void count_flips(const Recording& recording, const Judgement& judgement, Plan& plan) {
  const bool all_imported = recording.quality().imported == recording.quality().calls;
  std::map<std::uint32_t, std::uint64_t> denied;
  for (const Use& use : recording.uses()) {
    const Judgement::Verdict& verdict = judgement.verdicts[use.call];
    const std::size_t column = verdict.unknown ? 2 : verdict.deny ? 1 : 0;
    if (all_imported) {
      plan.flips[2][column] += use.events;
    } else {
      plan.flips[1][column] += use.blocked;
      plan.flips[0][column] += use.events - use.blocked;
    }
    if (verdict.deny) denied[verdict.target] += use.events;
  }
  for (const auto& [target, events] : denied)
    plan.top_denied.emplace_back(judgement.targets.text(target), events);
  std::ranges::sort(plan.top_denied, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  if (plan.top_denied.size() > kTopDenied) plan.top_denied.resize(kTopDenied);
}

void draw_heat_map(const Recording& recording, const Judgement& judgement, Plan& plan) {
  std::map<std::int32_t, std::size_t> column;
  for (const PlanDay& day : plan.days) column.emplace(day.day, column.size());
  std::vector<PlanDeveloper> rows(recording.developers().size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Developer& developer = recording.developers()[i];
    rows[i].name = developer.user + "@" + recording.hosts().text(developer.host);
    rows[i].blocks.assign(column.size(), -1);
  }
  std::set<std::tuple<std::uint32_t, std::int32_t, std::uint32_t>> seen;
  for (const Use& use : recording.uses()) {
    int& cell = rows[use.developer].blocks[column.at(use.day)];
    cell = std::max(cell, 0);
    const Judgement::Verdict& verdict = judgement.verdicts[use.call];
    if (verdict.deny && seen.emplace(use.developer, use.day, verdict.target).second) ++cell;
  }
  const auto total = [](const PlanDeveloper& one) {
    int out = 0;
    for (const int blocks : one.blocks) out += std::max(0, blocks);
    return out;
  };
  std::ranges::stable_sort(rows, [&](const PlanDeveloper& a, const PlanDeveloper& b) {
    const int left = total(a), right = total(b);
    return left != right ? left > right : a.name < b.name;
  });
  if (rows.size() > kHeatMapRows) {
    plan.developers_left_out = rows.size() - kHeatMapRows;
    rows.resize(kHeatMapRows);
  }
  plan.heat_map = std::move(rows);
}

std::string text_of(const yaml::Node& entry) {
  if (entry.kind == yaml::Node::Kind::kScalar) return entry.scalar;
  for (const auto& [key, value] : entry.members) {
    if (key.scalar == "host" || key.scalar == "name") return value.scalar;
  }
  return {};
}

// Every entry of the allow lists by the name that decisions give it, with its line.
std::map<std::string, int> allow_entries(std::string_view yaml) {
  std::vector<yaml::Problem> problems;
  const yaml::Node root = yaml::read(yaml, problems);
  std::map<std::string, int> out;
  const auto list = [&](const yaml::Node& map, std::string_view key, const std::string& prefix) {
    for (const auto& [name, value] : map.members) {
      if (name.scalar != key) continue;
      for (const yaml::Node& entry : value.items)
        out.emplace(fmt::format("{}.{}[\"{}\"]", prefix, key, text_of(entry)), entry.line);
    }
  };
  for (const auto& [section, body] : root.members) {
    if (section.scalar == "egress") list(body, "allowed_destinations", "egress");
    if (section.scalar != "tool_invocations") continue;
    for (const auto& [key, tools] : body.members) {
      if (key.scalar != "allowed_tools") continue;
      for (const yaml::Node& tool : tools.items) {
        const std::string prefix = "tool_invocations." + text_of(tool);
        list(tool, "path_allowlist", prefix);
        list(tool, "command_allowlist", prefix);
      }
    }
  }
  return out;
}

// An entry is used by every operation that it allows, not only by the one that a decision names: so
// each operation is asked by itself.
void count_rules(const Recording& recording, const rules::Policy& policy, const Facts& facts,
                 std::string_view yaml, Plan& plan) {
  std::vector<std::uint64_t> events(recording.calls().size());
  for (const Use& use : recording.uses()) events[use.call] += use.events;
  std::map<std::string, std::uint64_t> used;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const RecordedCall& recorded = recording.calls()[i];
    std::set<std::string> of_call;
    for (const Need& need : facts.needs[i]) {
      if (need.kind == Kind::kTool) continue;
      const audit::Call call = call_for(need, recorded.facts);
      const rules::Decision decision =
          need.kind == Kind::kHost
              ? rules::decide_connection(policy, need.value, need.port, need.protocol)
              : rules::decide(policy, {recorded.agent, "", ""}, rules::analyse(call),
                              recorded.facts);
      if (decision.verdict == audit::Verdict::kAllow) of_call.insert(decision.rule);
    }
    for (const std::string& rule : of_call) used[rule] += events[i];
  }
  for (const auto& [rule, line] : allow_entries(yaml))
    plan.allow_rules.push_back({rule, line, used[rule]});
  std::ranges::stable_sort(plan.allow_rules, {}, &PlanRule::calls);
}

std::string verdict_of(const Plan& plan) {
  std::string ready;
  for (const TeamGate& team : plan.gate.teams) {
    if (team.ready.empty()) continue;
    std::string sections;
    for (const std::string& section : team.ready)
      sections += (sections.empty() ? "" : " and ") + section;
    ready += (ready.empty() ? "" : "; ") + sections + " for " +
             (team.team == "all" ? "everyone" : "team " + team.team);
  }
  switch (plan.gate.readiness()) {
    case Readiness::kReady:
      return "Ready: every section can go to deny for everyone.";
    case Readiness::kTooFew:
      return "Not enough data to say" + (ready.empty() ? "." : "; ready now: " + ready + ".");
    case Readiness::kNotReady:
      break;
  }
  return "Not ready as a whole; " +
         (ready.empty() ? "nothing can be flipped now." : "ready now: " + ready + ".");
}

Result<std::optional<SuggestReport>> suggested(const Recording& recording,
                                               const rules::Policy& policy,
                                               const PlanOptions& options) {
  const std::vector<std::int32_t> days = recording.active_days();
  if (days.size() < 2) return std::optional<SuggestReport>();
  SuggestReport out;
  out.policy = options.policy_path;
  out.sha256 = policy.sha256();
  SuggestOptions of_all = options.suggest;
  of_all.days = {days.front(), days.back()};
  Random random(options.seed);
  auto held = hold_out(recording, policy, options.policy_yaml, of_all, halves_of(days), random);
  if (!held) return pass_error(held);
  out.hold_out = std::move(*held);
  auto all = suggest(recording, policy, options.policy_yaml, of_all);
  if (!all) return pass_error(all);
  out.suggested = std::move(*all);
  return std::optional<SuggestReport>(std::move(out));
}

}  // namespace

Result<Plan> make_plan(const Recording& recording, const PlanOptions& options) {
  const rules::PolicyLoad load = rules::load_policy(options.policy_yaml, options.policy_path);
  if (!load.policy)
    return fail(ErrorCode::kInvalidInput, options.policy_path + " is no valid policy");
  Plan out;
  out.policy = options.policy_path;
  out.sha256 = load.policy->sha256();
  out.seed = options.seed;
  out.quality = recording.quality();
  out.utc_offset_minutes = recording.utc_offset_minutes();
  out.hosts = recording.hosts().size();
  out.developers = recording.developers().size();
  auto gated = gate(recording, options.policy_path, options.policy_yaml, options.evidence,
                    options.limits, options.teams, options.seed);
  if (!gated) return pass_error(gated);
  out.gate = std::move(*gated);
  const Judgement judgement = judge(recording, *load.policy);
  Random random(options.seed);
  out.forecast = forecast(recording, judgement, options.evidence, random);
  out.forecast_sentence = sentence(out.forecast, options.policy_path, out.sha256);
  const Facts facts = facts_of(recording);
  accumulate(recording, facts, out);
  count_flips(recording, judgement, out);
  draw_heat_map(recording, judgement, out);
  count_rules(recording, *load.policy, facts, options.policy_yaml, out);
  auto suggestions = suggested(recording, *load.policy, options);
  if (!suggestions) return pass_error(suggestions);
  out.suggest = std::move(*suggestions);
  out.verdict = verdict_of(out);
  return out;
}

}  // namespace lilith::replay
