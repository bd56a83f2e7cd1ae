#include "replay/alerts.hpp"

#include "audit/base/limits.hpp"
#include "audit/codec.hpp"
#include "audit/json/writer.hpp"
#include "replay/intake.hpp"
#include "replay/replay.hpp"
#include "rules/decide.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace lilith::replay {
namespace {

using audit::Action;
using audit::Event;
using audit::EventType;

constexpr char kSeparator = '\x1F';
constexpr std::uint32_t kNotWritten = UINT32_MAX;
// Wazuh's default threshold for e-mail, and the usual one for a page.
constexpr int kPageLevel = 12;

// What of a line the rules can see; lines that look the same to them are kept once.
struct Seen {
  wazuh::DecodedLine line;
  std::string text;  // only where a rule asks for it
};

class SeenTable {
 public:
  // kNotWritten when the text does not fit any more.
  std::uint32_t id_of(const wazuh::Engine& engine, std::string text) {
    Seen seen;
    seen.line = engine.decode(text);
    std::erase_if(seen.line.fields,
                  [&](const auto& field) { return !engine.fields_read().contains(field.first); });
    if (engine.needs_text(seen.line)) seen.text = std::move(text);
    std::string key = seen.text;
    for (const auto* fields : {&seen.line.statics, &seen.line.fields}) {
      for (const auto& [name, value] : *fields) {
        key += kSeparator + name + kSeparator + value;
      }
      key += kSeparator;
    }
    const auto [at, is_new] =
        ids_.try_emplace(std::move(key), static_cast<std::uint32_t>(rows_.size()));
    if (is_new) {
      text_bytes_ += seen.text.size();
      rows_.push_back(std::move(seen));
    }
    return text_bytes_ > limits::kForecastTextBytesMax ? kNotWritten : at->second;
  }
  [[nodiscard]] const Seen& operator[](std::uint32_t id) const { return rows_[id]; }

 private:
  std::unordered_map<std::string, std::uint32_t> ids_;
  std::vector<Seen> rows_;
  std::size_t text_bytes_ = 0;
};

struct Entry {
  WallTime time;
  std::uint32_t host = 0;
  bool is_call = false;
  std::vector<std::uint32_t> seen;  // of each candidate and of the record; kNotWritten: no line
};

// The event as the enforcer would have written it under `policy` (enforcer/hook.cpp); nothing where
// it would have written none.
std::optional<Event> rewritten(const Event& event, const rules::Policy& policy,
                               const rules::CallAnalysis& analysis) {
  rules::Decision decision =
      rules::decide(policy, {event.agent, event.tool, event.server}, analysis, event.facts);
  const rules::AuditSettings& audit = policy.audit();
  if (!audit.enabled || (!audit.log_allowed && decision.action == Action::kAllowed)) {
    return std::nullopt;
  }
  Event out = event;
  out.type = EventType::kDecision;
  out.decision = decision.verdict;
  out.mode = decision.mode;
  out.action = decision.action;
  out.category = decision.category;
  out.rule = std::move(decision.rule);
  out.policy_line = decision.line;
  out.policy_sha256 = policy.sha256();
  out.reason_code = std::move(decision.reason_code);
  out.reason = std::move(decision.reason);
  out.technique = std::move(decision.technique);
  out.operation = std::move(decision.operation);
  out.operations = static_cast<std::uint32_t>(decision.operations);
  out.also.clear();
  for (const audit::Operation& other : decision.others) out.also.push_back(describe(other));
  out.detail.clear();
  return out;
}

std::string day_of(WallTime time) { return format_time(time).substr(0, 10); }

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

}  // namespace

struct AlertForecast::Impl {
  std::vector<std::shared_ptr<const rules::Policy>> policies;
  std::vector<wazuh::Engine> engines;
  SeenTable table;
  std::vector<Entry> entries;
  std::unordered_map<std::string, std::uint32_t> host_ids;
  std::vector<std::string> hosts;
  std::unordered_set<std::string> event_ids;
  std::uint64_t left_out = 0;
  bool has_record = false;  // decisions, not only imported history
  bool full = false;

  std::uint32_t host_of(const std::string& host) {
    const auto [at, is_new] = host_ids.try_emplace(host, static_cast<std::uint32_t>(hosts.size()));
    if (is_new) hosts.push_back(host);
    return at->second;
  }
  std::uint32_t see(const Event& event) {
    const std::uint32_t id = table.id_of(engines.front(), audit::encode(event));
    full = full || id == kNotWritten;
    return id;
  }
  void decide(const Event& event, Entry& entry) {
    const rules::CallAnalysis analysis = rules::analyse(event.call);
    for (const auto& policy : policies) {
      const auto written = rewritten(event, *policy, analysis);
      entry.seen.push_back(written ? see(*written) : kNotWritten);
    }
    const bool recorded = event.type == EventType::kDecision;
    has_record = has_record || recorded;
    entry.seen.push_back(recorded ? see(event) : kNotWritten);
  }
  AlertTally run(std::size_t candidate) {
    AlertTally out;
    out.name = candidate < policies.size() ? policies[candidate]->file_name() : "as recorded";
    wazuh::Engine& engine = engines[candidate];
    std::int64_t clock = INT64_MIN;
    for (const Entry& entry : entries) {
      if (entry.seen[candidate] == kNotWritten) continue;
      ++out.events;
      clock = std::max(clock, seconds_of(entry.time));
      const Seen& seen = table[entry.seen[candidate]];
      const auto outcome = engine.feed(seen.line, seen.text, clock, hosts[entry.host]);
      if (!outcome.alert) continue;
      ++out.alerts;
      ++out.by_level[outcome.level];
      ++out.by_rule[outcome.rule];
      out.level_of[outcome.rule] = outcome.level;
      ++out.by_day[day_of(entry.time)][outcome.rule];
    }
    return out;
  }
};

AlertForecast::AlertForecast(std::vector<std::shared_ptr<const rules::Policy>> candidates,
                             std::vector<wazuh::Engine> engines)
    : impl_(std::make_unique<Impl>()) {
  impl_->policies = std::move(candidates);
  impl_->engines = std::move(engines);
}
AlertForecast::~AlertForecast() = default;

Result<void> AlertForecast::add(const Event& event) {
  if (!event.id.empty() && !impl_->event_ids.insert(event.id).second) {
    ++impl_->left_out;
    return {};
  }
  const bool is_call = event.type == EventType::kDecision || event.type == EventType::kImported;
  Entry entry{event.time, impl_->host_of(event.host), is_call, {}};
  if (!is_call) {
    entry.seen.assign(impl_->engines.size(), impl_->see(event));
  } else if (refused_by_person(event) || !why_unknown(event).empty()) {
    ++impl_->left_out;
    return {};
  } else {
    impl_->decide(event, entry);
  }
  if (impl_->full) {
    return fail(ErrorCode::kLimitExceeded,
                "the alert rules look at whole lines, and these lines do not fit into memory; give "
                "a shorter log or rules that test fields");
  }
  impl_->entries.push_back(std::move(entry));
  return {};
}

AlertReport AlertForecast::finish() {
  std::stable_sort(impl_->entries.begin(), impl_->entries.end(),
                   [](const Entry& a, const Entry& b) { return a.time < b.time; });
  AlertReport out;
  out.left_out = impl_->left_out;
  // Days of work: an imported log was opened on another day than its calls were made.
  std::set<std::chrono::sys_days> days;
  for (const bool calls_only : {true, false}) {
    if (!days.empty()) break;
    for (const Entry& entry : impl_->entries) {
      if (entry.is_call || !calls_only)
        days.insert(std::chrono::floor<std::chrono::days>(entry.time));
    }
  }
  if (!days.empty()) {
    out.first_day = day_of(WallTime(*days.begin()));
    out.last_day = day_of(WallTime(*days.rbegin()));
    out.days = static_cast<std::uint64_t>((*days.rbegin() - *days.begin()).count()) + 1;
    out.days_with_events = days.size();
  }
  for (std::size_t i = 0; i < impl_->policies.size(); ++i) out.candidates.push_back(impl_->run(i));
  if (impl_->has_record) out.candidates.push_back(impl_->run(impl_->policies.size()));
  return out;
}

// ---- report

namespace {

double per_day(std::uint64_t alerts, std::uint64_t days) {
  return days == 0 ? 0 : static_cast<double>(alerts) / static_cast<double>(days);
}

std::uint64_t of_day(const std::map<int, std::uint64_t>& rules) {
  return std::accumulate(rules.begin(), rules.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& row) { return sum + row.second; });
}

// The day with most alerts, the earliest of equal ones.
std::pair<std::string, std::uint64_t> busiest(const AlertTally& tally, int rule) {
  std::pair<std::string, std::uint64_t> out{"", 0};
  for (const auto& [day, rules] : tally.by_day) {
    const auto found = rules.find(rule);
    if (found != rules.end() && found->second > out.second) out = {day, found->second};
  }
  return out;
}

std::string days_text(const AlertTally& tally, std::size_t top) {
  std::vector<std::pair<std::string, std::uint64_t>> days;
  for (const auto& [day, rules] : tally.by_day) days.emplace_back(day, of_day(rules));
  const bool all = days.size() <= top;
  if (!all) {
    std::stable_sort(days.begin(), days.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    days.resize(top);
  }
  std::string out = all ? "  by day\n" : fmt::format("  the {} busiest days (--top N)\n", top);
  for (const auto& [day, alerts] : days) {
    std::uint64_t pages = 0;
    for (const auto& [rule, count] : tally.by_day.at(day)) {
      if (tally.level_of.at(rule) >= kPageLevel) pages += count;
    }
    out +=
        fmt::format("    {}  {:>7}  of level {} and above: {}\n", day, alerts, kPageLevel, pages);
  }
  return out;
}

}  // namespace

std::string to_text(const AlertReport& report, std::size_t top) {
  std::string out = "\nAlerts\n";
  if (report.days == 0) return out + "  no event, so nothing to forecast\n";
  out += fmt::format(
      "  {} to {}: {} days, {} of them with events; {} calls left out (unknown, refused by a "
      "person, repeats)\n"
      "  Arrival at the manager is taken to be the event's own time.\n",
      report.first_day, report.last_day, report.days, report.days_with_events, report.left_out);
  for (const AlertTally& tally : report.candidates) {
    out += fmt::format("\n  {}: {} alerts of {} events, {:.1f} on a day with events\n", tally.name,
                       tally.alerts, tally.events, per_day(tally.alerts, report.days_with_events));
    if (tally.alerts == 0) continue;
    out += fmt::format("    {:>6} {:>6} {:>8} {:>9}  {}\n", "rule", "level", "alerts", "per day",
                       "busiest day");
    for (const auto& [rule, alerts] : tally.by_rule) {
      const auto [day, count] = busiest(tally, rule);
      out += fmt::format("    {:>6} {:>6} {:>8} {:>9.1f}  {} ({})\n", rule, tally.level_of.at(rule),
                         alerts, per_day(alerts, report.days_with_events), day, count);
    }
    for (auto row = tally.by_level.rbegin(); row != tally.by_level.rend(); ++row) {
      out += fmt::format("    level {:>2}      {:>8} {:>9.1f}\n", row->first, row->second,
                         per_day(row->second, report.days_with_events));
    }
    out += days_text(tally, top);
  }
  return out;
}

std::string to_json(const AlertReport& report) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.member("first_day", report.first_day).member("last_day", report.last_day);
  writer.member("days", report.days).member("days_with_events", report.days_with_events);
  writer.member("left_out", report.left_out);
  writer.member("arrival", "event time").key("candidates").begin_array();
  for (const AlertTally& tally : report.candidates) {
    writer.begin_object().member("policy", tally.name).member("events", tally.events);
    writer.member("alerts", tally.alerts);
    writer.member("per_day", per_day(tally.alerts, report.days_with_events));
    writer.key("by_rule").begin_array();
    for (const auto& [rule, alerts] : tally.by_rule) {
      writer.begin_object().member("rule", rule).member("level", tally.level_of.at(rule));
      writer.member("alerts", alerts);
      writer.member("per_day", per_day(alerts, report.days_with_events)).end_object();
    }
    writer.end_array().key("by_level").begin_array();
    for (const auto& [level, alerts] : tally.by_level) {
      writer.begin_object().member("level", level).member("alerts", alerts).end_object();
    }
    writer.end_array().key("by_day").begin_array();
    for (const auto& [day, rules] : tally.by_day) {
      writer.begin_object().member("day", day).member("alerts", of_day(rules));
      writer.key("by_rule").begin_array();
      for (const auto& [rule, alerts] : rules) {
        writer.begin_object().member("rule", rule).member("alerts", alerts).end_object();
      }
      writer.end_array().end_object();
    }
    writer.end_array().end_object();
  }
  writer.end_array().end_object();
  return out;
}

}  // namespace lilith::replay
