#include "audit/base/text.hpp"
#include "audit/json/reader.hpp"
#include "rules/judge.hpp"

#include <algorithm>

namespace lilith::rules {
namespace {

// Names of `member` in the arguments that a rule asks for.
enum class Match { kNo, kYes, kUnreadable };

Match arguments_match(const ToolRule& rule, const Call& call) {
  if (rule.arguments.empty()) return Match::kYes;
  json::Document document;
  const auto root = document.parse(call.arguments);
  if (!root || !root->is_object()) return Match::kUnreadable;
  const bool all =
      std::all_of(rule.arguments.begin(), rule.arguments.end(), [&](const ArgumentRule& wanted) {
        const auto member = root->find(wanted.name);
        if (!member) return false;
        const auto text = member->string();
        const std::string value = text ? std::string(*text) : member->to_json();
        return std::any_of(wanted.values.begin(), wanted.values.end(),
                           [&](const Entry& entry) { return wildcard_match(entry.text, value); });
      });
  return all ? Match::kYes : Match::kNo;
}

bool lists_server(const ToolRule& rule, std::string_view server) {
  return std::any_of(rule.servers.begin(), rule.servers.end(),
                     [&](const Entry& entry) { return entry.text == server; });
}

}  // namespace

// What no list names: the section's default decides.
void Judge::tool_default(Judged one, std::string_view code) {
  one.section = p_.tools.line == 0 ? kTools : kToolsDefault;
  one.tool = one.list = {};
  one.entry.reset();
  one.line = p_.tools.default_line;
  one.deny = !tools_default_allow();
  note(kToolsDefault, {}, {}, one.line, true);
  if (one.deny) {
    one.code = p_.tools.line == 0 ? "tool.no_section" : code;
    one.tell = p_.tools.line == 0 ? +[](const Judged& j, std::string_view, Sentence& out) {
      out += "the policy has no tool_invocations section, so ";
      out += j.said;
      out += " is denied";
    } : +[](const Judged& j, std::string_view, Sentence& out) {
      out += j.said;
      out += " is not listed in tool_invocations.allowed_tools";
    };
  }
  add(one);
}

// The entry of blocked_tools that closes the call. What can't be read is closed: arguments that are
// no JSON object (or belong to a tool whose arguments are judged by its own lists), and a server
// that the agent did not name but that stands in the tool's name.
const ToolRule* Judge::blocked_tool(std::string_view name, const Call& call) const {
  const auto found = p_.tools.blocked.find(name);
  if (found == p_.tools.blocked.end()) return nullptr;
  const ToolRule& rule = found->second;
  if (rule.has_servers && !lists_server(rule, caller_.server)) {
    const bool in_name =
        caller_.server.empty() &&
        std::any_of(rule.servers.begin(), rule.servers.end(), [&](const Entry& entry) {
          return caller_.tool.find(entry.text) != std::string_view::npos;
        });
    if (!in_name) return nullptr;
  }
  return arguments_match(rule, call) == Match::kNo ? nullptr : &rule;
}

// blocked_tools beats every allow list. An entry may name the operation or the agent's own tool.
void Judge::judge_blocked_tool(OperationKind kind, const Call& call) {
  if (p_.tools.blocked.empty()) return;
  const ToolRule* rule = blocked_tool(audit::name(kind), call);
  if (rule == nullptr || !rule->always_block) {
    const ToolRule* own = blocked_tool(caller_.tool, call);
    if (own != nullptr && (rule == nullptr || own->always_block)) rule = own;
  }
  if (rule == nullptr) return;
  note(kTools, {}, "blocked_tools", rule->line, true, rule->name);
  Judged one;
  one.deny = true;
  one.always_block = rule->always_block;
  one.kind = kind;
  one.section = kTools;
  one.list = "blocked_tools";
  one.entry = rule->name;
  one.line = rule->line;
  one.code = "tool.blocked";
  one.technique = kind == OperationKind::kMcpTool      ? "T1190"
                  : kind == OperationKind::kRunCommand ? "T1059"
                  : kind == OperationKind::kEgress     ? "T1048"
                                                       : "";
  auto* operation = texts_.make<OperationView>();
  operation->kind = kind;
  operation->name = caller_.tool;
  operation->server = caller_.server;
  if (!call.paths.empty()) operation->path = call.paths.front();
  if (!call.urls.empty()) operation->url = call.urls.front();
  operation->command = call.command;
  one.operation = operation;
  one.tell = [](const Judged& j, std::string_view by, Sentence& out) {
    tell_of(out, "the tool ", *j.entry, " is blocked by ", by);
  };
  add(one);
}

void Judge::judge_mcp(const Call& call) {
  Judged one;
  one.kind = OperationKind::kMcpTool;
  one.section = kTools;
  // An entry for another operation or for an agent's own tool never allows an MCP tool that took
  // its name: without a list of servers, the name must itself say the server.
  const bool is_operation =
      caller_.tool == "mcp_tool" || audit::operation_kind(caller_.tool).has_value();
  const bool says_server =
      caller_.server.empty() || caller_.tool.find(caller_.server) != std::string_view::npos;
  for (const bool own : {true, false}) {
    const ToolRule* rule = own ? is_operation ? nullptr : tool(caller_.tool) : tool("mcp_tool");
    if (rule == nullptr) continue;
    const bool server_listed =
        rule->has_servers ? lists_server(*rule, caller_.server) : own && says_server;
    const bool met = server_listed && arguments_match(*rule, call) == Match::kYes;
    note(kTools, rule->name, {}, rule->line, met);
    if (!met) continue;
    one.tool = rule->name;
    one.line = rule->line;
    add(one);
    return;
  }
  one.technique = "T1190";
  one.said = texts_.joined(
      {"the MCP tool '", printable(caller_.tool), "' of server '", printable(caller_.server), "'"});
  tool_default(one, "mcp.not_listed");
}

void Judge::judge_other(const Call& call) {
  Judged one;
  one.kind = OperationKind::kOther;
  one.section = kTools;
  // An entry for a canonical operation allows what that operation's lists allow, never a tool of
  // its name.
  const bool is_operation = audit::operation_kind(caller_.tool).has_value();
  const ToolRule* rule = is_operation ? nullptr : tool(caller_.tool);
  const bool met =
      rule != nullptr && !rule->has_servers && arguments_match(*rule, call) == Match::kYes;
  if (rule != nullptr) note(kTools, rule->name, {}, rule->line, met);
  if (met) {
    one.tool = rule->name;
    one.line = rule->line;
    add(one);
    return;
  }
  one.said = texts_.joined({"the tool '", printable(caller_.tool), "'"});
  tool_default(one, "tool.not_listed");
}

}  // namespace lilith::rules
