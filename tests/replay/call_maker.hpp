#pragma once
// Calls as the hook would have recorded them, for tests of the planner.

#include "audit/event.hpp"
#include "rules/policy.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace lilith::test {

// Commands of one developer; every event gets an id of its own.
class CallMaker {
 public:
  [[nodiscard]] audit::Event command(std::string_view host, std::string_view user,
                                     std::string_view time, std::string_view command) {
    audit::Event event = base(host, user, time, "Bash", audit::OperationKind::kRunCommand);
    event.call.command = command;
    return event;
  }
  [[nodiscard]] audit::Event read(std::string_view host, std::string_view user,
                                  std::string_view time, std::string_view path) {
    audit::Event event = base(host, user, time, "Read", audit::OperationKind::kReadFile);
    event.call.paths = {std::string(path)};
    return event;
  }
  [[nodiscard]] audit::Event write(std::string_view host, std::string_view user,
                                   std::string_view time, std::string_view path) {
    audit::Event event = base(host, user, time, "Edit", audit::OperationKind::kWriteFile);
    event.call.paths = {std::string(path)};
    return event;
  }
  [[nodiscard]] audit::Event fetch(std::string_view host, std::string_view user,
                                   std::string_view time, std::string_view url) {
    audit::Event event = base(host, user, time, "WebFetch", audit::OperationKind::kEgress);
    event.call.urls = {std::string(url)};
    return event;
  }
  [[nodiscard]] audit::Event tool(std::string_view host, std::string_view user,
                                  std::string_view time, std::string_view name) {
    audit::Event event = base(host, user, time, name, audit::OperationKind::kOther);
    event.call.arguments = "{}";
    return event;
  }

 private:
  audit::Event base(std::string_view host, std::string_view user, std::string_view time,
                    std::string_view tool, audit::OperationKind kind) {
    audit::Event event;
    event.id = "id-" + std::to_string(++made_);
    event.time = parse_time(time).value();
    event.host = host;
    event.agent = "claude_code";
    event.tool = tool;
    event.session = std::string(host) + "-" + std::string(time.substr(0, 10));
    event.decision = audit::Verdict::kAllow;
    event.action = audit::Action::kAllowed;
    event.call.kind = kind;
    event.facts.user = user;
    event.facts.home = "/home/" + std::string(user);
    event.facts.cwd = event.facts.home + "/projects/app";
    return event;
  }
  int made_ = 0;
};

inline std::shared_ptr<const rules::Policy> policy_of(std::string_view yaml) {
  rules::PolicyLoad load = rules::load_policy(yaml, "policy.yaml");
  for (const rules::Diagnostic& one : load.diagnostics) {
    if (one.severity == rules::Severity::kError) ADD_FAILURE() << rules::to_string(one);
  }
  return load.policy;
}

}  // namespace lilith::test
