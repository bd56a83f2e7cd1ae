#include "replay/suggest_report.hpp"

#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "replay/host_suffix.hpp"
#include "replay/new_people.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lilith::replay {
namespace {

double sum(const std::vector<double>& values) {
  double out = 0;
  for (const double value : values) out += value;
  return out;
}

std::vector<const Suggestion*> first_accepted(const SuggestedPolicy& policy, std::size_t count) {
  std::vector<const Suggestion*> out;
  for (const Suggestion& one : policy.suggestions) {
    if (one.accepted() && out.size() < count) out.push_back(&one);
  }
  return out;
}

std::shared_ptr<const rules::Policy> loaded(const std::string& yaml) {
  return rules::load_policy(yaml, "suggested policy").policy;
}

Result<void> burn_down(const Recording& recording, std::string_view base_yaml, HoldOut& out) {
  const std::size_t all = first_accepted(out.policy, SIZE_MAX).size();
  std::vector<std::size_t> steps{0};
  for (std::size_t step = 1; step < all; step += std::max<std::size_t>(1, step / 2))
    steps.push_back(step);
  if (all > 0) steps.push_back(all);
  for (const std::size_t step : steps) {
    auto yaml = extend_policy(base_yaml, first_accepted(out.policy, step), "");
    if (!yaml) return pass_error(yaml);
    const auto policy = loaded(*yaml);
    if (!policy) return fail(ErrorCode::kInvalidInput, "the base can't be extended");
    const Judgement judgement = judge(recording, *policy, out.tested);
    out.burn_down.push_back({step, sum(grid_of(recording, judgement, out.tested).blocks)});
  }
  return {};
}

void count_held_out(const Recording& recording, const Judgement& base, const Judgement& learned,
                    HoldOut& out) {
  std::set<std::string> known;
  for (const Use& use : recording.uses()) {
    if (out.learned.contains(use.day)) known.insert(recording.calls()[use.call].tool);
  }
  for (const Use& use : recording.uses()) {
    if (!out.tested.contains(use.day)) continue;
    const Judgement::Verdict& verdict = learned.verdicts[use.call];
    out.calls += use.events;
    if (verdict.unknown) out.unknown += use.events;
    if (base.verdicts[use.call].deny) out.denied_by_base += use.events;
    if (!verdict.deny) continue;
    out.denied += use.events;
    out.denied_by_target[learned.targets.text(verdict.target)] += use.events;
    if (!known.contains(recording.calls()[use.call].tool)) out.denied_by_new_tools += use.events;
  }
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "-"
                    : fmt::format("{:.2f} %",
                                  100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

void append_list(std::string& out, const SuggestedPolicy& policy, bool accepted, std::size_t top) {
  std::size_t shown = 0, all = 0;
  for (const Suggestion& one : policy.suggestions) {
    if (one.accepted() != accepted) continue;
    if (++all > top) continue;
    ++shown;
    out += "  " + label_of(one) + "\n      " + evidence_of(one) + "\n";
    if (!accepted) out += "      not suggested: " + printable(one.why_not) + "\n";
  }
  if (all > shown) out += fmt::format("  ... and {} more (--top N)\n", all - shown);
}

std::string expected(std::string_view whom, const Forecast& f) {
  return fmt::format("{}: {} of {} calls denied ({}); {}.", whom, f.events_denied, f.events,
                     percent(f.events_denied, f.events),
                     f.refused.empty()
                         ? fmt::format("expect {:.3f} blocks per developer-day, at most {:.3f} "
                                       "with {:.0f} % confidence",
                                       f.bound.rate, f.bound.upper, 100 * kConfidence)
                         : "no forecast: " + f.refused);
}

void append_expected(std::string& out, std::string_view whom, const Forecast& f) {
  out += fmt::format("  {}: {} of {} calls denied ({})\n", whom, f.events_denied, f.events,
                     percent(f.events_denied, f.events));
  if (!f.refused.empty()) {
    out += "    no forecast: " + f.refused + "\n";
    return;
  }
  out += fmt::format(
      "    expect {:.3f} blocks per developer-day, at most {:.3f} with {:.0f} % "
      "confidence\n",
      f.bound.rate, f.bound.upper, 100 * kConfidence);
}

void append_hold_out(std::string& out, const HoldOut& held) {
  out += fmt::format(
      "\nHeld out: learned on {} to {}, judged on {} to {}\n  {} calls; the base denies {} ({}), "
      "with the suggestions {} are denied ({}), {} unknown\n  of these {} by tools that the "
      "learned days did not hold\n",
      format_day(held.learned.first), format_day(held.learned.last), format_day(held.tested.first),
      format_day(held.tested.last), held.calls, held.denied_by_base,
      percent(held.denied_by_base, held.calls), held.denied, percent(held.denied, held.calls),
      held.unknown, held.denied_by_new_tools);
  std::vector<std::pair<std::uint64_t, std::string>> ranked;
  for (const auto& [target, count] : held.denied_by_target) ranked.emplace_back(count, target);
  std::ranges::sort(ranked, [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  constexpr std::size_t kShown = 12;
  for (std::size_t i = 0; i < std::min(kShown, ranked.size()); ++i) {
    const std::string target = printable(ranked[i].second);
    out += fmt::format("    {:>6}  {}\n", ranked[i].first, utf8_prefix(target, 90));
  }
  out += "  blocks left when the first suggestions are accepted:\n";
  for (const BurnDown& step : held.burn_down)
    out += fmt::format("    {:>6}  {:.0f}\n", step.accepted, step.blocks);
  append_expected(out, "people who taught it (case learned)", held.forecast);
  if (!held.forecast.past.empty()) {
    std::size_t kept = 0;
    for (const PastBound& one : held.forecast.past) kept += one.held() ? 1U : 0U;
    out += fmt::format("    {} of {} earlier bounds held\n", kept, held.forecast.past.size());
  }
  append_expected(
      out, "people who did not (case new_people: each workstation by what the others taught)",
      held.new_people);
}

void write_expected(json::Writer& writer, const Forecast& f) {
  writer.member("enough_data", f.refused.empty());
  if (f.refused.empty()) {
    writer.member("rate", f.bound.rate).member("upper95", f.bound.upper);
  } else {
    writer.member("why_no_interval", f.refused);
  }
}

}  // namespace

std::string sentence_of_those_who_taught(const HoldOut& held) {
  return expected("People who taught them (case learned)", held.forecast);
}

std::string sentence_of_new_people(const HoldOut& held) {
  return expected(
      "People who did not (case new_people: each workstation by what the others taught)",
      held.new_people);
}

Result<HoldOut> hold_out(const Recording& recording, const rules::Policy& base,
                         std::string_view base_yaml, const SuggestOptions& options, Halves halves,
                         Random& random) {
  HoldOut out;
  out.learned = halves.learned;
  out.tested = halves.tested;
  const auto learn = [&](DayRange days) {
    SuggestOptions of_days = options;
    of_days.days = days;
    return suggest(recording, base, base_yaml, of_days);
  };
  auto policy = learn(halves.learned);
  if (!policy) return pass_error(policy);
  out.policy = std::move(*policy);
  const auto learned = loaded(out.policy.yaml);
  const Judgement judgement = judge(recording, *learned, out.tested);
  count_held_out(recording, judge(recording, base, out.tested), judgement, out);
  if (auto burnt = burn_down(recording, base_yaml, out); !burnt) return pass_error(burnt);
  out.forecast = forecast(recording, judgement, Case::kLearned, out.learned, out.tested, random);
  auto others = forecast_new_people(recording, base, base_yaml, options, halves, random);
  if (!others) return pass_error(others);
  out.new_people = std::move(*others);
  if (!out.forecast.refused.empty()) return out;
  const Judge again = [&](DayRange learned_days, DayRange tested) {
    auto one = learn(learned_days);
    if (!one) return Grid();
    return grid_of(recording, judge(recording, *loaded(one->yaml), tested), tested);
  };
  out.forecast.past = past_bounds(recording.active_days(), Case::kLearned, again, random);
  return out;
}

std::string to_text(const SuggestReport& report, std::size_t top) {
  const SuggestedPolicy& all = report.suggested;
  const auto accepted = first_accepted(all, SIZE_MAX).size();
  std::string out = fmt::format(
      "Suggestions for {}\n  sha256 {}\n  the base denies {} calls; {} of them are no evidence "
      "(blocked, or a line or list that no allow list answers)\n  {} suggested, {} left to a "
      "person; host names by {}\n\nSuggested\n",
      report.policy, report.sha256, all.calls_denied, all.calls_blocked, accepted,
      all.suggestions.size() - accepted, suffix_list_version());
  append_list(out, all, true, top);
  out += "\nLeft to a person\n";
  append_list(out, all, false, top);
  append_hold_out(out, report.hold_out);
  return out;
}

std::string to_json(const SuggestReport& report) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("policy", report.policy).member("sha256", report.sha256);
  writer.member("calls_denied", report.suggested.calls_denied)
      .member("calls_no_evidence", report.suggested.calls_blocked)
      .member("suffix_list", suffix_list_version());
  writer.key("suggestions").begin_array();
  for (const Suggestion& one : report.suggested.suggestions) {
    writer.begin_object().member("kind", name(one.kind)).member("value", one.value);
    if (one.kind == SuggestionKind::kHost)
      writer.member("port", one.port).member("protocol", one.protocol);
    writer.member("accepted", one.accepted());
    if (!one.accepted()) writer.member("why_not", one.why_not);
    writer.member("calls", one.support.calls)
        .member("sessions", static_cast<std::uint64_t>(one.support.sessions.size()))
        .member("workstations", static_cast<std::uint64_t>(one.support.hosts.size()))
        .member("days", static_cast<std::uint64_t>(one.support.days.size()))
        .member("targets", static_cast<std::uint64_t>(one.explains));
    writer.key("risks").begin_array();
    for (const std::string& risk : one.risks) writer.value(risk);
    writer.end_array().end_object();
  }
  const HoldOut& held = report.hold_out;
  writer.end_array().key("hold_out").begin_object();
  writer.member("learned_until", format_day(held.learned.last))
      .member("judged_from", format_day(held.tested.first))
      .member("calls", held.calls)
      .member("denied_by_base", held.denied_by_base)
      .member("denied", held.denied)
      .member("denied_by_new_tools", held.denied_by_new_tools)
      .member("unknown", held.unknown);
  writer.key("burn_down").begin_array();
  for (const BurnDown& step : held.burn_down) {
    writer.begin_object()
        .member("accepted", static_cast<std::uint64_t>(step.accepted))
        .member("blocks", step.blocks)
        .end_object();
  }
  writer.end_array();
  write_expected(writer, held.forecast);
  writer.key("new_people").begin_object();
  writer.member("calls", held.new_people.events).member("denied", held.new_people.events_denied);
  write_expected(writer, held.new_people);
  writer.end_object();
  writer.end_object().end_object();
  out.push_back('\n');
  return out;
}

}  // namespace lilith::replay
