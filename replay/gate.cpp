#include "replay/gate.hpp"

#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "replay/staged.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace lilith::replay {
namespace {

struct Context {
  const Recording& recording;
  const std::string& policy_path;
  const std::string& policy_yaml;
  const Evidence& evidence;
  const GateLimits& limits;
  std::uint64_t seed;
};

std::string joined(const std::set<std::string>& sections) {
  std::string out;
  for (const std::string& section : sections) out += (out.empty() ? "" : "+") + section;
  return out;
}

// What the policy with these sections in deny says of every call.
Result<Judgement> judge_staged(const Context& context, const std::set<std::string>& in_deny) {
  auto text = staged_policy(context.policy_yaml, in_deny);
  if (!text) return pass_error(text);
  const rules::PolicyLoad load = rules::load_policy(*text, context.policy_path);
  if (load.policy) return judge(context.recording, *load.policy);
  std::string why = "a policy with " + joined(in_deny) + " in deny does not load";
  for (const rules::Diagnostic& one : load.diagnostics) {
    if (one.severity == rules::Severity::kError) why += "\n" + rules::to_string(one);
  }
  return fail(ErrorCode::kInvalidInput, why);
}

void measure(const Context& context, const Judgement& judgement,
             const std::vector<bool>& developers, GateRow& row) {
  Selection selection;
  selection.enforced_only = true;
  selection.group = row.operation;
  selection.developers = developers;
  Random random(context.seed);
  const Evidence& evidence = context.evidence;
  row.forecast = forecast(context.recording, judgement, evidence, random, selection);
  const Forecast& f = row.forecast;
  if (!f.refused.empty()) {
    row.reasons.push_back(f.refused);
    return;
  }
  if (f.bound.upper > context.limits.max_blocks) {
    row.reasons.push_back(fmt::format("at most {:.3f} blocks per developer-day, allowed are {:g}",
                                      f.bound.upper, context.limits.max_blocks));
  }
  const double over = static_cast<double>(f.developers_over) / static_cast<double>(f.developers);
  if (over > context.limits.max_share_over) {
    row.reasons.push_back(fmt::format("{} of {} developers above {:g} a day, allowed are {:g} %",
                                      f.developers_over, f.developers, kWorstThreshold,
                                      100 * context.limits.max_share_over));
  }
  const double unknown =
      f.events == 0 ? 0 : static_cast<double>(f.events_unknown) / static_cast<double>(f.events);
  if (unknown > context.limits.max_unknown_share) {
    row.reasons.push_back(fmt::format("{} of {} calls can't be decided, allowed are {:g} %",
                                      f.events_unknown, f.events,
                                      100 * context.limits.max_unknown_share));
  }
  row.readiness = row.reasons.empty() ? Readiness::kReady : Readiness::kNotReady;
}

std::vector<std::string> operations_in(const Judgement& judgement) {
  std::set<std::string> out;
  for (const Judgement::Verdict& verdict : judgement.verdicts) {
    if (verdict.blocks) out.insert(judgement.groups.text(verdict.group));
  }
  return {out.begin(), out.end()};
}

// Ready sections together; the one that costs most is put back until the rest stays below.
Result<void> check_together(const Context& context, const std::vector<bool>& developers,
                            TeamGate& team) {
  while (team.ready.size() > 1) {
    auto judgement = judge_staged(context, team.ready);
    if (!judgement) return pass_error(judgement);
    GateRow row;
    row.team = team.team;
    row.section = joined(team.ready);
    measure(context, *judgement, developers, row);
    const bool good = row.readiness == Readiness::kReady;
    team.rows.push_back(std::move(row));
    if (good) return {};
    std::string worst;
    double worst_rate = -1;
    for (const GateRow& one : team.rows) {
      if (!one.operation.empty() || !team.ready.contains(one.section)) continue;
      if (one.forecast.bound.rate > worst_rate) {
        worst_rate = one.forecast.bound.rate;
        worst = one.section;
      }
    }
    team.ready.erase(worst);
  }
  return {};
}

Result<TeamGate> gate_team(const Context& context, const std::string& name,
                           const std::vector<bool>& developers,
                           const std::map<std::string, Judgement>& by_section) {
  TeamGate out;
  out.team = name;
  for (const auto& [section, judgement] : by_section) {
    GateRow row;
    row.team = name;
    row.section = section;
    measure(context, judgement, developers, row);
    if (row.readiness == Readiness::kReady) out.ready.insert(section);
    out.rows.push_back(std::move(row));
    if (section == kEgress) continue;  // has one operation only
    for (const std::string& operation : operations_in(judgement)) {
      GateRow part;
      part.team = name;
      part.section = section;
      part.operation = operation;
      measure(context, judgement, developers, part);
      out.rows.push_back(std::move(part));
    }
  }
  if (auto checked = check_together(context, developers, out); !checked) return pass_error(checked);
  if (out.ready.empty()) return out;
  auto text = staged_policy(context.policy_yaml, out.ready);
  if (!text) return pass_error(text);
  out.staged_yaml =
      fmt::format(
          "# In deny for {}: {}. Made by lilith replay gate from a policy with sha256\n# {}\n",
          name == "all" ? "everyone" : "team " + name, joined(out.ready), "{SHA256}") +
      *text;
  return out;
}

std::string rate(const Forecast& f) {
  if (!f.refused.empty()) return fmt::format("{:>8} {:>8}", "-", "-");
  return fmt::format("{:>8.3f} {:>8.3f}", f.bound.rate, f.bound.upper);
}

void write_row(json::Writer& writer, const GateRow& row) {
  writer.begin_object().member("section", row.section);
  if (!row.operation.empty()) writer.member("operation", row.operation);
  writer.member("readiness", name(row.readiness));
  const Forecast& f = row.forecast;
  writer.member("developer_days", f.developer_days)
      .member("hosts", static_cast<std::uint64_t>(f.hosts))
      .member("developers", static_cast<std::uint64_t>(f.developers))
      .member("blocks", f.bound.blocks);
  if (row.readiness != Readiness::kTooFew)
    writer.member("rate", f.bound.rate).member("upper95", f.bound.upper);
  writer.key("reasons").begin_array();
  for (const std::string& reason : row.reasons) writer.value(reason);
  writer.end_array().end_object();
}

}  // namespace

std::string_view name(Readiness readiness) {
  switch (readiness) {
    case Readiness::kReady:
      return "ready";
    case Readiness::kNotReady:
      return "not_ready";
    case Readiness::kTooFew:
      break;
  }
  return "too_few_data";
}

Readiness GateReport::readiness() const {
  bool failed = false, too_few = false, any = false;
  for (const TeamGate& team : teams) {
    for (const GateRow& row : team.rows) {
      if (!row.operation.empty()) continue;
      any = true;
      failed = failed || row.readiness == Readiness::kNotReady;
      too_few = too_few || row.readiness == Readiness::kTooFew;
    }
  }
  if (failed) return Readiness::kNotReady;
  return too_few || !any ? Readiness::kTooFew : Readiness::kReady;
}

Result<GateReport> gate(const Recording& recording, const std::string& policy_path,
                        const std::string& policy_yaml, const Evidence& evidence,
                        const GateLimits& limits, const std::vector<Team>& teams,
                        std::uint64_t seed) {
  const Context context{recording, policy_path, policy_yaml, evidence, limits, seed};
  const rules::PolicyLoad load = rules::load_policy(policy_yaml, policy_path);
  if (!load.policy) return fail(ErrorCode::kInvalidInput, policy_path + " is no valid policy");
  GateReport out;
  out.policy = policy_path;
  out.sha256 = load.policy->sha256();
  out.limits = limits;
  out.kind = evidence.kind;
  out.notes = evidence.notes;
  auto sections = sections_of(policy_yaml);
  if (!sections) return pass_error(sections);
  if (sections->empty()) {
    return fail(ErrorCode::kInvalidInput,
                policy_path +
                    " has no section with default_action deny or log: there is nothing "
                    "to flip");
  }
  std::map<std::string, Judgement> by_section;
  for (const std::string& section : *sections) {
    auto judgement = judge_staged(context, {section});
    if (!judgement) return pass_error(judgement);
    by_section.emplace(section, std::move(*judgement));
  }
  const auto members = members_of(teams, recording, out.without_team);
  if (teams.empty()) out.without_team = 0;
  auto everyone = gate_team(context, "all", {}, by_section);
  if (!everyone) return pass_error(everyone);
  out.teams.push_back(std::move(*everyone));
  for (std::size_t i = 0; i < teams.size(); ++i) {
    auto team = gate_team(context, teams[i].name, members[i], by_section);
    if (!team) return pass_error(team);
    out.teams.push_back(std::move(*team));
  }
  for (TeamGate& team : out.teams) {
    const std::size_t mark = team.staged_yaml.find("{SHA256}");
    if (mark != std::string::npos) team.staged_yaml.replace(mark, 8, out.sha256);
  }
  return out;
}

std::string to_text(const GateReport& report) {
  std::string out = fmt::format(
      "Gate of {}\n  sha256 {}\n  limits: at most {:g} blocks per developer-day (upper bound, {:g} "
      "%), {:g} % of developers above {:g} a day, {:g} % of calls unknown\n",
      report.policy, report.sha256, report.limits.max_blocks, 100 * kConfidence,
      100 * report.limits.max_share_over, kWorstThreshold, 100 * report.limits.max_unknown_share);
  out += fmt::format("  case: {}\n", name(report.kind));
  for (const std::string& note : report.notes) out += "  note: " + printable(note) + "\n";
  if (report.without_team > 0)
    out += fmt::format("  note: {} developers are in no team\n", report.without_team);
  for (const TeamGate& team : report.teams) {
    out += fmt::format("\n{}\n  {:<34} {:<13} {:>8} {:>8} {:>8}\n",
                       team.team == "all" ? "Everyone" : "Team " + team.team, "section", "", "rate",
                       "at most", "dev-days");
    for (const GateRow& row : team.rows) {
      const std::string label = row.operation.empty() ? row.section : "  of it " + row.operation;
      std::string state(row.operation.empty() ? name(row.readiness) : "");
      std::ranges::replace(state, '_', ' ');
      out += fmt::format("  {:<34} {:<13} {} {:>8.0f}\n", label, state, rate(row.forecast),
                         row.forecast.developer_days);
      if (!row.operation.empty()) continue;
      for (const std::string& reason : row.reasons) out += "      " + reason + "\n";
    }
    out +=
        team.ready.empty() ? "  ready now: nothing\n" : "  ready now: " + joined(team.ready) + "\n";
  }
  std::string state(name(report.readiness()));
  std::ranges::replace(state, '_', ' ');
  return out + "\nGate: " + state + ".\n";
}

std::string to_json(const GateReport& report, std::uint64_t seed) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object()
      .member("policy", report.policy)
      .member("sha256", report.sha256)
      .member("seed", seed)
      .member("case", name(report.kind))
      .member("readiness", name(report.readiness()));
  writer.key("limits").begin_object();
  writer.member("max_blocks", report.limits.max_blocks)
      .member("max_share_over", report.limits.max_share_over)
      .member("max_unknown_share", report.limits.max_unknown_share)
      .end_object();
  writer.member("developers_without_team", static_cast<std::uint64_t>(report.without_team));
  writer.key("notes").begin_array();
  for (const std::string& note : report.notes) writer.value(note);
  writer.end_array().key("teams").begin_array();
  for (const TeamGate& team : report.teams) {
    writer.begin_object().member("team", team.team).key("ready").begin_array();
    for (const std::string& section : team.ready) writer.value(section);
    writer.end_array().key("rows").begin_array();
    for (const GateRow& row : team.rows) write_row(writer, row);
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
  out.push_back('\n');
  return out;
}

}  // namespace lilith::replay
