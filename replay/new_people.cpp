#include "replay/new_people.hpp"

#include <algorithm>
#include <set>

namespace lilith::replay {
namespace {

std::set<std::uint32_t> hosts_on(const Recording& recording, DayRange days) {
  std::set<std::uint32_t> out;
  for (const Use& use : recording.uses()) {
    if (days.contains(use.day)) out.insert(recording.developers()[use.developer].host);
  }
  return out;
}

}  // namespace

Result<Forecast> forecast_new_people(const Recording& recording, const rules::Policy& base,
                                     std::string_view base_yaml, const SuggestOptions& options,
                                     Halves halves, Random& random) {
  const std::set<std::uint32_t> tested = hosts_on(recording, halves.tested);
  std::set<std::uint32_t> all = hosts_on(recording, halves.learned);
  all.insert(tested.begin(), tested.end());
  if (all.size() < 2 || tested.empty()) {
    Forecast out;
    out.kind = Case::kNewPeople;
    out.learned = halves.learned;
    out.tested = halves.tested;
    out.refused = "nobody is left to learn from when one workstation is left out";
    return out;
  }
  const std::size_t groups = std::min(tested.size(), kNewPeopleGroupsMax);
  std::vector<std::uint32_t> group_of_host(recording.hosts().size(), 0);
  std::vector<bool> is_tested(recording.hosts().size());
  std::size_t next = 0;
  for (const std::uint32_t host : tested) {
    group_of_host[host] = static_cast<std::uint32_t>(next++ % groups);
    is_tested[host] = true;
  }
  std::vector<std::uint32_t> group_of_developer;
  for (const Developer& one : recording.developers())
    group_of_developer.push_back(group_of_host[one.host]);
  std::vector<Judgement> judgements;
  for (std::uint32_t group = 0; group < groups; ++group) {
    SuggestOptions without = options;
    without.days = halves.learned;
    without.developers.clear();
    std::vector<bool> judged;
    for (const Developer& one : recording.developers()) {
      judged.push_back(is_tested[one.host] && group_of_host[one.host] == group);
      without.developers.push_back(!judged.back());
    }
    auto learned = suggest(recording, base, base_yaml, without);
    if (!learned) return pass_error(learned);
    const rules::PolicyLoad load = rules::load_policy(learned->yaml, "suggested policy");
    if (!load.policy) return fail(ErrorCode::kInvalidInput, "the base can't be extended");
    judgements.push_back(judge(recording, *load.policy, halves.tested, judged));
  }
  return forecast(recording, Judges(judgements, std::move(group_of_developer)), Case::kNewPeople,
                  halves.learned, halves.tested, random);
}

}  // namespace lilith::replay
