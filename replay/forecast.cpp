#include "replay/forecast.hpp"

#include "replay/provenance.hpp"
#include "replay/teams.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

namespace lilith::replay {
namespace {

// One block: a developer, a day, and what was denied.
using Block = std::tuple<std::uint32_t, std::int32_t, std::uint32_t>;

bool selected(const Selection& selection, std::uint32_t developer) {
  return (selection.developers.empty() || selection.developers[developer]) &&
         (selection.taught.empty() || !selection.taught[developer]);
}

// Rows and columns of a range: the hosts and days on which a selected developer was active.
struct Frame {
  std::vector<std::int32_t> days;
  std::map<std::uint32_t, std::size_t> row_of_host;
  [[nodiscard]] std::size_t column(std::int32_t day) const {
    return static_cast<std::size_t>(std::ranges::lower_bound(days, day) - days.begin());
  }
};

Frame frame_of(const Recording& recording, DayRange range, const Selection& selection) {
  Frame out;
  std::set<std::int32_t> days;
  for (const Use& use : recording.uses()) {
    if (!range.contains(use.day) || !selected(selection, use.developer)) continue;
    days.insert(use.day);
    out.row_of_host.emplace(recording.developers()[use.developer].host, 0);
  }
  out.days.assign(days.begin(), days.end());
  std::size_t row = 0;
  for (auto& [host, index] : out.row_of_host) index = row++;
  return out;
}

template <class BlockOf>
Grid make_grid(const Recording& recording, DayRange range, const Selection& selection,
               BlockOf block_of) {
  const Frame frame = frame_of(recording, range, selection);
  Grid grid(frame.row_of_host.size(), frame.days.size());
  std::set<std::pair<std::uint32_t, std::int32_t>> active;
  std::set<Block> blocks;
  for (const Use& use : recording.uses()) {
    if (!range.contains(use.day) || !selected(selection, use.developer)) continue;
    active.emplace(use.developer, use.day);
    if (const std::optional<std::uint32_t> target = block_of(use)) {
      blocks.emplace(use.developer, use.day, *target);
    }
  }
  const auto cell = [&](std::uint32_t developer, std::int32_t day) {
    return frame.row_of_host.at(recording.developers()[developer].host) * grid.days +
           frame.column(day);
  };
  for (const auto& [developer, day] : active) grid.active[cell(developer, day)] += 1;
  for (const auto& [developer, day, target] : blocks) grid.blocks[cell(developer, day)] += 1;
  return grid;
}

// What a candidate blocks of a use, or nothing.
std::optional<std::uint32_t> block_of(const Judges& judges, const Selection& selection,
                                      const Use& use) {
  const Judgement& judgement = judges.of(use.developer);
  const Judgement::Verdict& verdict = judgement.verdicts[use.call];
  if (!(selection.enforced_only ? verdict.blocks : verdict.deny)) return std::nullopt;
  if (!selection.group.empty() && judgement.groups.text(verdict.group) != selection.group)
    return std::nullopt;
  return verdict.target;
}

std::string developer_name(const Recording& recording, std::uint32_t developer) {
  const Developer& one = recording.developers()[developer];
  return one.user + "@" + recording.hosts().text(one.host);
}

void count_uses(const Recording& recording, const Judges& judges, const Selection& selection,
                Forecast& out) {
  std::set<std::uint32_t> sessions, blocked_sessions;
  for (const Use& use : recording.uses()) {
    if (!out.tested.contains(use.day) || !selected(selection, use.developer)) continue;
    out.events += use.events;
    sessions.insert(use.session);
    if (judges.verdict(use).unknown) out.events_unknown += use.events;
    if (block_of(judges, selection, use)) {
      out.events_denied += use.events;
      blocked_sessions.insert(use.session);
    }
  }
  out.sessions = sessions.size();
  out.sessions_blocked = blocked_sessions.size();
}

// Who bears the blocks: the worst developer, and the host with most of them.
void count_people(const Recording& recording, const Judges& judges, const Selection& selection,
                  Forecast& out) {
  std::map<std::uint32_t, std::set<std::int32_t>> days;
  std::set<Block> blocks;
  for (const Use& use : recording.uses()) {
    if (!out.tested.contains(use.day) || !selected(selection, use.developer)) continue;
    days[use.developer].insert(use.day);
    if (const auto target = block_of(judges, selection, use))
      blocks.emplace(use.developer, use.day, *target);
  }
  out.developers = days.size();
  std::map<std::uint32_t, double> by_developer, by_host, host_days;
  for (const auto& [developer, day, target] : blocks) {
    by_developer[developer] += 1;
    by_host[recording.developers()[developer].host] += 1;
  }
  for (const auto& [developer, active] : days) {
    const double count = static_cast<double>(active.size());
    host_days[recording.developers()[developer].host] += count;
    const double rate = by_developer[developer] / count;
    if (rate > kWorstThreshold) ++out.developers_over;
    if (rate > out.worst_rate) {
      out.worst_rate = rate;
      out.worst_developer = developer_name(recording, developer);
    }
  }
  out.worst_confidence = worst_developer_confidence(days.size(), 0.95);
  const double all = static_cast<double>(blocks.size());
  for (const auto& [host, count] : by_host) {
    if (count / all <= out.top_host_share) continue;
    out.top_host_share = count / all;
    out.top_host = recording.hosts().text(host);
    const double others = out.developer_days - host_days[host];
    out.rate_without_top_host = others > 0 ? (all - count) / others : 0;
  }
}

void find_new_tools(const Recording& recording, const Judges& judges, const Selection& selection,
                    Forecast& out) {
  if (out.learned.empty()) return;
  std::set<std::string> known;
  for (const Use& use : recording.uses()) {
    const bool taught = selection.taught.empty() || selection.taught[use.developer];
    if (taught && out.learned.contains(use.day)) known.insert(recording.calls()[use.call].tool);
  }
  std::map<std::string, NewTool> tools;
  std::map<std::string, std::set<std::uint32_t>> developers;
  std::map<std::string, std::set<Block>> blocks;
  for (const Use& use : recording.uses()) {
    const std::string& tool = recording.calls()[use.call].tool;
    if (!out.tested.contains(use.day) || !selected(selection, use.developer) || tool.empty() ||
        known.contains(tool))
      continue;
    NewTool& one = tools.try_emplace(tool, NewTool{tool, use.day, 0, 0, 0}).first->second;
    one.first_day = std::min(one.first_day, use.day);
    one.events += use.events;
    developers[tool].insert(use.developer);
    if (const auto target = block_of(judges, selection, use))
      blocks[tool].emplace(use.developer, use.day, *target);
  }
  double of_new_tools = 0;
  for (auto& [tool, one] : tools) {
    one.developers = developers[tool].size();
    one.blocks = static_cast<double>(blocks[tool].size());
    of_new_tools += one.blocks;
    out.new_tools.push_back(one);
  }
  std::ranges::sort(out.new_tools, [](const NewTool& a, const NewTool& b) {
    return std::tuple(-a.blocks, a.tool) < std::tuple(-b.blocks, b.tool);
  });
  if (out.developer_days > 0)
    out.rate_without_new_tools =
        std::max(0.0, out.bound.blocks - of_new_tools) / out.developer_days;
}

double sum(const std::vector<double>& values) {
  double out = 0;
  for (const double value : values) out += value;
  return out;
}

// Calendar days from the first that counts as baseline to the last.
double window_days(const Forecast& f) {
  return f.tested.last - (f.learned.empty() ? f.tested.first : f.learned.first) + 1;
}

std::string too_few(const Forecast& f) {
  if (f.developer_days >= kTestDeveloperDaysMin && f.days >= kTestDaysMin &&
      f.hosts >= kTestHostsMin)
    return {};
  return fmt::format(
      "{:.0f} developer-days on {} days and {} hosts can be judged; an interval needs at least "
      "{:.0f} developer-days on {} days and {} hosts",
      f.developer_days, f.days, f.hosts, kTestDeveloperDaysMin, kTestDaysMin, kTestHostsMin);
}

}  // namespace

std::string_view name(Case kind) {
  switch (kind) {
    case Case::kFixed:
      return "fixed";
    case Case::kLearned:
      return "learned";
    case Case::kNewPeople:
      break;
  }
  return "new_people";
}

Judges::Judges(const std::vector<Judgement>& judgements, std::vector<std::uint32_t> of_developer)
    : of_developer_(std::move(of_developer)) {
  for (const Judgement& one : judgements) judgements_.push_back(&one);
}

Grid grid_of(const Recording& recording, const Judges& judges, DayRange days,
             const Selection& selection) {
  return make_grid(recording, days, selection,
                   [&](const Use& use) { return block_of(judges, selection, use); });
}

Grid recorded_blocks(const Recording& recording, DayRange days, const Selection& selection) {
  return make_grid(recording, days, selection, [&](const Use& use) -> std::optional<std::uint32_t> {
    if (use.blocked == 0) return std::nullopt;
    if (!selection.group.empty() &&
        audit::name(recording.calls()[use.call].call.kind) != selection.group)
      return std::nullopt;
    return use.call;
  });
}

Halves halves_of(const std::vector<std::int32_t>& active_days) {
  Halves out;
  if (active_days.size() < 2) return out;
  const std::size_t half = active_days.size() / 2;
  out.learned = {active_days.front(), active_days[half - 1]};
  out.tested = {active_days[half], active_days.back()};
  return out;
}

Forecast forecast(const Recording& recording, const Judges& judges, Case kind, DayRange learned,
                  DayRange tested, Random& random, const Selection& selection) {
  Forecast out;
  out.kind = kind;
  out.learned = learned;
  out.tested = tested;
  const Grid grid = grid_of(recording, judges, tested, selection);
  out.hosts = grid.hosts;
  out.days = grid.days;
  out.developer_days = sum(grid.active);
  out.bound.blocks = sum(grid.blocks);
  out.bound.active = out.developer_days;
  count_uses(recording, judges, selection, out);
  count_people(recording, judges, selection, out);
  find_new_tools(recording, judges, selection, out);
  out.now_known = recording.quality().imported < recording.quality().calls;
  if (out.now_known && out.developer_days > 0)
    out.now = sum(recorded_blocks(recording, tested, selection).blocks) / out.developer_days;
  out.refused = too_few(out);
  if (!out.refused.empty()) return out;
  const double per_day = out.developer_days / static_cast<double>(out.days);
  out.bound = upper_bound(grid, per_day * kWorkingDaysAhead, kConfidence, random);
  return out;
}

std::vector<PastBound> past_bounds(const std::vector<std::int32_t>& active_days, Case kind,
                                   const Judge& judge, Random& random) {
  std::vector<PastBound> out;
  const auto window = [&](std::size_t index) {
    const std::size_t begin = index * kPastWindowDays;
    return DayRange{active_days[begin], active_days[begin + kPastWindowDays - 1]};
  };
  const std::size_t windows = active_days.size() / kPastWindowDays;
  // A learned policy needs a window to learn from before the one it is tested on.
  const std::size_t begin = kind == Case::kFixed ? 0 : 1;
  for (std::size_t i = begin; i + 1 < windows; ++i) {
    const DayRange tested = window(i), next = window(i + 1);
    const DayRange before =
        begin == 0 ? DayRange{} : DayRange{active_days.front(), window(i - 1).last};
    const Grid made_on = judge(before, tested);
    const Grid came =
        judge(begin == 0 ? DayRange{} : DayRange{active_days.front(), tested.last}, next);
    const double future = sum(came.active);
    if (sum(made_on.active) <= 0 || future <= 0) continue;
    PastBound one;
    one.made_on = tested;
    one.held_on = next;
    one.upper = upper_bound(made_on, future, kConfidence, random).upper;
    one.came = sum(came.blocks) / future;
    out.push_back(one);
  }
  return out;
}

namespace {

// Case C: `all` are the days of the recording.
Result<Evidence> new_people(const Recording& recording, DayRange all,
                            std::optional<std::int32_t> learned_until,
                            const std::vector<std::string>& taught_by) {
  Evidence out;
  std::size_t others = 0;
  out.kind = Case::kNewPeople;
  out.taught = members_of({{"taught", taught_by}}, recording, others).front();
  const std::size_t taught = out.taught.size() - others;
  if (taught == 0) {
    return fail(ErrorCode::kInvalidInput,
                "--taught-by names nobody in these logs; if the policy was made without any of "
                "them, leave it out: then all days of everybody are evidence");
  }
  out.learned = {all.first, std::max(all.first, learned_until.value_or(all.last))};
  out.tested = learned_until ? DayRange{*learned_until + 1, all.last} : all;
  if (others == 0) {
    out.refused = "everybody in these logs taught the policy: nobody is new";
  } else if (out.tested.empty()) {
    out.refused = "the policy was learned on days to " + format_day(*learned_until) +
                  ", and no later day is in the logs";
  } else if (!learned_until) {
    out.notes.push_back(
        "days on which others taught the policy count as well: what was new to everybody then, as "
        "a new version of an agent, it knows; --learned-until DAY counts later days only");
  }
  out.notes.push_back(fmt::format("{} of {} developers taught the policy and are not judged",
                                  taught, out.taught.size()));
  return out;
}

}  // namespace

Forecast forecast(const Recording& recording, const Judges& judges, const Evidence& evidence,
                  Random& random, const Selection& selection) {
  Selection of_it = selection;
  of_it.taught = evidence.taught;
  Forecast out =
      forecast(recording, judges, evidence.kind, evidence.learned, evidence.tested, random, of_it);
  if (!evidence.refused.empty()) out.refused = evidence.refused;
  return out;
}

Result<Evidence> evidence_for(const Recording& recording, const std::string& policy_path,
                              std::string_view learned_until,
                              const std::vector<std::string>& taught_by) {
  auto provenance = provenance_of(policy_path, learned_until);
  if (!provenance) return pass_error(provenance);
  Evidence out;
  const std::vector<std::int32_t> days = recording.active_days();
  if (days.empty()) {
    out.refused = "the logs hold no calls";
    return out;
  }
  const DayRange all{days.front(), days.back()};
  if (!taught_by.empty()) return new_people(recording, all, provenance->learned_until, taught_by);
  if (!provenance->learned_until) {
    out.tested = all;
    if (provenance->changed_day && *provenance->changed_day >= all.first) {
      out.notes.push_back(
          "the policy's file changed on " + format_day(*provenance->changed_day) +
          ", after these days began; if it was tuned on them, say --learned-until DAY, else this "
          "number is an in-sample one");
    }
    return out;
  }
  const std::int32_t until = *provenance->learned_until;
  out.kind = Case::kLearned;
  out.learned = {std::min(all.first, until), until};
  out.tested = {until + 1, all.last};
  if (until >= all.last) {
    out.refused = "the policy was learned on days to " + format_day(until) +
                  ", and no later day is in the logs; what it says of the days that it was "
                  "learned on is no forecast";
  }
  return out;
}

std::string sentence(const Forecast& f, std::string_view policy, std::string_view sha256) {
  if (!f.refused.empty()) return "No forecast: " + f.refused + ".";
  const std::string source =
      f.kind == Case::kFixed ? fmt::format("judged on all days from {} to {}",
                                           format_day(f.tested.first), format_day(f.tested.last))
                             : fmt::format("learned{} on days to {} and tested on {} to {}",
                                           f.kind == Case::kNewPeople ? " from other people" : "",
                                           format_day(f.learned.last), format_day(f.tested.first),
                                           format_day(f.tested.last));
  return fmt::format(
      "With {} (sha256 {}) in deny, {}, over {} developers and {:.0f} developer-days: expect "
      "{:.2f} blocks per developer per active day; at most {:.2f} with {:.0f} % confidence next "
      "week, provided work stays like this; {} of {} developers above {:.0f} a day; a job that "
      "runs monthly has a {:.0f} % chance of not being in these days.",
      policy, sha256.substr(0, 12), source, f.developers, f.developer_days, f.bound.rate,
      f.bound.upper, 100 * kConfidence, f.developers_over, f.developers, kWorstThreshold,
      100 * cadence_blindness(window_days(f), 30));
}

}  // namespace lilith::replay
