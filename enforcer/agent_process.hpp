#pragma once
// Which process is the agent: alerts count by it.

#include <cstdint>
#include <string>

namespace lilith::enforcer {

struct AgentProcess {
  std::int64_t pid = 0;
  std::string start;  // clock ticks after boot, field 22 of /proc/PID/stat (proc(5))
  std::string exe;    // empty when it belongs to someone else
};

// The nearest ancestor of a process that is neither shell nor wrapper; its parent when there is
// none. `parent` is the pid of that parent. `proc` is /proc outside of tests.
[[nodiscard]] AgentProcess agent_process_above(std::int64_t parent,
                                               const std::string& proc = "/proc");
// The same from the pid of the process itself.
[[nodiscard]] AgentProcess agent_process_of(std::int64_t pid, const std::string& proc = "/proc");

// Process `pid` itself.
[[nodiscard]] AgentProcess process_of(std::int64_t pid, const std::string& proc = "/proc");

// "HOST/PID/START"
[[nodiscard]] std::string process_key(const std::string& host, const AgentProcess& process);

}  // namespace lilith::enforcer
