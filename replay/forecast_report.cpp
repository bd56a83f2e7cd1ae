#include "replay/forecast_report.hpp"

#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lilith::replay {
namespace {

constexpr std::size_t kNewToolsShown = 10;

std::string range(DayRange days) {
  return days.empty() ? "-" : format_day(days.first) + " to " + format_day(days.last);
}

void append_interval(std::string& out, const Forecast& f) {
  out += fmt::format("  now                    {}\n",
                     f.now_known ? fmt::format("{:.3f} blocks per developer-day", f.now)
                                 : "not known: imported history was not decided");
  out += fmt::format("  after the flip         {:.3f}, at most {:.3f} with {:.0f} % confidence\n",
                     f.bound.rate, f.bound.upper, 100 * kConfidence);
  out += fmt::format(
      "                         (two-way bootstrap {:.3f}, floor {:.3f}, dispersion {:.2f})\n",
      f.bound.bootstrap, f.bound.floor, f.bound.dispersion);
  out += fmt::format("  above {:.0f} a day          {} of {} developers\n", kWorstThreshold,
                     f.developers_over, f.developers);
  if (f.worst_rate > 0) {
    out += fmt::format(
        "  worst developer        {:.2f} a day ({}); bounds 95 % of such developers with {:.0f} "
        "%\n",
        f.worst_rate, printable(f.worst_developer), 100 * f.worst_confidence);
    out += fmt::format("  top host               {:.0f} % of the blocks ({}); without it {:.3f}\n",
                       100 * f.top_host_share, printable(f.top_host), f.rate_without_top_host);
  }
}

void append_past(std::string& out, const Forecast& f) {
  if (f.past.empty()) {
    out += "  past bounds            too few days to check one\n";
    return;
  }
  std::size_t held = 0;
  for (const PastBound& one : f.past) held += one.held() ? 1U : 0U;
  out += fmt::format("  past bounds            {} of {} held in this log\n", held, f.past.size());
  for (const PastBound& one : f.past) {
    out +=
        fmt::format("    made on {}, for {}: at most {:.2f}, came {:.2f}: {}\n", range(one.made_on),
                    range(one.held_on), one.upper, one.came, one.held() ? "held" : "EXCEEDED");
  }
}

void append_forecast(std::string& out, const CandidateForecast& candidate) {
  const Forecast& f = candidate.forecast;
  out += fmt::format("\nCandidate {}\n  sha256 {}\n  case                   {}\n", candidate.policy,
                     candidate.sha256, name(f.kind));
  if (f.kind != Case::kFixed) out += fmt::format("  learned                {}\n", range(f.learned));
  out += fmt::format(
      "  judged                 {}: {:.0f} developer-days, {} days, {} hosts, {} developers\n",
      range(f.tested), f.developer_days, f.days, f.hosts, f.developers);
  out += fmt::format(
      "  denied                 {} of {} calls ({:.0f} blocks), in {} of {} sessions; {} unknown\n",
      f.events_denied, f.events, f.bound.blocks, f.sessions_blocked, f.sessions, f.events_unknown);
  if (f.refused.empty()) {
    append_interval(out, f);
    append_past(out, f);
  }
  for (const int period : {30, 91}) {
    const double window =
        f.tested.last - (f.learned.empty() ? f.tested.first : f.learned.first) + 1;
    out += fmt::format("  cadence blindness      {:.0f} % of jobs that run every {} days\n",
                       100 * cadence_blindness(window, period), period);
  }
  if (!f.new_tools.empty()) {
    out += fmt::format("  new tools since the baseline ({}){}\n", f.new_tools.size(),
                       f.refused.empty()
                           ? fmt::format("; without them {:.3f} blocks", f.rate_without_new_tools)
                           : "");
    for (std::size_t i = 0; i < std::min(f.new_tools.size(), kNewToolsShown); ++i) {
      const NewTool& tool = f.new_tools[i];
      out += fmt::format("    {} from {} on: {} calls, {} developer(s), {:.0f} block(s)\n",
                         printable(tool.tool), format_day(tool.first_day), tool.events,
                         tool.developers, tool.blocks);
    }
  }
  for (const std::string& note : candidate.notes) out += "  note: " + printable(note) + "\n";
  out += "  " + printable(sentence(f, candidate.policy, candidate.sha256)) + "\n";
}

void write_range(json::Writer& writer, std::string_view key, DayRange days) {
  writer.key(key);
  if (days.empty()) {
    writer.raw("null");
    return;
  }
  writer.begin_object()
      .member("first", format_day(days.first))
      .member("last", format_day(days.last))
      .end_object();
}

void write_interval(json::Writer& writer, const Forecast& f) {
  if (f.now_known)
    writer.member("now", f.now);
  else
    writer.key("now").raw("null");
  writer.key("after").begin_object();
  writer.member("rate", f.bound.rate)
      .member("upper95", f.bound.upper)
      .member("bootstrap", f.bound.bootstrap)
      .member("floor", f.bound.floor)
      .member("dispersion", f.bound.dispersion)
      .end_object();
  writer.member("developers_over_2_a_day", static_cast<std::uint64_t>(f.developers_over));
  writer.member("worst_rate", f.worst_rate).member("worst_developer", f.worst_developer);
  writer.member("top_host", f.top_host)
      .member("top_host_share", f.top_host_share)
      .member("rate_without_top_host", f.rate_without_top_host);
  writer.key("past_bounds").begin_array();
  for (const PastBound& one : f.past) {
    writer.begin_object();
    write_range(writer, "made_on", one.made_on);
    write_range(writer, "for", one.held_on);
    writer.member("upper95", one.upper).member("came", one.came).member("held", one.held());
    writer.end_object();
  }
  writer.end_array();
}

void write_candidate(json::Writer& writer, const CandidateForecast& candidate) {
  const Forecast& f = candidate.forecast;
  writer.begin_object()
      .member("policy", candidate.policy)
      .member("sha256", candidate.sha256)
      .member("case", name(f.kind));
  write_range(writer, "learned", f.learned);
  write_range(writer, "judged", f.tested);
  writer.member("developer_days", f.developer_days)
      .member("days", static_cast<std::uint64_t>(f.days))
      .member("hosts", static_cast<std::uint64_t>(f.hosts))
      .member("developers", static_cast<std::uint64_t>(f.developers))
      .member("calls", f.events)
      .member("calls_denied", f.events_denied)
      .member("calls_unknown", f.events_unknown)
      .member("sessions", static_cast<std::uint64_t>(f.sessions))
      .member("sessions_blocked", static_cast<std::uint64_t>(f.sessions_blocked))
      .member("blocks", f.bound.blocks);
  writer.member("enough_data", f.refused.empty());
  if (f.refused.empty())
    write_interval(writer, f);
  else
    writer.member("why_no_interval", f.refused);
  writer.key("new_tools").begin_array();
  for (const NewTool& tool : f.new_tools) {
    writer.begin_object()
        .member("tool", tool.tool)
        .member("first", format_day(tool.first_day))
        .member("calls", tool.events)
        .member("developers", static_cast<std::uint64_t>(tool.developers))
        .member("blocks", tool.blocks)
        .end_object();
  }
  writer.end_array();
  writer.key("notes").begin_array();
  for (const std::string& note : candidate.notes) writer.value(note);
  writer.end_array();
  writer.member("sentence", sentence(f, candidate.policy, candidate.sha256)).end_object();
}

}  // namespace

std::string to_text(const ForecastReport& report) {
  const RecordingQuality& q = report.quality;
  std::string out = fmt::format(
      "Forecast from {} calls ({} imported) in {} files, seed {}, days at UTC{:+03d}:{:02d}\n",
      q.calls, q.imported, report.input.files, report.seed, report.utc_offset_minutes / 60,
      std::abs(report.utc_offset_minutes) % 60);
  out += fmt::format(
      "  left out: {} events of other kinds, {} repeats by the same id, {} calls refused by a "
      "person\n",
      q.other_events, q.duplicates, q.refused);
  if (q.in_both > 0)
    out +=
        fmt::format("  {} calls are in the log and in imported history: counted once\n", q.in_both);
  if (report.input.incomplete()) {
    out +=
        fmt::format("  INPUT INCOMPLETE: {} lines that are no events, {} files with a torn end\n",
                    report.input.unreadable, report.input.torn);
    for (const std::string& problem : report.input.problems)
      out += "    " + printable(problem) + "\n";
  }
  for (const CandidateForecast& candidate : report.candidates) append_forecast(out, candidate);
  return out;
}

std::string to_json(const ForecastReport& report) {
  const RecordingQuality& q = report.quality;
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("seed", report.seed);
  writer.member("utc_offset_minutes", static_cast<std::int64_t>(report.utc_offset_minutes));
  writer.key("input").begin_object();
  writer.member("files", report.input.files)
      .member("complete", !report.input.incomplete())
      .member("events", q.events)
      .member("calls", q.calls)
      .member("imported", q.imported)
      .member("other_events", q.other_events)
      .member("duplicates", q.duplicates)
      .member("in_log_and_history", q.in_both)
      .member("refused_by_person", q.refused)
      .member("unknown", q.unknown)
      .end_object();
  writer.key("candidates").begin_array();
  for (const CandidateForecast& candidate : report.candidates) write_candidate(writer, candidate);
  writer.end_array().end_object();
  out.push_back('\n');
  return out;
}

}  // namespace lilith::replay
