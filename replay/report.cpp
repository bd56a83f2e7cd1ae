#include "replay/report.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace lilith::replay {
namespace {

std::string share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

constexpr std::size_t kNamedMax = 10;  // chains or hosts in a list of names

std::string shortened(std::string_view text, std::size_t columns) {
  std::string out = printable(text);
  if (out.size() <= columns) return out;
  return std::string(utf8_prefix(out, columns - 3)) + "...";
}

std::string minute(WallTime time) { return format_time(time).substr(0, 16); }

void append_table(std::string& out, const Table& table, std::string_view what, By by,
                  std::uint64_t total) {
  if (table.groups == 0) return;
  out += fmt::format("\n  {} by {} ({} in all)\n", what, name(by), table.groups);
  out += fmt::format("    {:>8} {:>8} {:>6} {:>6}  {:<16} {:<16}  {}\n", "events", "share", "hosts",
                     "users", "first", "last", name(by));
  for (const Group& group : table.rows) {
    out += fmt::format("    {:>8} {:>8} {:>6} {:>6}  {:<16} {:<16}  {}\n", group.events,
                       share(group.events, total), group.hosts, group.users, minute(group.first),
                       minute(group.last), group.key.empty() ? "(none)" : shortened(group.key, 90));
  }
  if (table.groups > table.rows.size()) {
    out += fmt::format("    ... and {} more (--top N)\n", table.groups - table.rows.size());
  }
}

std::string plural(std::uint64_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

// One sentence: what would have been blocked, for whom, by which rule.
std::string sentence(const CandidateTally& tally, const Summary& summary) {
  const std::uint64_t denied = tally.count(Change::kNewlyDenied), decided = summary.quality.decided;
  if (decided == 0) return "nothing could be decided";
  if (denied == 0)
    return fmt::format("would have denied none of {} that were let through",
                       plural(decided, "call"));
  const auto groups = [&](By by) {
    return tally.newly_denied[static_cast<std::size_t>(by)].groups;
  };
  const auto& by_rule = tally.newly_denied[static_cast<std::size_t>(By::kRule)].rows;
  std::string out = fmt::format("would newly deny {} of {} ({}), for {} of {} on {} of {}",
                                plural(denied, "call"), decided, share(denied, decided),
                                groups(By::kUser), plural(summary.users.size(), "user"),
                                groups(By::kHost), plural(summary.hosts_with_calls(), "host"));
  if (!by_rule.empty()) {
    out += fmt::format("; most by {} ({})", by_rule.front().key,
                       plural(by_rule.front().events, "call"));
  }
  if (tally.blocked == denied) return out + "; all of them would have been blocked";
  return out + fmt::format(
                   "; {} would have been blocked, the others only logged (default_action: log or "
                   "mode: audit)",
                   tally.blocked);
}

void write_table(json::Writer& writer, const Table& table, By by) {
  writer.begin_array();
  for (const Group& group : table.rows) {
    writer.begin_object()
        .member(name(by), group.key)
        .member("events", group.events)
        .member("blocked", group.blocked)
        .member("hosts", group.hosts)
        .member("users", group.users);
    writer.member("first", format_time(group.first)).member("last", format_time(group.last));
    writer.member("example", group.example).end_object();
  }
  writer.end_array();
}

// Seqs that are missing, chain by chain: "1 to 9" of each hole.
std::vector<std::string> holes(const Summary& summary) {
  std::vector<std::string> out;
  for (const auto& [id, ranges] : summary.chains) {
    std::uint64_t last_before = 0;
    for (const auto& [first, last] : ranges.ranges()) {
      if (last_before != 0) {
        out.push_back(fmt::format("chain {}: seq {} to {} are missing", printable(id),
                                  last_before + 1, first - 1));
      }
      last_before = last;
    }
  }
  return out;
}

void append_names(std::string& out, const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < std::min(names.size(), kNamedMax); ++i) {
    out += "    " + printable(names[i]) + "\n";
  }
  if (names.size() > kNamedMax)
    out += fmt::format("    ... and {} more\n", names.size() - kNamedMax);
}

void append_input(std::string& out, const Summary& summary) {
  const InputReport& input = summary.input;
  if (incomplete(summary)) {
    out +=
        fmt::format("  INPUT INCOMPLETE: {} that are no events, {} with a torn end, {} missing\n",
                    plural(input.unreadable, "line"), plural(input.torn, "file"),
                    plural(summary.missing(), "event"));
    for (const std::string& problem : input.problems) out += "    " + printable(problem) + "\n";
    append_names(out, holes(summary));
    append_names(out, summary.unread());
  }
  if (const auto silent = summary.silent_hosts(); !silent.empty()) {
    out += fmt::format("  silent at the end for more than {} hours: {}\n",
                       limits::kReplaySilentHost.count(), plural(silent.size(), "host"));
    append_names(out, silent);
  }
}

// "2 files and 8 partitions"
std::string places(const Summary& summary) {
  const std::size_t partitions = summary.partitions.size();
  if (partitions == 0) return plural(summary.input.files, "file");
  const std::string of_topics = plural(partitions, "partition");
  return summary.input.files == 0 ? of_topics
                                  : plural(summary.input.files, "file") + " and " + of_topics;
}

void append_quality(std::string& out, const Summary& summary) {
  const Quality& q = summary.quality;
  out += fmt::format("Replay of {} in {}", plural(q.events, "event"), places(summary));
  if (q.decided + q.unknown_in_all() > 0) {
    out += fmt::format(", {} to {}, {}, {}", minute(q.first), minute(q.last),
                       plural(summary.hosts_with_calls(), "host"),
                       plural(summary.users.size(), "user"));
  }
  out += fmt::format("\n  decided again {}", q.decided);
  if (q.imported > 0)
    out += fmt::format(" ({} of them imported history, counted as allowed in fact)", q.imported);
  out += fmt::format("\n  left out: {} of other kinds, {} by the same id, {} refused by a person\n",
                     plural(q.other_events, "event"), plural(q.duplicates, "repeat"),
                     plural(q.refused_by_person, "call"));
  if (q.in_both > 0) {
    out += fmt::format("  in the log and in imported history, counted once: {}\n",
                       plural(q.in_both, "call"));
  }
  for (std::size_t i = 0; i < kUnknowns; ++i) {
    if (q.unknown[i] == 0) continue;
    out += fmt::format("  unknown: {}, since {}\n", plural(q.unknown[i], "call"),
                       name(static_cast<Unknown>(i)));
  }
  append_input(out, summary);
}

void write_input(json::Writer& writer, const Summary& summary) {
  const InputReport& input = summary.input;
  writer.key("input").begin_object();
  // A partition counts as a file.
  writer.member("files", input.files + summary.partitions.size())
      .member("lines", input.lines)
      .member("unreadable", input.unreadable);
  writer.member("torn", input.torn).member("missing", summary.missing());
  writer.member("complete", !incomplete(summary)).key("problems").begin_array();
  for (const std::string& problem : input.problems) writer.value(problem);
  for (const std::string& hole : holes(summary)) writer.value(hole);
  for (const std::string& unread : summary.unread()) writer.value(unread);
  writer.end_array().key("silent_hosts").begin_array();
  for (const std::string& host : summary.silent_hosts()) writer.value(host);
  writer.end_array().end_object();
}

void write_quality(json::Writer& writer, const Summary& summary) {
  const Quality& q = summary.quality;
  writer.key("quality").begin_object();
  writer.member("events", q.events).member("decided", q.decided).member("imported", q.imported);
  writer.member("other_events", q.other_events).member("duplicates", q.duplicates);
  writer.member("in_log_and_history", q.in_both);
  writer.member("refused_by_person", q.refused_by_person).member("unknown", q.unknown_in_all());
  writer.member("hosts", summary.hosts_with_calls());
  writer.member("users", static_cast<std::uint64_t>(summary.users.size()));
  if (q.decided + q.unknown_in_all() > 0)
    writer.member("first", format_time(q.first)).member("last", format_time(q.last));
  writer.end_object();
}

constexpr std::array kAllChanges{Change::kNewlyDenied, Change::kNewlyAllowed, Change::kUnchanged,
                                 Change::kUnknown};

}  // namespace

bool incomplete(const Summary& summary) {
  return summary.input.incomplete() || summary.missing() > 0 || !summary.unread().empty();
}

std::string to_text(const Summary& summary, std::size_t top) {
  std::string out;
  append_quality(out, summary);
  const std::uint64_t all = summary.quality.decided + summary.quality.unknown_in_all();
  const auto tallies = summary.tally(std::max<std::size_t>(top, 1));
  for (const CandidateTally& tally : tallies) {
    out += fmt::format("\nCandidate {}\n  sha256 {}\n", tally.name, tally.sha256);
    for (const Change change : kAllChanges) {
      std::string label(name(change));
      std::replace(label.begin(), label.end(), '_', ' ');
      out += fmt::format("  {:<14} {:>8} {:>8}\n", label, tally.count(change),
                         share(tally.count(change), all));
    }
    out += fmt::format("  (allowed {}, denied {}; blocked, not only logged, {})\n", tally.allowed,
                       tally.denied, tally.blocked);
    for (std::size_t by = 0; by < kGroupings; ++by) {
      append_table(out, tally.newly_denied[by], "newly denied", static_cast<By>(by),
                   tally.count(Change::kNewlyDenied));
    }
  }
  out += "\nSummary\n";
  for (const CandidateTally& tally : tallies) {
    out += fmt::format("  {}: {}.\n", tally.name, sentence(tally, summary));
  }
  return out;
}

std::string to_json(const Summary& summary, std::size_t top) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  write_input(writer, summary);
  write_quality(writer, summary);
  writer.key("candidates").begin_array();
  for (const CandidateTally& tally : summary.tally(std::max<std::size_t>(top, 1))) {
    writer.begin_object().member("policy", tally.name).member("sha256", tally.sha256);
    writer.member("allowed", tally.allowed).member("denied", tally.denied);
    for (const Change change : kAllChanges) writer.member(name(change), tally.count(change));
    writer.member("blocked", tally.blocked).member("summary", sentence(tally, summary));
    writer.key("newly_denied_by").begin_object();
    for (std::size_t by = 0; by < kGroupings; ++by) {
      writer.key(name(static_cast<By>(by)));
      write_table(writer, tally.newly_denied[by], static_cast<By>(by));
    }
    writer.end_object();
    writer.key("newly_allowed_by_rule");
    write_table(writer, tally.newly_allowed_by_rule, By::kRule);
    writer.end_object();
  }
  writer.end_array().end_object();
  out.push_back('\n');
  return out;
}

std::string diff_to_text(const Summary& summary, std::size_t top) {
  const Candidate &a = summary.candidates()[0], &b = summary.candidates()[1];
  const auto flips = summary.flips(0, 1);
  std::string out;
  append_quality(out, summary);
  out +=
      fmt::format("\nA {}\n  sha256 {}\nB {}\n  sha256 {}\n\n", a.name, a.sha256, b.name, b.sha256);
  out += fmt::format("  {:<12} {:>12} {:>12}\n", "", "B allows", "B denies");
  out += fmt::format("  {:<12} {:>12} {:>12}\n", "A allows", flips[0], flips[1]);
  out += fmt::format("  {:<12} {:>12} {:>12}\n", "A denies", flips[2], flips[3]);
  if (const std::uint64_t unknown = summary.quality.unknown_in_all(); unknown > 0) {
    out += fmt::format("  unknown under both: {}\n", unknown);
  }
  for (const By by : {By::kRule, By::kTool, By::kTarget, By::kHost, By::kUser}) {
    append_table(out, summary.denied_only_by(1, 0, by, top), "denied by B alone", by, flips[1]);
  }
  for (const By by : {By::kRule, By::kTool, By::kTarget, By::kHost, By::kUser}) {
    append_table(out, summary.denied_only_by(0, 1, by, top), "denied by A alone", by, flips[2]);
  }
  out += fmt::format("\nSummary\n  B denies {} that A allows, and allows {} that A denies.\n",
                     plural(flips[1], "call"), plural(flips[2], "call"));
  return out;
}

std::string diff_to_json(const Summary& summary, std::size_t top) {
  const auto flips = summary.flips(0, 1);
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  write_input(writer, summary);
  write_quality(writer, summary);
  for (std::size_t i = 0; i < 2; ++i) {
    writer.key(i == 0 ? "a" : "b").begin_object();
    writer.member("policy", summary.candidates()[i].name)
        .member("sha256", summary.candidates()[i].sha256)
        .end_object();
  }
  writer.key("flips").begin_object();
  writer.member("both_allow", flips[0]).member("only_b_denies", flips[1]);
  writer.member("only_a_denies", flips[2]).member("both_deny", flips[3]);
  writer.member("unknown", summary.quality.unknown_in_all()).end_object();
  for (const auto& [key, to, from] :
       {std::tuple{"denied_by_b_alone", 1U, 0U}, {"denied_by_a_alone", 0U, 1U}}) {
    writer.key(key).begin_object();
    for (const By by : {By::kRule, By::kTool, By::kTarget, By::kHost, By::kUser}) {
      writer.key(name(by));
      write_table(writer, summary.denied_only_by(to, from, by, top), by);
    }
    writer.end_object();
  }
  writer.end_object();
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
