#pragma once
// The decision: observe(call, machine) -> Facts gathers what the machine knows, decide(policy,
// call, facts) is pure. Enforcer and replay use the same two functions; there is no other
// evaluator.

#include "audit/event.hpp"
#include "rules/command.hpp"
#include "rules/path.hpp"
#include "rules/policy.hpp"

#include <string>
#include <vector>

namespace lilith::rules {

// A call with its shell text read: the policy-independent half of a decision, made once per call
// and used by observe() and by every candidate policy. Holds a copy of nothing large; `call` must
// outlive it.
struct CallAnalysis {
  const audit::Call* call = nullptr;
  CommandAnalysis command;  // of call->command, when there is one
};
[[nodiscard]] CallAnalysis analyse(const audit::Call& call);

struct UserRecord {
  std::string name;
  std::int64_t uid = -1;
  std::string home;
};
// From the user database, not from the environment, which the agent controls. kUnavailable where
// this program can't ask the name service (audit/base/users.hpp).
[[nodiscard]] Result<UserRecord> current_user();

// Resolves every path and looks at every path-qualified program that a policy could ask about.
[[nodiscard]] audit::Facts observe(const CallAnalysis& analysis, const UserRecord& user,
                                   std::string_view cwd, const FileSystem& file_system);

// Who called which tool: the names that a policy's tool list and tool_aliases are matched against.
struct Caller {
  std::string_view agent;   // claude_code, ...
  std::string_view tool;    // the agent's own tool name
  std::string_view server;  // MCP server, empty otherwise
};

// Reading a resource of an MCP server. Its kind may be read_file or egress, by what its URI names;
// the server must be allowed besides.
inline constexpr std::string_view kMcpResourceTool = "ReadMcpResourceTool";

struct Decision {
  audit::Verdict verdict = audit::Verdict::kDeny;
  audit::Mode mode = audit::Mode::kEnforce;       // of the section that decided
  audit::Action action = audit::Action::kDenied;  // allowed, denied, would_deny
  audit::Category category = audit::Category::kToolInvocation;
  std::string rule;         // policy path, stable across edits of other rules:
                            // egress.blocked_destinations["*.ngrok.io"]
  int line = 0;             // in the policy file, 0: no line (an absent section)
  std::string reason_code;  // closed list, docs/policy.md
  std::string reason;  // one sentence for the developer; names the rule and the part of the input
  std::string technique;                 // ATT&CK id; empty for allow
  audit::Operation operation;            // the deciding one
  std::vector<audit::Operation> others;  // the distinct others
  std::size_t operations = 0;            // how many in all
};

// Pure: the same arguments give the same decision on every machine.
[[nodiscard]] Decision decide(const Policy& policy, const Caller& caller,
                              const CallAnalysis& analysis, const audit::Facts& facts);

// One connection, for the egress proxy: protocol is http, https, ws, wss, ssh or tcp.
[[nodiscard]] Decision decide_connection(const Policy& policy, std::string_view host, int port,
                                         std::string_view protocol);

// The decision when there is no usable policy: everything is denied, and `why` says why.
[[nodiscard]] Decision deny_without_policy(std::string_view why);

}  // namespace lilith::rules
