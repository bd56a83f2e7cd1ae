#include "replay/report.hpp"

#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lilith::replay {
namespace {

using Row = std::pair<std::string, const Group*>;

// The largest groups first, equal ones by name, so that the same input always prints the same
// report.
std::vector<Row> ranked(const std::unordered_map<std::string, Group>& groups, std::size_t top) {
  std::vector<Row> rows;
  for (const auto& [key, group] : groups) rows.emplace_back(key, &group);
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return a.second->events != b.second->events ? a.second->events > b.second->events
                                                : a.first < b.first;
  });
  if (rows.size() > top) rows.resize(top);
  return rows;
}

std::string share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::uint64_t changes(const CandidateTally& tally, Change change) {
  const auto found = tally.changes.find(change);
  return found == tally.changes.end() ? 0 : found->second;
}

std::string shortened(std::string_view text, std::size_t columns) {
  std::string out = printable(text);
  if (out.size() <= columns) return out;
  return std::string(utf8_prefix(out, columns - 3)) + "...";
}

std::string minute(WallTime time) { return format_time(time).substr(0, 16); }

void append_groups(std::string& out, const CandidateTally& tally, std::uint64_t total,
                   std::size_t top) {
  for (std::size_t by = 0; by < kGroupings; ++by) {
    const auto& groups = tally.newly_denied[by];
    if (groups.empty()) continue;
    out += fmt::format("\n  newly denied by {} ({} in all)\n", name(static_cast<By>(by)),
                       groups.size());
    out += fmt::format("    {:>8} {:>8} {:>6} {:>6}  {:<16} {:<16}  {}\n", "events", "share",
                       "hosts", "users", "first", "last", name(static_cast<By>(by)));
    for (const auto& [key, group] : ranked(groups, top)) {
      out += fmt::format("    {:>8} {:>8} {:>6} {:>6}  {:<16} {:<16}  {}\n", group->events,
                         share(group->events, total), group->hosts.size(), group->users.size(),
                         minute(group->first), minute(group->last),
                         key.empty() ? "(none)" : shortened(key, 90));
    }
    if (groups.size() > top)
      out += fmt::format("    ... and {} more (--top N)\n", groups.size() - top);
  }
}

std::string plural(std::uint64_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

// One sentence: what would have been blocked, for whom, by which rule.
std::string summary(const CandidateTally& tally, const Quality& quality) {
  const std::uint64_t denied = changes(tally, Change::kNewlyDenied);
  if (quality.decided == 0) return "nothing could be decided";
  if (denied == 0)
    return fmt::format("would have denied none of {} that were let through",
                       plural(quality.decided, "call"));
  const auto& by_rule = tally.newly_denied[static_cast<std::size_t>(By::kRule)];
  const Row first = ranked(by_rule, 1).front();
  std::string out = fmt::format(
      "would newly deny {} of {} ({}), for {} of {} on {} of {}; most by {} ({})",
      plural(denied, "call"), quality.decided, share(denied, quality.decided),
      tally.newly_denied[static_cast<std::size_t>(By::kUser)].size(),
      plural(quality.users.size(), "user"),
      tally.newly_denied[static_cast<std::size_t>(By::kHost)].size(),
      plural(quality.hosts.size(), "host"), first.first, plural(first.second->events, "call"));
  if (tally.blocked == denied) return out + "; all of them would have been blocked";
  return out + fmt::format(
                   "; {} would have been blocked, the others only logged (default_action: log or "
                   "mode: audit)",
                   tally.blocked);
}

void write_groups(json::Writer& writer, const std::unordered_map<std::string, Group>& groups,
                  std::size_t top, std::string_view key_name) {
  writer.begin_array();
  for (const auto& [key, group] : ranked(groups, top)) {
    writer.begin_object()
        .member(key_name, key)
        .member("events", group->events)
        .member("blocked", group->blocked);
    writer.member("hosts", static_cast<std::uint64_t>(group->hosts.size()));
    writer.member("users", static_cast<std::uint64_t>(group->users.size()));
    writer.member("first", format_time(group->first)).member("last", format_time(group->last));
    writer.member("example", group->example).end_object();
  }
  writer.end_array();
}

}  // namespace

std::string to_text(const Replayer& replayer, const InputReport& input, std::size_t top) {
  const Quality& q = replayer.quality();
  std::string out =
      fmt::format("Replay of {} in {}", plural(q.events, "event"), plural(input.files, "file"));
  if (q.decided + q.unknown > 0) {
    out += fmt::format(", {} to {}, {}, {}", minute(q.first), minute(q.last),
                       plural(q.hosts.size(), "host"), plural(q.users.size(), "user"));
  }
  out += fmt::format("\n  decided again {}", q.decided);
  if (q.imported > 0)
    out += fmt::format(" ({} of them imported history, counted as allowed in fact)", q.imported);
  out += fmt::format("\n  left out: {} of other kinds, {} by the same id, {} refused by a person\n",
                     plural(q.other_events, "event"), plural(q.duplicates, "repeat"),
                     plural(q.refused_by_person, "call"));
  for (const auto& [why, events] : q.unknown_why) {
    out += fmt::format("  unknown: {}, since {}\n", plural(events, "call"), why);
  }
  if (input.incomplete()) {
    out += fmt::format("  INPUT INCOMPLETE: {} that are no events, {} with a torn end\n",
                       plural(input.unreadable, "line"), plural(input.torn, "file"));
    for (const std::string& problem : input.problems) out += "    " + printable(problem) + "\n";
  }
  for (const CandidateTally& tally : replayer.candidates()) {
    const std::uint64_t all = q.decided + q.unknown;
    out += fmt::format("\nCandidate {}\n  sha256 {}\n", tally.name, tally.sha256);
    for (const Change change :
         {Change::kNewlyDenied, Change::kNewlyAllowed, Change::kUnchanged, Change::kUnknown}) {
      std::string label(name(change));
      std::replace(label.begin(), label.end(), '_', ' ');
      out += fmt::format("  {:<14} {:>8} {:>8}\n", label, changes(tally, change),
                         share(changes(tally, change), all));
    }
    out += fmt::format("  (allowed {}, denied {}; blocked, not only logged, {})\n", tally.allowed,
                       tally.denied, tally.blocked);
    append_groups(out, tally, changes(tally, Change::kNewlyDenied), top);
  }
  out += "\nSummary\n";
  for (const CandidateTally& tally : replayer.candidates()) {
    out += fmt::format("  {}: {}.\n", tally.name, summary(tally, q));
  }
  return out;
}

std::string to_json(const Replayer& replayer, const InputReport& input, std::size_t top) {
  const Quality& q = replayer.quality();
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.key("input").begin_object();
  writer.member("files", input.files)
      .member("lines", input.lines)
      .member("unreadable", input.unreadable);
  writer.member("torn", input.torn).member("complete", !input.incomplete());
  writer.key("problems").begin_array();
  for (const std::string& problem : input.problems) writer.value(problem);
  writer.end_array().end_object();
  writer.key("quality").begin_object();
  writer.member("events", q.events).member("decided", q.decided).member("imported", q.imported);
  writer.member("other_events", q.other_events).member("duplicates", q.duplicates);
  writer.member("refused_by_person", q.refused_by_person).member("unknown", q.unknown);
  writer.member("hosts", static_cast<std::uint64_t>(q.hosts.size()));
  writer.member("users", static_cast<std::uint64_t>(q.users.size()));
  if (q.decided + q.unknown > 0)
    writer.member("first", format_time(q.first)).member("last", format_time(q.last));
  writer.end_object();
  writer.key("candidates").begin_array();
  for (const CandidateTally& tally : replayer.candidates()) {
    writer.begin_object().member("policy", tally.name).member("sha256", tally.sha256);
    writer.member("allowed", tally.allowed).member("denied", tally.denied);
    for (const Change change :
         {Change::kNewlyDenied, Change::kNewlyAllowed, Change::kUnchanged, Change::kUnknown}) {
      writer.member(name(change), changes(tally, change));
    }
    writer.member("blocked", tally.blocked).member("summary", summary(tally, q));
    writer.key("newly_denied_by").begin_object();
    for (std::size_t by = 0; by < kGroupings; ++by) {
      writer.key(name(static_cast<By>(by)));
      write_groups(writer, tally.newly_denied[by], top, name(static_cast<By>(by)));
    }
    writer.end_object();
    writer.key("newly_allowed_by_rule");
    write_groups(writer, tally.newly_allowed_by_rule, top, "rule");
    writer.end_object();
  }
  writer.end_array().end_object();
  out.push_back('\n');
  return out;
}

std::string to_text(const Fidelity& f) {
  std::string out =
      fmt::format("Fidelity: {} compared, {} differ; {} of another policy, {} left out\n",
                  plural(f.compared, "decision"), f.disagreements, f.other_policy, f.left_out);
  for (const Disagreement& one : f.examples) {
    out += fmt::format("  {}: recorded {} by {}, now {} by {}\n", one.id, one.recorded,
                       one.rule_recorded, one.now, one.rule_now);
  }
  return out;
}

std::string to_json(const Fidelity& f) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("compared", f.compared).member("disagreements", f.disagreements);
  writer.member("other_policy", f.other_policy)
      .member("left_out", f.left_out)
      .key("examples")
      .begin_array();
  for (const Disagreement& one : f.examples) {
    writer.begin_object()
        .member("id", one.id)
        .member("recorded", one.recorded)
        .member("now", one.now);
    writer.member("rule_recorded", one.rule_recorded).member("rule_now", one.rule_now).end_object();
  }
  writer.end_array().end_object();
  out.push_back('\n');
  return out;
}

}  // namespace lilith::replay
