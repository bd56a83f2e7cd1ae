#include "enforcer/setup/codex_config.hpp"

#include <toml++/toml.h>

namespace lilith::enforcer::setup {

Result<std::vector<CodexServer>> codex_servers(std::string_view toml) {
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return fail(ErrorCode::kInvalidInput, "line " + std::to_string(error.source().begin.line) +
                                              ", column " +
                                              std::to_string(error.source().begin.column) + ": " +
                                              std::string(error.description()));
  }
  std::vector<CodexServer> out;
  const toml::table* servers = parsed.table()["mcp_servers"].as_table();
  if (servers == nullptr) return out;
  for (const auto& [key, value] : *servers) {
    const toml::table* entry = value.as_table();
    if (entry == nullptr) continue;
    CodexServer server;
    server.name = key.str();
    server.command = (*entry)["command"].value_or(std::string());
    server.url = (*entry)["url"].value_or(std::string());
    if (const toml::array* args = (*entry)["args"].as_array()) {
      for (const toml::node& word : *args) server.args.push_back(word.value_or(std::string()));
    }
    out.push_back(std::move(server));
  }
  return out;
}

}  // namespace lilith::enforcer::setup
