#include "rules/explain.hpp"

#include "audit/base/text.hpp"
#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"
#include "rules/policy_model.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace lilith::rules {
namespace {

using audit::OperationKind;
using yaml::Node;

// Each denial of a call may need an entry of its own.
constexpr std::size_t kStepsMax = 64;

constexpr std::array<std::string_view, 4> kHazards{"command.exec_option", "command.dynamic_option",
                                                   "command.wrapper", "command.arithmetic"};

Node text_node(std::string_view text) { return scalar_node(text, true); }
Node word_node(std::string_view word) { return scalar_node(word, false); }
Node list_of(Node item) { return list_node({std::move(item)}); }

// A path as a pattern that matches it and as little else as the grammar can say.
std::string path_as_pattern(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '*' || c == '?' || c == '[') {
      out += std::string("[") + c + "]";
    } else if (c == '{' || c == '}' || c == '\\' || c == '$') {
      out += '?';  // these can't be written in a pattern
    } else {
      out += c;
    }
  }
  return out;
}

std::string glob_of(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '*' || c == '?' || c == '[') {
      out += std::string("[") + c + "]";
    } else {
      out += c;
    }
  }
  return out;
}

// What the policy looks like now, for a piece that must not name a section's default twice.
struct Site {
  const PolicyModel& model;
  const Caller& caller;
  const audit::Call& call;

  [[nodiscard]] Node in_tools(std::string key, Node value) const {
    std::vector<std::pair<std::string, Node>> members;
    if (model.tools.line == 0) members.emplace_back("default_action", word_node("deny"));
    members.emplace_back(std::move(key), std::move(value));
    return map_node({{"tool_invocations", map_node(std::move(members))}});
  }
  // One list of one allowed tool, or the tool alone.
  [[nodiscard]] Node in_tool(std::string_view tool, std::string list, Node value) const {
    std::vector<std::pair<std::string, Node>> members{{"name", word_node(tool)}};
    if (!list.empty()) members.emplace_back(std::move(list), std::move(value));
    return in_tools("allowed_tools", list_of(map_node(std::move(members))));
  }
  [[nodiscard]] Node in_egress(std::string key, Node value) const {
    std::vector<std::pair<std::string, Node>> members;
    if (model.egress.line == 0) members.emplace_back("default_action", word_node("deny"));
    members.emplace_back(std::move(key), std::move(value));
    return map_node({{"egress", map_node(std::move(members))}});
  }
};

struct Step {
  PolicyEdit edit;
  std::string risk;
};

Step adding(Node piece, std::string risk) { return {{std::move(piece), {}}, std::move(risk)}; }

Step removing(EntryRemoval removal, std::string risk) {
  Step step;
  step.edit.remove.push_back(std::move(removal));
  step.risk = std::move(risk);
  return step;
}

// ---- what would let a denied operation through

// RULE is SECTION[.TOOL].LIST["ENTRY"], of a block list.
std::optional<Step> without_block_entry(const DecisionTrace::Operation& one) {
  const std::string_view rule = one.rule;
  const std::size_t open = rule.find("[\"");
  if (open == std::string_view::npos || !rule.ends_with("\"]")) return std::nullopt;
  EntryRemoval removal;
  removal.text = rule.substr(open + 2, rule.size() - open - 4);
  removal.line = one.line;
  const std::string_view path = rule.substr(0, open);
  const std::size_t last = path.rfind('.');
  removal.list = path.substr(last + 1);
  const std::string_view owner = path.substr(0, last);
  if (owner.starts_with("tool_invocations.")) removal.tool = owner.substr(17);
  std::string risk = "everything that " + quote(removal.text) +
                     " blocks is open again where an allow entry or the default lets it through";
  return removing(std::move(removal), std::move(risk));
}

Step allow_host(const Site& site, const audit::Operation& op) {
  const std::string host = op.host;
  Node entry = map_node({{"host", text_node(host)},
                         {"ports", list_of(word_node(std::to_string(op.port)))},
                         {"protocols", list_of(word_node(op.protocol))}});
  return adding(site.in_egress("allowed_destinations", list_of(std::move(entry))),
                "agents may send anything they can read to " + quote(host) + " (" + op.protocol +
                    ", port " + std::to_string(op.port) + ")");
}

Step allow_path(const Site& site, const audit::Operation& op) {
  const bool writes = op.kind == OperationKind::kWriteFile;
  return adding(site.in_tool(writes ? "write_file" : "read_file", "path_allowlist",
                             list_of(text_node(path_as_pattern(op.path)))),
                std::string("agents may ") + (writes ? "change " : "read ") + quote(op.path) +
                    (writes ? ", and what it says counts for whoever reads or runs it"
                            : ", and what is read may leave by any allowed host"));
}

Step allow_command(const Site& site, const audit::Operation& op) {
  return adding(site.in_tool("run_command", "command_allowlist", list_of(word_node(op.program))),
                quote(op.program) +
                    " runs with any arguments and with the rights of the developer; what it does "
                    "itself is not "
                    "judged");
}

Step allow_hazard(const Site& site, const DecisionTrace::Operation& one) {
  Node entry = map_node({{"name", word_node(one.operation.program)},
                         {"allow_hazards", list_of(word_node(one.reason_code))}});
  return adding(site.in_tool("run_command", "command_allowlist", list_of(std::move(entry))),
                quote(one.operation.program) +
                    " may be used to run other programs, listed or not (" + one.reason_code + ")");
}

// Every member that the entry asks for, with the value of this call.
Node arguments_of(const ToolRule& rule, const audit::Call& call) {
  std::vector<std::pair<std::string, Node>> members;
  json::Document document;
  const auto root = document.parse(call.arguments);
  for (const ArgumentRule& wanted : rule.arguments) {
    const auto value = root && root->is_object() ? root->find(wanted.name) : std::nullopt;
    if (!value) continue;
    const auto text = value->string();
    const std::string shown = text ? std::string(*text) : value->to_json();
    const bool met = std::any_of(wanted.values.begin(), wanted.values.end(),
                                 [&](const Entry& one) { return wildcard_match(one.text, shown); });
    if (met) continue;
    std::vector<Node> values;
    for (const Entry& one : wanted.values) values.push_back(text_node(one.text));
    values.push_back(text_node(glob_of(shown)));
    members.emplace_back(wanted.name, list_node(std::move(values)));
  }
  return map_node(std::move(members));
}

Step allow_tool(const Site& site, const audit::Operation& op) {
  if (op.kind == OperationKind::kReadFile || op.kind == OperationKind::kWriteFile) {
    return allow_path(site, op);
  }
  if (op.kind == OperationKind::kRunCommand) {
    return adding(site.in_tool("run_command", "command_allowlist", list_node({})),
                  "builtins without effect run");
  }
  const std::string tool(site.caller.tool), server(site.caller.server);
  // A tool that took an operation's name is known by its server alone.
  const bool is_operation = audit::operation_kind(tool).has_value();
  const bool is_mcp = op.kind == OperationKind::kMcpTool;
  std::vector<std::pair<std::string, Node>> members{
      {"name", word_node(is_mcp && is_operation ? "mcp_tool" : tool)}};
  if (is_mcp && !server.empty()) members.emplace_back("servers", list_of(text_node(server)));
  const auto known = site.model.tools.allowed.find(tool);
  if (known != site.model.tools.allowed.end() && !known->second.arguments.empty()) {
    Node arguments = arguments_of(known->second, site.call);
    if (!arguments.members.empty()) members.emplace_back("arguments", std::move(arguments));
  }
  return adding(site.in_tools("allowed_tools", list_of(map_node(std::move(members)))),
                "the tool " + quote(tool) +
                    (is_mcp ? " of the MCP server " + quote(server) +
                                  " may be called; what the server does is not judged"
                            : " may be called with any arguments that its entry does not limit"));
}

std::optional<Step> letting_through(const Site& site, const DecisionTrace::Operation& one) {
  const std::string_view code = one.reason_code;
  const audit::Operation& op = one.operation;
  if (code.ends_with(".blocked")) return without_block_entry(one);
  if (code == "egress.not_listed" || code == "egress.port_or_protocol" ||
      code == "egress.no_section") {
    return allow_host(site, op);
  }
  if (code == "egress.private") {
    return adding(site.in_egress("private", word_node("true")),
                  "private addresses are open as far as the lists name them");
  }
  if (code == "path.not_listed") return allow_path(site, op);
  if (code == "path.agent_config") {
    return adding(map_node({{"protect_agent_config", word_node("false")}}),
                  "agents may rewrite their own settings, hooks and shell start-up files as far as "
                  "the lists let them, and so what runs later");
  }
  if (code == "command.not_listed") return allow_command(site, op);
  if (std::find(kHazards.begin(), kHazards.end(), code) != kHazards.end() && !op.program.empty()) {
    return allow_hazard(site, one);
  }
  if (code == "tool.not_listed" || code == "tool.no_section" || code == "mcp.not_listed") {
    return allow_tool(site, op);
  }
  return std::nullopt;
}

// ---- what would stop an allowed operation

Step stopping(const Site& site, const audit::Operation& op) {
  switch (op.kind) {
    case OperationKind::kEgress:
      return adding(
          site.in_egress("blocked_destinations", list_of(map_node({{"host", text_node(op.host)}}))),
          "every tool that needs " + quote(op.host) + " stops working");
    case OperationKind::kReadFile:
    case OperationKind::kWriteFile:
      return adding(site.in_tool(op.kind == OperationKind::kReadFile ? "read_file" : "write_file",
                                 "path_blocklist", list_of(text_node(path_as_pattern(op.path)))),
                    "nothing else is affected; shell lines that name the file are denied as well");
    case OperationKind::kRunCommand:
      if (!op.program.empty()) {
        return adding(
            site.in_tool("run_command", "command_blocklist", list_of(word_node(op.program))),
            "every line that runs " + quote(op.program) + " is denied");
      }
      return adding(site.in_tools("blocked_tools", list_of(word_node("run_command"))),
                    "no shell line runs at all");
    case OperationKind::kMcpTool:
    case OperationKind::kOther:
      break;
  }
  return adding(site.in_tools("blocked_tools", list_of(text_node(site.caller.tool))),
                "the tool is denied for every agent");
}

// ---- the change as a whole

std::string why_none(const DecisionTrace::Operation& one) {
  if (one.reason_code.starts_with("policy.")) return "there is no usable policy to change";
  if (one.reason_code == "command.path") {
    return "an entry names a program, never a path to it: the file at that path can be replaced";
  }
  return "no entry of a policy allows this: it can't be told what the call would do (" +
         one.reason_code + ")";
}

// Applies `step` on top of what was found so far.
void take(PolicyChange& change, const Step& step, std::set<std::string>& risks) {
  if (change.edit.add.kind == Node::Kind::kNull) {
    change.edit.add = step.edit.add;
  } else {
    merge(change.edit.add, step.edit.add);
  }
  change.edit.remove.insert(change.edit.remove.end(), step.edit.remove.begin(),
                            step.edit.remove.end());
  if (risks.insert(step.risk).second) {
    change.risk += (change.risk.empty() ? "" : "; ") + step.risk;
  }
}

const DecisionTrace::Operation* deciding(const DecisionTrace& trace) {
  const auto found = std::find_if(trace.operations.begin(), trace.operations.end(),
                                  [](const auto& one) { return one.deciding; });
  return found == trace.operations.end() ? nullptr : &*found;
}

// Step by step: what denies now is let through, until nothing denies or nothing helps.
void find_change(Explanation& out, const Policy& policy, std::string_view policy_yaml,
                 const Caller& caller, const CallAnalysis& analysis, const audit::Facts& facts) {
  const bool denied = out.decision.verdict == audit::Verdict::kDeny;
  std::shared_ptr<const Policy> changed;
  DecisionTrace trace = out.trace;
  std::set<std::string> risks;
  PolicyChange change;
  for (std::size_t i = 0; i < kStepsMax; ++i) {
    const DecisionTrace::Operation* one = deciding(trace);
    if (one == nullptr) break;
    const Site site{changed ? changed->model() : policy.model(), caller, *analysis.call};
    const std::optional<Step> step =
        denied ? letting_through(site, *one) : std::optional(stopping(site, one->operation));
    if (!step) {
      out.why_no_change = why_none(*one);
      return;
    }
    take(change, *step, risks);
    PolicyLoad load = load_edited(policy_yaml, policy.file_name(), change.edit);
    if (load.policy == nullptr) {
      out.why_no_change = load.diagnostics.empty() ? "the changed policy would not be valid"
                                                   : "the changed policy would not be valid: " +
                                                         load.diagnostics.front().message;
      return;
    }
    const DecisionTrace::Operation before = *one;
    changed = std::move(load.policy);
    out.after = decide_traced(*changed, caller, analysis, facts, trace);
    if (out.after.verdict != out.decision.verdict) {
      out.change = std::move(change);
      return;
    }
    const DecisionTrace::Operation* next = deciding(trace);
    if (next == nullptr ||
        (next->rule == before.rule && next->reason == before.reason && next->line == before.line)) {
      break;  // it did not help
    }
  }
  const DecisionTrace::Operation* last = deciding(trace);
  out.why_no_change = last == nullptr ? "nothing was judged" : why_none(*last);
}

}  // namespace

Explanation explain(const Policy& policy, std::string_view policy_yaml, const Caller& caller,
                    const CallAnalysis& analysis, const audit::Facts& facts) {
  Explanation out;
  out.decision = decide_traced(policy, caller, analysis, facts, out.trace);
  find_change(out, policy, policy_yaml, caller, analysis, facts);
  return out;
}

// ---- texts

namespace {

std::string place(std::string_view file_name, int line) {
  return line == 0 ? "" : " (" + printable(file_name) + ":" + std::to_string(line) + ")";
}

std::string rule_text(const DecisionTrace::Operation& one, std::string_view file_name) {
  std::string out;
  for (const DecisionTrace::Rule& rule : one.consulted) {
    out += std::string("    ") + (rule.met ? "applies   " : "no match  ") + printable(rule.rule) +
           place(file_name, rule.line) + "\n";
  }
  return out;
}

std::string removal_text(const EntryRemoval& one, std::string_view file_name) {
  const std::string owner = one.list == "blocked_destinations" ? "egress"
                            : one.tool.empty()                 ? "tool_invocations"
                                                               : "tool_invocations." + one.tool;
  return "  # take out of " + owner + "." + one.list + place(file_name, one.line) + ":\n  #   - " +
         to_yaml(list_node({scalar_node(one.text, true)})).substr(2);
}

}  // namespace

std::string to_text(const Explanation& explanation, std::string_view file_name) {
  const Decision& decision = explanation.decision;
  std::string out = std::string(audit::name(decision.action)) + ": " +
                    printable(audit::describe(decision.operation)) + "\n";
  if (!decision.reason.empty()) out += "  why   " + printable(decision.reason) + "\n";
  out += "  rule  " + printable(decision.rule) + place(file_name, decision.line) + "\n\n";
  out += "operations, in the order of the call:\n";
  int number = 0;
  for (const DecisionTrace::Operation& one : explanation.trace.operations) {
    out += "  " + std::to_string(++number) + ". " + (one.allowed ? "allow " : "deny  ") +
           printable(audit::describe(one.operation)) + (one.deciding ? "   <- decides" : "") + "\n";
    out += rule_text(one, file_name);
    if (!one.reason_code.empty()) out += "    " + one.reason_code + "\n";
  }
  if (explanation.change.edit.empty()) {
    return out +
           "\nno change of the policy would turn this: " + printable(explanation.why_no_change) +
           "\n";
  }
  out += std::string("\nthe smallest change that makes it ") +
         std::string(audit::name(explanation.after.action)) +
         ", tried on this call (for the keys and lists of these names):\n";
  for (const EntryRemoval& one : explanation.change.edit.remove) {
    out += removal_text(one, file_name);
  }
  out += to_yaml(explanation.change.edit.add, 2);
  return out + "risk: " + printable(explanation.change.risk) + "\n";
}

namespace {

void append_operation(json::Writer& writer, const DecisionTrace::Operation& one) {
  writer.begin_object().member("operation", audit::describe(one.operation));
  writer.member("decision", one.allowed ? "allow" : "deny").member("deciding", one.deciding);
  writer.member("mode", audit::name(one.mode)).member("rule", one.rule).member("line", one.line);
  writer.member("reason_code", one.reason_code).member("reason", one.reason);
  writer.key("consulted").begin_array();
  for (const DecisionTrace::Rule& rule : one.consulted) {
    writer.begin_object().member("rule", rule.rule).member("line", rule.line);
    writer.member("applies", rule.met).end_object();
  }
  writer.end_array().end_object();
}

void append_change(json::Writer& writer, const Explanation& explanation) {
  if (explanation.change.edit.empty()) {
    writer.member("no_change", explanation.why_no_change);
    return;
  }
  writer.key("change").begin_object();
  writer.member("makes_it", audit::name(explanation.after.action));
  writer.member("add_yaml", to_yaml(explanation.change.edit.add));
  writer.key("remove").begin_array();
  for (const EntryRemoval& one : explanation.change.edit.remove) {
    writer.begin_object().member("tool", one.tool).member("list", one.list);
    writer.member("entry", one.text).member("line", one.line).end_object();
  }
  writer.end_array().member("risk", explanation.change.risk).end_object();
}

}  // namespace

std::string to_json(const Explanation& explanation, std::string_view file_name) {
  const Decision& decision = explanation.decision;
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("file", file_name);
  writer.member("decision", audit::name(decision.verdict));
  writer.member("action", audit::name(decision.action));
  writer.member("mode", audit::name(decision.mode));
  writer.member("rule", decision.rule).member("line", decision.line);
  writer.member("reason_code", decision.reason_code).member("reason", decision.reason);
  writer.member("technique", decision.technique);
  writer.member("operation", audit::describe(decision.operation));
  writer.key("operations").begin_array();
  for (const auto& one : explanation.trace.operations) append_operation(writer, one);
  writer.end_array();
  append_change(writer, explanation);
  writer.end_object();
  return out + "\n";
}

}  // namespace lilith::rules
