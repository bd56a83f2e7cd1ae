// The plan for other programs and for a pull request: Markdown, JSON, SARIF 2.1.0, JUnit.

#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "replay/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lilith::replay {
namespace {

std::string spaced(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, '_', ' ');
  return out;
}

// Outside text in a cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '|' || c == '`' || c == '<' || c == '[' || c == '*' || c == '_') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string xml(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
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

std::string joined(const std::vector<std::string>& reasons) {
  std::string out;
  for (const std::string& reason : reasons) out += (out.empty() ? "" : "; ") + reason;
  return out;
}

std::string gate_markdown(const Plan& plan) {
  std::string out =
      "\n## Gate\n\n| team | section | state | rate | at most | developer-days | why not |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const TeamGate& team : plan.gate.teams) {
    for (const GateRow& row : team.rows) {
      const bool known = row.forecast.refused.empty();
      out += fmt::format("| {} | {} | {} | {} | {} | {:.0f} | {} |\n", cell(team.team),
                         cell(row.operation.empty() ? row.section : "of it " + row.operation),
                         row.operation.empty() ? spaced(name(row.readiness)) : "",
                         known ? fmt::format("{:.3f}", row.forecast.bound.rate) : "-",
                         known ? fmt::format("{:.3f}", row.forecast.bound.upper) : "-",
                         row.forecast.developer_days,
                         row.operation.empty() ? cell(joined(row.reasons)) : "");
    }
  }
  return out;
}

std::string suggest_markdown(const Plan& plan) {
  std::string out = "\n## Suggestions\n\n";
  if (!plan.suggest) return out + "Calls of fewer than two days: nothing could be held out.\n";
  const HoldOut& held = plan.suggest->hold_out;
  out += fmt::format(
      "Learned on {} to {}, judged on {} to {}: of {} calls the policy denies {}, with the "
      "suggestions {} ({} by new tools).\n\n{}\n\n{}\n\n| entry | kind | state | evidence "
      "|\n|---|---|---|---|\n",
      format_day(held.learned.first), format_day(held.learned.last), format_day(held.tested.first),
      format_day(held.tested.last), held.calls, held.denied_by_base, held.denied,
      held.denied_by_new_tools, cell(sentence_of_those_who_taught(held)),
      cell(sentence_of_new_people(held)));
  for (const Suggestion& one : plan.suggest->suggested.suggestions)
    out += fmt::format("| {} | {} | {} | {} |\n", cell(one.value), spaced(name(one.kind)),
                       one.accepted() ? "suggested" : cell("for a person: " + one.why_not),
                       cell(evidence_of(one)));
  out += "\n| accepted | blocks left |\n|---|---|\n";
  for (const BurnDown& step : held.burn_down)
    out += fmt::format("| {} | {:.0f} |\n", step.accepted, step.blocks);
  return out;
}

void write_gate(json::Writer& writer, const Plan& plan) {
  writer.key("gate").begin_array();
  for (const TeamGate& team : plan.gate.teams) {
    for (const GateRow& row : team.rows) {
      writer.begin_object().member("team", team.team).member("section", row.section);
      if (!row.operation.empty()) writer.member("operation", row.operation);
      writer.member("readiness", name(row.readiness))
          .member("developer_days", row.forecast.developer_days);
      if (row.forecast.refused.empty())
        writer.member("rate", row.forecast.bound.rate).member("upper95", row.forecast.bound.upper);
      writer.key("reasons").begin_array();
      for (const std::string& reason : row.reasons) writer.value(reason);
      writer.end_array().end_object();
    }
  }
  writer.end_array();
}

void write_days(json::Writer& writer, const Plan& plan) {
  writer.key("days").begin_array();
  for (const PlanDay& day : plan.days) {
    writer.begin_object()
        .member("day", format_day(day.day))
        .member("developers", static_cast<std::uint64_t>(day.developers))
        .member("new_facts", static_cast<std::uint64_t>(day.new_facts))
        .member("known_facts", static_cast<std::uint64_t>(day.known_facts))
        .end_object();
  }
  writer.end_array().key("developers").begin_array();
  for (const PlanDeveloper& one : plan.heat_map) {
    writer.begin_object().member("developer", one.name).key("blocks").begin_array();
    for (const int blocks : one.blocks) {
      if (blocks < 0)
        writer.raw("null");
      else
        writer.value(blocks);
    }
    writer.end_array().end_object();
  }
  writer.end_array();
}

struct Finding {
  std::string rule, level, message;
  int line = 1;
};

std::vector<Finding> findings_of(const Plan& plan) {
  std::vector<Finding> out;
  for (const TeamGate& team : plan.gate.teams) {
    for (const GateRow& row : team.rows) {
      if (!row.operation.empty() || row.readiness == Readiness::kReady) continue;
      const bool failed = row.readiness == Readiness::kNotReady;
      out.push_back({failed ? "gate-failed" : "gate-too-few-data", failed ? "error" : "warning",
                     row.section + " for " + team.team + ": " + joined(row.reasons), 1});
    }
  }
  for (const PlanRule& rule : plan.allow_rules) {
    if (rule.calls == 0)
      out.push_back(
          {"rule-unused", "note", rule.rule + " allowed no recorded call", std::max(1, rule.line)});
  }
  if (!plan.suggest) return out;
  for (const Suggestion& one : plan.suggest->suggested.suggestions) {
    for (const std::string& risk : one.risks)
      out.push_back(
          {risk, "note",
           std::string(name(one.kind)) + " " + one.value + ": " + std::string(risk_text(risk)), 1});
  }
  return out;
}

}  // namespace

std::string to_markdown(const Plan& plan) {
  std::string out = fmt::format("# Plan for {}\n\n**{}**\n", cell(plan.policy), cell(plan.verdict));
  out += gate_markdown(plan);
  const RecordingQuality& q = plan.quality;
  out += fmt::format(
      "\n## Data\n\n{} calls ({} imported, {} undecidable) of {} developers on {} workstations and "
      "{} "
      "active days; left out {} repeats and {} refused calls; {} lines were no events.\n",
      q.calls, q.imported, q.unknown, plan.developers, plan.hosts, plan.days.size(), q.duplicates,
      q.refused, plan.input.unreadable);
  if (q.in_both > 0)
    out +=
        fmt::format("{} calls are in the log and in imported history: counted once.\n", q.in_both);
  out += "\n## Forecast\n\n" + cell(plan.forecast_sentence) + "\n";
  for (const std::string& note : plan.gate.notes) out += "\nNote: " + cell(note) + "\n";
  out += "\n## What is denied most\n\n| tool and target | calls |\n|---|---|\n";
  for (const auto& [target, calls] : plan.top_denied)
    out += fmt::format("| {} | {} |\n", cell(target), calls);
  out += suggest_markdown(plan);
  out += "\n## New facts by day\n\n| day | developers | new facts | known |\n|---|---|---|---|\n";
  for (const PlanDay& day : plan.days)
    out += fmt::format("| {} | {} | {} | {} |\n", format_day(day.day), day.developers,
                       day.new_facts, day.known_facts);
  out += "\n## Reproduce\n\n";
  out += fmt::format("- policy sha256 {}\n", plan.sha256);
  for (const auto& [file, hash] : plan.inputs)
    out += fmt::format("- {} sha256 {}\n", cell(file), hash);
  out += fmt::format("- version {}, seed {}, UTC offset {} minutes, {}\n- `{}`\n", plan.version,
                     plan.seed, plan.utc_offset_minutes, cell(plan.suffix_list),
                     printable(plan.command_line));
  return out;
}

std::string to_json(const Plan& plan) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object()
      .member("policy", plan.policy)
      .member("sha256", plan.sha256)
      .member("readiness", name(plan.gate.readiness()))
      .member("verdict", plan.verdict)
      .member("case", name(plan.forecast.kind))
      .member("forecast", plan.forecast_sentence)
      .member("calls", plan.quality.calls)
      .member("unknown", plan.quality.unknown)
      .member("input_complete", !plan.input.incomplete());
  write_gate(writer, plan);
  write_days(writer, plan);
  writer.key("flips").begin_array();
  for (const auto& row : plan.flips) {
    writer.begin_array();
    for (const std::uint64_t count : row) writer.value(count);
    writer.end_array();
  }
  writer.end_array().key("allow_rules").begin_array();
  for (const PlanRule& rule : plan.allow_rules)
    writer.begin_object()
        .member("rule", rule.rule)
        .member("line", rule.line)
        .member("calls", rule.calls)
        .end_object();
  writer.end_array().key("suggestions");
  if (plan.suggest) {
    std::string suggested = to_json(*plan.suggest);
    suggested.pop_back();
    writer.raw(suggested);
  } else {
    writer.raw("null");
  }
  writer.key("inputs").begin_array();
  for (const auto& [file, hash] : plan.inputs)
    writer.begin_object().member("file", file).member("sha256", hash).end_object();
  writer.end_array()
      .member("version", plan.version)
      .member("seed", plan.seed)
      .member("utc_offset_minutes", static_cast<std::int64_t>(plan.utc_offset_minutes))
      .member("suffix_list", plan.suffix_list)
      .member("command_line", plan.command_line)
      .end_object();
  out.push_back('\n');
  return out;
}

std::string to_sarif(const Plan& plan) {
  const std::vector<Finding> findings = findings_of(plan);
  std::string out;
  json::Writer writer(out);
  writer.begin_object()
      .member("$schema", "https://json.schemastore.org/sarif-2.1.0.json")
      .member("version", "2.1.0");
  writer.key("runs").begin_array().begin_object().key("tool").begin_object().key("driver");
  writer.begin_object()
      .member("name", "lilith replay report")
      .member("version", plan.version)
      .key("rules")
      .begin_array();
  std::vector<std::string> ids;
  for (const Finding& one : findings) ids.push_back(one.rule);
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (const std::string& id : ids) {
    const std::string text(risk_text(id).empty() ? std::string_view(id) : risk_text(id));
    writer.begin_object().member("id", id).key("shortDescription").begin_object();
    writer.member("text", text).end_object().end_object();
  }
  writer.end_array().end_object().end_object().key("results").begin_array();
  for (const Finding& one : findings) {
    writer.begin_object().member("ruleId", one.rule).member("level", one.level);
    writer.key("message").begin_object().member("text", printable(one.message)).end_object();
    writer.key("locations").begin_array().begin_object().key("physicalLocation").begin_object();
    writer.key("artifactLocation").begin_object().member("uri", plan.policy).end_object();
    writer.key("region").begin_object().member("startLine", one.line).end_object();
    writer.end_object().end_object().end_array().end_object();
  }
  writer.end_array().end_object().end_array().end_object();
  out.push_back('\n');
  return out;
}

std::string to_junit(const Plan& plan) {
  std::string cases;
  std::size_t count = 0, failures = 0, skipped = 0;
  for (const TeamGate& team : plan.gate.teams) {
    for (const GateRow& row : team.rows) {
      if (!row.operation.empty()) continue;
      ++count;
      cases += fmt::format("  <testcase classname=\"gate.{}\" name=\"{}\"", xml(team.team),
                           xml(row.section));
      const std::string why = xml(joined(row.reasons));
      switch (row.readiness) {
        case Readiness::kReady:
          cases += "/>\n";
          break;
        case Readiness::kNotReady:
          ++failures;
          cases += fmt::format("><failure message=\"{}\"/></testcase>\n", why);
          break;
        case Readiness::kTooFew:
          ++skipped;
          cases += fmt::format("><skipped message=\"{}\"/></testcase>\n", why);
          break;
      }
    }
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"lilith replay gate\" "
      "tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n{}</testsuite>\n",
      count, failures, skipped, cases);
}

}  // namespace lilith::replay
