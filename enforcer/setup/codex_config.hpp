#pragma once
// The MCP servers of Codex's config.toml.

#include "audit/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lilith::enforcer::setup {

struct CodexServer {
  std::string name, command, url;
  std::vector<std::string> args;
};
// Of the tables mcp_servers.NAME, by name. kInvalidInput, with line and column: it is no TOML.
[[nodiscard]] Result<std::vector<CodexServer>> codex_servers(std::string_view toml);

}  // namespace lilith::enforcer::setup
