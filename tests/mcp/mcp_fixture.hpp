#pragma once
// A folder with a policy, a log and a place for pins; sessions over a real gate in it.

#include "audit/event.hpp"
#include "enforcer/mcp/session.hpp"
#include "tests/support/support.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::test {

class McpFolder {
 public:
  McpFolder();
  [[nodiscard]] std::string file(std::string_view name) const { return folder_.file(name); }
  [[nodiscard]] std::string log() const { return folder_.file("log/agent-audit.log"); }
  [[nodiscard]] std::string policy_path() const { return folder_.file("policy.yaml"); }
  [[nodiscard]] std::string pins_path() const { return folder_.file("state/pins.json"); }

  // The tools `echo` and `add` of server "demo" may be called, `echo` only with a "text" that
  // begins with "ok"; resources of "demo" may be read below FOLDER/work.
  void write_policy(std::string_view mode = "enforce",
                    std::string_view tools_default = "deny") const;
  [[nodiscard]] std::vector<audit::Event> events() const;
  [[nodiscard]] std::vector<audit::Event> events(audit::EventType type) const;

 private:
  TempDir folder_;
};

// One session over the gate of the folder, with the real files behind it.
class McpSession {
 public:
  explicit McpSession(const McpFolder& folder,
                      enforcer::mcp::PinMode pin = enforcer::mcp::PinMode::kRecord);
  enforcer::mcp::Session& operator*() { return *session_; }
  enforcer::mcp::Session* operator->() { return session_.get(); }
  // What the other side gets to see of a line (LF is added), and takes it away.
  [[nodiscard]] std::string to_server_after(std::string_view client_line);
  [[nodiscard]] std::string to_client_after(std::string_view server_line);
  [[nodiscard]] std::string answers();  // what waits for the client

 private:
  std::unique_ptr<enforcer::Gate> gate_;
  enforcer::mcp::Pins pins_;
  std::unique_ptr<enforcer::mcp::Session> session_;
};

// A tools/call of id 1.
[[nodiscard]] std::string call_of(std::string_view tool, std::string_view arguments = "{}");

}  // namespace lilith::test
