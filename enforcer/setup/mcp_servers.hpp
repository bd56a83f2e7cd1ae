#pragma once
// The MCP servers that agents are told to start or to call.

#include "enforcer/setup/agent_settings.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::setup {

// Whether the program that starts tomorrow is the one that starts today.
enum class Pin {
  kPinned,    // a package runner with an exact version, an image with a digest
  kFloating,  // a package runner that takes what is newest, an image by its tag
  kLocal,     // a program of this machine
  kRemote     // an address
};
[[nodiscard]] std::string_view name(Pin pin);

struct McpServer {
  std::string name;
  std::string source;  // the file that says so
  std::string command;
  std::vector<std::string> args;
  std::string url;
  Pin pin = Pin::kLocal;
  bool guarded = false;  // started through `lilith mcp`
};
struct McpServers {
  std::vector<McpServer> servers;
  std::vector<std::string> problems;  // files that could not be read, each with its reason
};
// Of one agent, by the files of the home, the project, /etc and, for Claude Code, of the projects
// that its own file names.
[[nodiscard]] McpServers mcp_servers(agents::Agent agent, const Anchors& anchors);

[[nodiscard]] Pin pin_of(std::string_view command, const std::vector<std::string>& args);

}  // namespace lilith::enforcer::setup
