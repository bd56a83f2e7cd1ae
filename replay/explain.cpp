#include "replay/explain.hpp"

#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "replay/intake.hpp"

#include <fmt/format.h>

namespace lilith::replay {
namespace {

void line(std::string& out, std::string_view label, std::string_view text) {
  if (!text.empty()) out += fmt::format("  {:<12} {}\n", label, printable(text));
}

void append_call(std::string& out, const audit::Event& event) {
  line(out, "time", format_time(event.time));
  line(out, "host", event.host);
  line(out, "user", event.facts.user);
  line(out, "agent", event.agent);
  line(out, "tool", event.server.empty() ? event.tool : event.server + "/" + event.tool);
  line(out, "cwd", event.facts.cwd);
  line(out, "kind", audit::name(event.call.kind));
  line(out, "command", event.call.command);
  for (const std::string& path : event.call.paths) line(out, "path", path);
  for (const std::string& url : event.call.urls) line(out, "url", url);
  line(out, "arguments", event.call.arguments);
  line(out, "undecidable", event.call.undecidable);
  for (const audit::PathFact& fact : event.facts.paths) {
    line(out, "resolved",
         fact.given + " -> " + (fact.reason.empty() ? fact.resolved : fact.reason));
  }
}

void write_decision(json::Writer& writer, const rules::Decision& d) {
  writer.member("decision", audit::name(d.verdict)).member("mode", audit::name(d.mode));
  writer.member("action", audit::name(d.action)).member("rule", d.rule).member("line", d.line);
  writer.member("reason_code", d.reason_code).member("reason", d.reason);
  writer.member("operation", audit::describe(d.operation)).key("others").begin_array();
  for (const audit::Operation& other : d.others) writer.value(audit::describe(other));
  writer.end_array();
}

}  // namespace

Explanation explain(const rules::Policy& policy, const audit::Event& event) {
  Explanation out{event, why_unknown(event), {}};
  if (!out.unknown.empty()) return out;
  const rules::CallAnalysis analysis = rules::analyse(event.call);
  out.decision =
      rules::decide(policy, {event.agent, event.tool, event.server}, analysis, event.facts);
  return out;
}

std::string to_text(const Explanation& one, const rules::Policy& policy) {
  const audit::Event& event = one.event;
  std::string out = fmt::format("Event {}\n", printable(event.id));
  append_call(out, event);
  out += "\nRecorded\n";
  if (event.decision == audit::Verdict::kNone) {
    line(out, "decision", "none: imported history");
  } else {
    line(out, "decision", audit::name(event.decision));
    line(out, "rule", event.rule);
    line(out, "reason", event.reason);
    line(out, "policy", event.policy_sha256);
  }
  out += fmt::format("\nUnder {}\n", printable(policy.file_name()));
  line(out, "policy", policy.sha256());
  if (!one.unknown.empty()) {
    line(out, "decision", "unknown: " + one.unknown);
    return out;
  }
  const rules::Decision& d = one.decision;
  line(out, "decision", audit::name(d.verdict));
  line(out, "action", audit::name(d.action));
  line(out, "rule",
       d.line > 0 ? fmt::format("{} (line {})", d.rule, d.line) : d.rule + " (no line: absent)");
  line(out, "reason", d.reason);
  line(out, "operation", audit::describe(d.operation));
  for (const audit::Operation& other : d.others) line(out, "also", audit::describe(other));
  return out;
}

std::string to_json(const Explanation& one, const rules::Policy& policy) {
  const audit::Event& event = one.event;
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("id", event.id).member("time", format_time(event.time));
  writer.member("host", event.host).member("user", event.facts.user);
  writer.member("agent", event.agent).member("tool", event.tool).member("server", event.server);
  writer.key("recorded").begin_object();
  writer.member("decision", audit::name(event.decision)).member("rule", event.rule);
  writer.member("policy", event.policy_sha256).end_object();
  writer.key("candidate").begin_object();
  writer.member("policy", policy.file_name()).member("sha256", policy.sha256());
  if (one.unknown.empty()) {
    write_decision(writer, one.decision);
  } else {
    writer.member("decision", "unknown").member("why", one.unknown);
  }
  writer.end_object().end_object();
  out.push_back('\n');
  return out;
}

}  // namespace lilith::replay
