#pragma once
// `lilith mcp`: an MCP server over stdio as a child of ours (for one over HTTP: the program that
// speaks to it), every message between it and the client through a Session.

#include "enforcer/mcp/session.hpp"
#include "enforcer/mcp/upstream.hpp"

#include <string>
#include <vector>

namespace lilith::enforcer::mcp {

struct ProxyOptions {
  std::vector<std::string> command;  // the server: program (looked for in PATH) and arguments
  int client_in = 0, client_out = 1;
};

// Runs the server until it ends; signals that end a process are handed on to it. Returns its exit
// code, 128 + signal when a signal ended it. kNotFound or kIo when it can't be started. Blocks
// signals of this process for good.
[[nodiscard]] Result<int> run_proxy(const ProxyOptions& options, Session& session);

struct McpArguments {
  std::string server, policy, recorder, agent;
  std::string pin = "record";  // off, record, deny
  std::vector<std::string> command;
  Upstream upstream;  // instead of a command
  std::string engine;
};
// The command line's work; returns the exit code (docs/exit-codes.md).
[[nodiscard]] int mcp_main(const McpArguments& arguments);

}  // namespace lilith::enforcer::mcp
