#include "enforcer/setup/mcp_servers.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "enforcer/setup/codex_config.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace lilith::enforcer::setup {
namespace {

using agents::Agent;

enum class From { kHome, kProject, kEtc };
struct Source {
  Agent agent;
  From from;
  const char* file;
  const char* member;
};
// docs/agents.md, "Inventory", has the sources of the rows.
constexpr std::array kSources{
    Source{Agent::kClaudeCode, From::kEtc, "claude-code/managed-mcp.json", "mcpServers"},
    Source{Agent::kClaudeCode, From::kHome, ".claude.json", "mcpServers"},
    Source{Agent::kClaudeCode, From::kProject, ".mcp.json", "mcpServers"},
    Source{Agent::kGhCopilotCli, From::kHome, ".copilot/mcp-config.json", "mcpServers"},
    Source{Agent::kVsCodeCopilot, From::kHome, ".config/Code/User/mcp.json", "servers"},
    Source{Agent::kVsCodeCopilot, From::kProject, ".vscode/mcp.json", "servers"},
    Source{Agent::kCursor, From::kHome, ".cursor/mcp.json", "mcpServers"},
    Source{Agent::kCursor, From::kProject, ".cursor/mcp.json", "mcpServers"},
    Source{Agent::kGeminiCli, From::kEtc, "gemini-cli/settings.json", "mcpServers"},
    Source{Agent::kGeminiCli, From::kHome, ".gemini/settings.json", "mcpServers"},
    Source{Agent::kGeminiCli, From::kProject, ".gemini/settings.json", "mcpServers"},
    Source{Agent::kWindsurf, From::kHome, ".codeium/windsurf/mcp_config.json", "mcpServers"},
};

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_one_of(std::string_view word, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// "1.2.3", "2025.1.14", "1.2.3-rc.1": a version, not a range or a tag.
bool is_exact(std::string_view version) {
  if (version.starts_with('v')) version.remove_prefix(1);
  const std::size_t number = std::min(version.find_first_of("-+"), version.size());
  const std::string_view core = version.substr(0, number);
  return std::count(core.begin(), core.end(), '.') >= 2 && !core.ends_with('.') &&
         core.find("..") == std::string_view::npos && core.front() != '.' &&
         core.find_first_not_of("0123456789.") == std::string_view::npos;
}

// npm: [@scope/]name@version. Python: name==version, name@version.
bool is_pinned_package(std::string_view spec) {
  if (const std::size_t at = spec.find("=="); at != std::string_view::npos) {
    return spec.substr(at + 2).find('*') == std::string_view::npos && at + 2 < spec.size();
  }
  const std::size_t at = spec.rfind('@');
  return at != std::string_view::npos && at > 0 && is_exact(spec.substr(at + 1));
}

constexpr std::array<std::string_view, 9> kRunners{"npx", "bunx", "uvx",  "pipx", "pnpx",
                                                   "uv",  "npm",  "pnpm", "yarn"};
constexpr std::array<std::string_view, 6> kRunnerVerbs{"run", "exec", "x", "dlx", "tool", "--"};
constexpr std::array<std::string_view, 3> kContainers{"docker", "podman", "nerdctl"};
constexpr std::array<std::string_view, 14> kRunnerOptions{
    "--python", "--with",  "--index-url", "--registry",   "--cache", "--directory",   "-C", "-w",
    "--prefix", "--index", "--pip-args",  "--userconfig", "-c",      "--node-options"};

Pin pin_of_packages(const std::vector<std::string>& args) {
  // Every package that is named must be exact; the first word that is no option is one as well.
  bool found = false, pinned = true;
  for (std::size_t i = 0; i < args.size(); ++i) {
    std::string_view word = args[i];
    const bool names_next = word == "-p" || word == "--package" || word == "--from" ||
                            word == "--spec" || word == "--with";
    if (names_next && i + 1 < args.size()) {
      found = true;
      pinned = pinned && is_pinned_package(args[++i]);
      continue;
    }
    for (const std::string_view option : {"--package=", "--from=", "--spec=", "--with="}) {
      if (!word.starts_with(option)) continue;
      found = true;
      pinned = pinned && is_pinned_package(word.substr(option.size()));
    }
    if (is_one_of(word, kRunnerOptions)) ++i;
    if (word.starts_with('-') || is_one_of(word, kRunnerVerbs)) continue;
    // What --from and the like name is what is fetched; the word is then a program in it.
    return found ? (pinned ? Pin::kPinned : Pin::kFloating)
                 : (is_pinned_package(word) ? Pin::kPinned : Pin::kFloating);
  }
  return found && pinned ? Pin::kPinned : Pin::kFloating;
}

void add(McpServer server, McpServers& out) {
  if (out.servers.size() >= limits::kInventoryServersMax) return;
  server.pin = server.command.empty() ? Pin::kRemote : pin_of(server.command, server.args);
  server.guarded =
      base_name(server.command) == "lilith" && !server.args.empty() && server.args.front() == "mcp";
  out.servers.push_back(std::move(server));
}

void add(const JsonNode& entry, const std::string& source, McpServers& out) {
  McpServer server;
  server.name = entry.key;
  server.source = source;
  server.command = text_member(entry, "command");
  for (const std::string_view key : {"url", "httpUrl", "serverUrl"}) {
    if (server.url.empty()) server.url = text_member(entry, key);
  }
  if (const JsonNode* args = find_member(entry, "args"); args != nullptr) {
    for (const JsonNode& word : args->children) server.args.push_back(word.text);
  }
  server.pin = server.command.empty() ? Pin::kRemote : pin_of(server.command, server.args);
  server.guarded =
      base_name(server.command) == "lilith" && !server.args.empty() && server.args.front() == "mcp";
  out.servers.push_back(std::move(server));
}

void add_all(const JsonNode& holder, std::string_view member, const std::string& source,
             McpServers& out) {
  const JsonNode* servers = find_member(holder, member);
  if (servers == nullptr || servers->type != JsonType::kObject) return;
  for (const JsonNode& entry : servers->children) {
    if (entry.type == JsonType::kObject) add(entry, source, out);
  }
}

void read_file_of(const SettingsPlace& place, std::string_view member, McpServers& out,
                  bool with_projects) {
  const auto file = read_settings(place);
  if (!file) return out.problems.push_back(file.error().message);
  if (!file->there || file->text.find_first_not_of(" \t\r\n") == std::string::npos) return;
  const auto root = parse_jsonc(file->text);
  if (!root) {
    return out.problems.push_back(printable(place.path()) + ": " + root.error().message);
  }
  add_all(*root, member, place.path(), out);
  const JsonNode* projects = with_projects ? find_member(*root, "projects") : nullptr;
  if (projects == nullptr) return;
  for (const JsonNode& project : projects->children) {
    add_all(project, member, place.path() + " (" + project.key + ")", out);
    if (project.key.starts_with('/')) {
      read_file_of({project.key, ".mcp.json", true}, member, out, false);
    }
  }
}

void read_codex(const SettingsPlace& place, McpServers& out) {
  const auto file = read_settings(place);
  if (!file) return out.problems.push_back(file.error().message);
  const auto servers = codex_servers(file->text);
  if (!servers) {
    return out.problems.push_back(printable(place.path()) + ": " + servers.error().message);
  }
  for (const CodexServer& one : *servers) {
    add({one.name, place.path(), one.command, one.args, one.url, {}, {}}, out);
  }
}

}  // namespace

std::string_view name(Pin pin) {
  switch (pin) {
    case Pin::kPinned:
      return "pinned";
    case Pin::kFloating:
      return "floating";
    case Pin::kLocal:
      return "local";
    case Pin::kRemote:
      return "remote";
  }
  return {};
}

Pin pin_of(std::string_view command, const std::vector<std::string>& args) {
  const std::string_view base = base_name(command);
  if (base == "lilith" && !args.empty() && args.front() == "mcp") {  // what it guards
    const auto dashes = std::find(args.begin(), args.end(), "--");
    if (dashes == args.end() || dashes + 1 == args.end()) return Pin::kLocal;
    return pin_of(*(dashes + 1), {dashes + 2, args.end()});
  }
  if (is_one_of(base, kContainers)) {
    return std::any_of(
               args.begin(), args.end(),
               [](const std::string& word) { return word.find("@sha256:") != std::string::npos; })
               ? Pin::kPinned
               : Pin::kFloating;
  }
  return is_one_of(base, kRunners) ? pin_of_packages(args) : Pin::kLocal;
}

McpServers mcp_servers(Agent agent, const Anchors& anchors) {
  McpServers out;
  for (const Source& source : kSources) {
    if (source.agent != agent) continue;
    const std::string& anchor = source.from == From::kHome      ? anchors.home
                                : source.from == From::kProject ? anchors.project
                                                                : anchors.etc;
    if (anchor.empty()) continue;
    read_file_of({anchor, source.file, true}, source.member, out,
                 agent == Agent::kClaudeCode && source.from == From::kHome);
  }
  if (agent == Agent::kCodex) {
    read_codex({anchors.home, ".codex/config.toml", true}, out);
    if (!anchors.project.empty()) read_codex({anchors.project, ".codex/config.toml", true}, out);
  }
  return out;
}

}  // namespace lilith::enforcer::setup
