// The plan as one HTML file: no network, no script, figures as inline SVG with their numbers beside
// them, light and dark, on screen and on paper.

#include "audit/base/text.hpp"
#include "replay/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lilith::replay {
namespace {

constexpr std::string_view kStyle = R"css(
:root{--bg:#fff;--fg:#1b1f24;--mute:#57606a;--line:#d0d7de;--accent:#0b5cad;--good:#116329;
--bad:#a40e26;--few:#7d4e00;--soft:#f3f5f7;--heat:11,92,173}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e9ec;--mute:#a0a9b3;--line:#3a424b;
--accent:#79b8ff;--good:#56d364;--bad:#ff8b8b;--few:#e3b341;--soft:#1d2228;--heat:121,184,255}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
header,main,footer,nav{max-width:62rem;margin:0 auto;padding:0 1rem}
header{padding-top:2rem}h1{font-size:1.6rem;margin:0}h2{font-size:1.2rem;margin:2.5rem 0 .5rem;
border-top:1px solid var(--line);padding-top:1rem}
.verdict{font-size:1.25rem;padding:.75rem 1rem;border-left:.4rem solid;background:var(--soft)}
.ready{color:var(--good)}.not_ready{color:var(--bad)}.too_few_data{color:var(--few)}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:0}a{color:var(--accent)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--mute);padding:.25rem 0}
th,td{border-bottom:1px solid var(--line);padding:.25rem .6rem;text-align:left;vertical-align:top}
strong,thead th,.heat th{white-space:nowrap}
td.n,th.n{text-align:right}code,pre{font:13px/1.45 ui-monospace,monospace;overflow-wrap:anywhere}
pre{background:var(--soft);padding:.75rem;overflow-x:auto}.mute{color:var(--mute)}
.heat td{text-align:center;min-width:2.2rem}.part th,.part td{color:var(--mute)}
svg{max-width:100%;height:auto;display:block}svg text{fill:var(--fg);font:13px system-ui,sans-serif}
.axis{stroke:var(--line)}.mark{stroke:var(--accent);fill:none;stroke-width:2.5}
.bar{fill:var(--accent)}.range{fill:var(--accent);opacity:.35}.limit{stroke:var(--bad);
stroke-width:2;stroke-dasharray:6 4}
@media print{nav{display:none}body{font-size:11px}h2{break-after:avoid}
svg,tr{break-inside:avoid}
.scroll{overflow:visible}details{display:block}}
)css";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

std::string spaced(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '_', ' ');
  return out;
}

// Numbers stand right, words left.
bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.-") == std::string_view::npos;
}

// A row of cells; the first is its header.
std::string row(const std::vector<std::string>& cells, std::string_view css = {}) {
  std::string out = css.empty() ? "<tr>" : fmt::format("<tr class=\"{}\">", css);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    out += i == 0
               ? fmt::format("<th scope=\"row\">{}</th>", cells[i])
               : fmt::format("<td{}>{}</td>", is_number(cells[i]) ? " class=\"n\"" : "", cells[i]);
  }
  return out + "</tr>\n";
}

std::string head(std::string_view caption, const std::vector<std::string>& columns,
                 std::string_view css = {}) {
  static constexpr std::string_view kWords[] = {"section", "state", "why not",
                                                "kind",    "value", "evidence"};
  std::string out = fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table{}>"
      "<caption>{}</caption><thead><tr>",
      escaped(caption), css.empty() ? "" : fmt::format(" class=\"{}\"", css), escaped(caption));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const bool words = i == 0 || std::ranges::find(kWords, columns[i]) != std::end(kWords);
    out += fmt::format("<th scope=\"col\"{}>{}</th>", words ? "" : " class=\"n\"", columns[i]);
  }
  return out + "</tr></thead><tbody>\n";
}

constexpr std::string_view kTail = "</tbody></table></div>\n";

std::string section(std::string_view id, std::string_view title, const std::string& body) {
  return fmt::format("<section aria-labelledby=\"{0}\"><h2 id=\"{0}\">{1}</h2>\n{2}</section>\n",
                     id, escaped(title), body);
}

std::string figure(std::string_view id, std::string_view title, std::string_view description,
                   int height, const std::string& content) {
  return fmt::format(
      "<figure><svg role=\"img\" aria-labelledby=\"{0}-t {0}-d\" viewBox=\"0 0 640 {3}\" "
      "width=\"640\" height=\"{3}\"><title id=\"{0}-t\">{1}</title><desc id=\"{0}-d\">{2}</desc>"
      "{4}</svg><figcaption class=\"mute\">{1}. {2}</figcaption></figure>\n",
      id, escaped(title), escaped(description), height, content);
}

// Points joined by a line, with both axes labelled at their ends.
std::string curve(const std::vector<std::pair<double, double>>& points, std::string_view across,
                  std::string_view up) {
  double right = 1, top = 1;
  for (const auto& [x, y] : points) {
    right = std::max(right, x);
    top = std::max(top, y);
  }
  std::string path;
  for (const auto& [x, y] : points)
    path += fmt::format("{:.1f},{:.1f} ", 60 + 560 * x / right, 190 - 165 * y / top);
  return fmt::format(
      "<line class=\"axis\" x1=\"60\" y1=\"190\" x2=\"620\" y2=\"190\"/>"
      "<line class=\"axis\" x1=\"60\" y1=\"20\" x2=\"60\" y2=\"190\"/>"
      "<polyline class=\"mark\" points=\"{}\"/><text x=\"52\" y=\"30\" text-anchor=\"end\">{:.0f}"
      "</text><text x=\"52\" y=\"194\" text-anchor=\"end\">0</text><text x=\"620\" y=\"208\" "
      "text-anchor=\"end\">{:.0f} {}</text><text x=\"66\" y=\"16\">{}</text>",
      path, top, right, escaped(across), escaped(up));
}

std::string gate_table(const Plan& plan) {
  std::string out =
      head(fmt::format("Blocks per developer-day; limit {:g}, confidence {:.0f} %",
                       plan.gate.limits.max_blocks, 100 * kConfidence),
           {"team", "section", "state", "rate", "at most", "developer-days", "why not"});
  for (const TeamGate& team : plan.gate.teams) {
    for (const GateRow& one : team.rows) {
      const bool part = !one.operation.empty();
      const bool known = one.forecast.refused.empty();
      std::string reasons;
      for (const std::string& reason : one.reasons)
        reasons += (reasons.empty() ? "" : "; ") + escaped(reason);
      out += row({escaped(team.team), escaped(part ? "of it " + one.operation : one.section),
                  part ? std::string()
                       : fmt::format("<strong class=\"{}\">{}</strong>", name(one.readiness),
                                     spaced(name(one.readiness))),
                  known ? fmt::format("{:.3f}", one.forecast.bound.rate) : "-",
                  known ? fmt::format("{:.3f}", one.forecast.bound.upper) : "-",
                  fmt::format("{:.0f}", one.forecast.developer_days), part ? "" : reasons},
                 part ? "part" : "");
    }
  }
  return out.append(kTail);
}

std::string quality_table(const Plan& plan) {
  const RecordingQuality& q = plan.quality;
  std::string out = head("What the logs hold", {"", "count"});
  const auto count = [&](std::string_view what, std::uint64_t number) {
    out += row({std::string(what), std::to_string(number)});
  };
  count("files", plan.input.files);
  count("events", q.events);
  count("calls", q.calls);
  count("of them imported history", q.imported);
  count("of them undecidable (cut or redacted)", q.unknown);
  count("left out: repeats by id", q.duplicates);
  count("left out: in the log and in imported history", q.in_both);
  count("left out: refused by a person", q.refused);
  count("lines that are no events", plan.input.unreadable);
  count("files with a torn end", plan.input.torn);
  count("workstations", plan.hosts);
  count("developers", plan.developers);
  count("active days", plan.days.size());
  out.append(kTail);
  if (plan.days.empty()) return out;
  const double window = plan.days.back().day - plan.days.front().day + 1;
  return out + fmt::format(
                   "<p>A job that runs monthly has a {:.0f} % chance of not being in these "
                   "days, a quarterly one {:.0f} %.</p>\n",
                   100 * cadence_blindness(window, 30), 100 * cadence_blindness(window, 91));
}

std::string forecast_part(const Plan& plan) {
  const Forecast& f = plan.forecast;
  std::string out = "<p>" + escaped(plan.forecast_sentence) + "</p>\n";
  for (const std::string& note : plan.gate.notes)
    out += "<p class=\"mute\">Note: " + escaped(note) + "</p>\n";
  if (!f.refused.empty()) return out;
  const double limit = plan.gate.limits.max_blocks;
  const double top = 1.15 * std::max({f.bound.upper, limit, 0.01});
  const auto x = [&](double rate) { return 20 + 600 * rate / top; };
  const std::string bars = fmt::format(
      "<rect class=\"range\" x=\"20\" y=\"34\" width=\"{:.1f}\" height=\"30\"/>"
      "<rect class=\"bar\" x=\"20\" y=\"34\" width=\"{:.1f}\" height=\"30\"/>"
      "<line class=\"limit\" x1=\"{:.1f}\" y1=\"22\" x2=\"{:.1f}\" y2=\"76\"/>"
      "<text x=\"20\" y=\"20\">expected {:.3f}, at most {:.3f}</text>"
      "<text x=\"{:.1f}\" y=\"92\" text-anchor=\"{}\">gate {:g}</text>",
      x(f.bound.upper) - 20, x(f.bound.rate) - 20, x(limit), x(limit), f.bound.rate, f.bound.upper,
      x(limit), x(limit) > 560 ? "end" : "start", limit);
  return out +
         figure("fc", "Blocks per developer-day after a flip of the whole policy",
                fmt::format("expected {:.3f}, at most {:.3f} with {:.0f} % confidence, gate {:g}",
                            f.bound.rate, f.bound.upper, 100 * kConfidence, limit),
                100, bars);
}

std::string curves(const Plan& plan) {
  std::vector<std::pair<double, double>> known, fresh;
  std::string table =
      head("New facts by day", {"day", "developers", "new facts", "per developer", "known so far"});
  for (const PlanDay& day : plan.days) {
    const double rate = static_cast<double>(day.new_facts) / static_cast<double>(day.developers);
    known.emplace_back(day.developer_days, static_cast<double>(day.known_facts));
    fresh.emplace_back(static_cast<double>(fresh.size() + 1), rate);
    table +=
        row({format_day(day.day), std::to_string(day.developers), std::to_string(day.new_facts),
             fmt::format("{:.1f}", rate), std::to_string(day.known_facts)});
  }
  table.append(kTail);
  const std::size_t all = plan.days.empty() ? 0 : plan.days.back().known_facts;
  return "<p>A fact is a tool, a program, a host, or a project or directory that files were read "
         "or "
         "written in. A baseline is long enough when few new ones come per developer and day, not "
         "when a number of days has passed.</p>\n" +
         figure("acc", "Known facts over developer-days",
                fmt::format("{} facts after {} days", all, plan.days.size()), 215,
                curve(known, "developer-days", "facts")) +
         figure("new", "New facts per active developer by day",
                "the figures are in the table below", 215,
                curve(fresh, "active days", "new facts per developer")) +
         table;
}

std::string flips(const Plan& plan) {
  static constexpr std::string_view kRows[] = {"allowed", "blocked", "imported history"};
  std::string out = head("Calls, by what happened and what the candidate says",
                         {"recorded", "candidate allows", "candidate denies", "unknown"});
  for (std::size_t i = 0; i < 3; ++i)
    out += row({std::string(kRows[i]), std::to_string(plan.flips[i][0]),
                std::to_string(plan.flips[i][1]), std::to_string(plan.flips[i][2])});
  out.append(kTail);
  out += head("What is denied most", {"tool and target", "calls"});
  for (const auto& [target, calls] : plan.top_denied)
    out += row({"<code>" + escaped(target) + "</code>", std::to_string(calls)});
  return out.append(kTail);
}

std::string heat(const Plan& plan) {
  std::vector<std::string> columns{"developer"};
  int top = 1;
  for (const PlanDay& day : plan.days) columns.push_back(format_day(day.day).substr(5));
  for (const PlanDeveloper& one : plan.heat_map)
    for (const int blocks : one.blocks) top = std::max(top, blocks);
  std::string out =
      head("Blocks by developer and day; a dot is a day without calls", columns, "heat");
  for (const PlanDeveloper& one : plan.heat_map) {
    out += "<tr><th scope=\"row\">" + escaped(one.name) + "</th>";
    for (const int blocks : one.blocks) {
      const double share = 0.75 * std::max(0, blocks) / top;
      out += blocks < 0 ? "<td class=\"mute\">·</td>"
                        : fmt::format("<td style=\"background:rgba(var(--heat),{:.2f})\">{}</td>",
                                      share, blocks);
    }
    out += "</tr>\n";
  }
  out.append(kTail);
  if (plan.developers_left_out > 0)
    out += fmt::format("<p class=\"mute\">{} developers with fewer blocks are not shown.</p>\n",
                       plan.developers_left_out);
  return out;
}

std::string suggestions(const Plan& plan) {
  if (!plan.suggest) return "<p>Calls of fewer than two days: nothing could be held out.</p>\n";
  const HoldOut& held = plan.suggest->hold_out;
  std::vector<std::pair<double, double>> left;
  for (const BurnDown& step : held.burn_down)
    left.emplace_back(static_cast<double>(step.accepted), step.blocks);
  std::string out = fmt::format(
      "<p>Learned on {} to {} and judged on {} to {}: of {} calls the policy denies {}, with the "
      "suggestions it would deny {}, {} of them by tools that the learned days did not hold.</p>\n",
      format_day(held.learned.first), format_day(held.learned.last), format_day(held.tested.first),
      format_day(held.tested.last), held.calls, held.denied_by_base, held.denied,
      held.denied_by_new_tools);
  out += "<p>" + escaped(sentence_of_those_who_taught(held)) + "</p>\n<p>" +
         escaped(sentence_of_new_people(held)) + "</p>\n";
  out += figure("burn", "Blocks left on the held-out days as suggestions are accepted",
                fmt::format("{:.0f} without, {:.0f} with all", held.burn_down.front().blocks,
                            held.burn_down.back().blocks),
                215, curve(left, "accepted", "blocks left"));
  out += head("Suggestions from all days", {"entry", "kind", "state", "evidence"});
  for (const Suggestion& one : plan.suggest->suggested.suggestions)
    out += row({"<code>" + escaped(one.value) + "</code>", spaced(name(one.kind)),
                one.accepted() ? "suggested" : "for a person: " + escaped(one.why_not),
                escaped(evidence_of(one))});
  out.append(kTail);
  out += "<details><summary>The suggested policy</summary><pre>";
  std::string_view yaml = plan.suggest->suggested.yaml;
  while (!yaml.empty()) {
    const std::size_t end = std::min(yaml.find('\n'), yaml.size());
    out += escaped(yaml.substr(0, end)) + "\n";
    yaml.remove_prefix(std::min(end + 1, yaml.size()));
  }
  return out + "</pre></details>\n";
}

std::string rules_part(const Plan& plan) {
  std::string out =
      head("Entries of the allow lists, least used first", {"entry", "line", "calls"});
  for (const PlanRule& one : plan.allow_rules)
    out += row({"<code>" + escaped(one.rule) + "</code>", std::to_string(one.line),
                std::to_string(one.calls)});
  return out.append(kTail);
}

std::string reproduce(const Plan& plan) {
  std::string out = head("To get this report again", {"what", "value"});
  out += row({"policy", "<code>" + escaped(plan.policy) + " " + plan.sha256 + "</code>"});
  for (const auto& [file, hash] : plan.inputs)
    out += row({"<code>" + escaped(file) + "</code>", "<code>" + hash + "</code>"});
  out += row({"version", escaped(plan.version)}) + row({"seed", std::to_string(plan.seed)}) +
         row({"UTC offset in minutes", std::to_string(plan.utc_offset_minutes)}) +
         row({"host names", escaped(plan.suffix_list)}) +
         row({"command line", "<code>" + escaped(plan.command_line) + "</code>"});
  return out.append(kTail);
}

}  // namespace

std::string to_html(const Plan& plan) {
  static constexpr std::pair<std::string_view, std::string_view> kParts[] = {
      {"gate", "Gate"},
      {"quality", "Data"},
      {"forecast", "Forecast"},
      {"flips", "What changes"},
      {"heat", "Who is affected"},
      {"suggest", "Suggestions"},
      {"rules", "Rules in use"},
      {"facts", "Is the baseline long enough?"},
      {"again", "Reproduce"}};
  std::string nav;
  for (const auto& [id, title] : kParts)
    nav += fmt::format("<li><a href=\"#{}\">{}</a></li>", id, escaped(title));
  const std::string state(name(plan.gate.readiness()));
  return fmt::format(
             "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
             "name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta "
             "name=\"color-scheme\" content=\"light dark\"><meta "
             "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
             "'unsafe-inline'\"><title>Plan for {0}</title><style>{1}</style></head><body>\n"
             "<header><h1>Plan for {0}</h1><p class=\"mute\">sha256 {2}</p><p class=\"verdict "
             "{3}\">"
             "{4}</p></header><nav aria-label=\"Sections\"><ul>{5}</ul></nav><main>\n",
             escaped(plan.policy), kStyle, plan.sha256, state, escaped(plan.verdict), nav) +
         section("gate", "Gate", gate_table(plan)) +
         section("quality", "Data", quality_table(plan)) +
         section("forecast", "Forecast", forecast_part(plan)) +
         section("flips", "What changes", flips(plan)) +
         section("heat", "Who is affected", heat(plan)) +
         section("suggest", "Suggestions", suggestions(plan)) +
         section("rules", "Rules in use", rules_part(plan)) +
         section("facts", "Is the baseline long enough?", curves(plan)) +
         section("again", "Reproduce", reproduce(plan)) + "</main></body></html>\n";
}

}  // namespace lilith::replay
