#include "tests/mcp/mcp_fixture.hpp"

#include "audit/base/clock.hpp"
#include "audit/codec.hpp"

#include <gtest/gtest.h>

#include <unistd.h>
#include <utility>

namespace lilith::test {

using enforcer::Gate;
using enforcer::mcp::Pins;
using enforcer::mcp::Session;

McpFolder::McpFolder() { write_text(file("work/note.txt"), "a note\n"); }

void McpFolder::write_policy(std::string_view mode, std::string_view tools_default) const {
  write_text(policy_path(), R"(version: "1"
mode: )" + std::string(mode) + R"(
tool_invocations:
  default_action: )" + std::string(tools_default) +
                                R"(
  allowed_tools:
    - name: mcp__demo__echo
      arguments: {text: "ok*"}
    - name: mcp__demo__add
    - name: ReadMcpResourceTool
      servers: [demo]
    - name: read_file
      path_allowlist: [")" + file("work") +
                                R"(/**"]
audit:
  enabled: true
  log_path: ")" + log() + "\"\n");
}

std::vector<audit::Event> McpFolder::events() const {
  std::vector<audit::Event> out;
  if (::access(log().c_str(), F_OK) != 0) return out;
  for (const std::string& line : lines_of(read_text(log()))) {
    auto event = audit::decode(line);
    EXPECT_TRUE(event) << line;
    if (event) out.push_back(std::move(*event));
  }
  return out;
}

std::vector<audit::Event> McpFolder::events(audit::EventType type) const {
  std::vector<audit::Event> out;
  for (audit::Event& event : events()) {
    if (event.type == type) out.push_back(std::move(event));
  }
  return out;
}

McpSession::McpSession(const McpFolder& folder, enforcer::mcp::PinMode pin)
    : pins_(folder.pins_path()) {
  rules::UserRecord user{"dev", 1000, "/home/dev"};
  enforcer::Places places;
  places.system_policy = folder.file("none.yaml");
  places.system_recorder = folder.file("none.sock");
  places.system_state = folder.file("system-state");
  places.user_state = folder.file("state");
  gate_ = std::make_unique<Gate>(
      enforcer::GateOptions{folder.policy_path(), "", "", "session-1", "test",
                            audit::Enforcement::kAdvisory, false, true},
      system_clock(), rules::real_file_system(), std::move(user), std::move(places),
      enforcer::AgentProcess{4711, "8823912", "/usr/bin/node"}, folder.file("work"));
  EXPECT_TRUE(pins_.load());
  session_ = std::make_unique<Session>(*gate_, pins_, enforcer::mcp::SessionOptions{"demo", pin});
}

std::string McpSession::to_server_after(std::string_view client_line) {
  session_->from_client(std::string(client_line) + "\n");
  return std::exchange(session_->to_server, {});
}

std::string McpSession::to_client_after(std::string_view server_line) {
  session_->from_server(std::string(server_line) + "\n");
  return std::exchange(session_->to_client, {});
}

std::string McpSession::answers() { return std::exchange(session_->to_client, {}); }

std::string call_of(std::string_view tool, std::string_view arguments) {
  return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + std::string(tool) +
         R"(","arguments":)" + std::string(arguments) + "}}";
}

}  // namespace lilith::test
