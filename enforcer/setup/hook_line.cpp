#include "enforcer/setup/hook_line.hpp"

#include <algorithm>

namespace lilith::enforcer::setup {
namespace {

constexpr std::string_view kPlain =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=@%+,";

// Words as a shell splits a simple line: quotes and backslashes, nothing that expands.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> out;
  bool inside = false;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == '\0' && (c == ' ' || c == '\t' || c == '\n')) {
      inside = false;
      continue;
    }
    if (!inside) out.emplace_back();
    inside = true;
    if (c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      out.back().push_back(line[++i]);
    } else {
      out.back().push_back(c);
    }
  }
  return out;
}

constexpr std::string_view kClosed = " || exit 2";
// For agents that take an exit with 2 and nothing on standard error, or one before they had written
// the whole event, for a failure of the hook, and then run the tool.
constexpr std::string_view kClosedAloud =
    " || { c=$?; cat >/dev/null; [ $c = 2 ] || echo \"the hook of lilith did not run\" >&2; exit "
    "2; }";
constexpr std::string_view kOpen = " --on-error allow || exit 0";

// Codex starts the line with the user's own $SHELL, which need not be a POSIX shell; Gemini CLI
// denies only where there is something on standard error.
bool needs_to_say_it(agents::Agent agent) {
  return agent == agents::Agent::kCodex || agent == agents::Agent::kGeminiCli;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::string shell_word(std::string_view word) {
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(word);
  }
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string to_shell(const HookLine& line) {
  std::string out = shell_word(line.program);
  if (base_name(line.program) != "lilith-hook") out += " hook";
  out += " --agent " + std::string(agents::name(line.agent));
  // Its events don't name themselves.
  if (line.agent == agents::Agent::kGhCopilotCli) out += " --event preToolUse";
  if (!line.policy.empty()) out += " --policy " + shell_word(line.policy);
  if (!line.recorder.empty()) out += " --recorder " + shell_word(line.recorder);
  if (line.rollout) return out.append(kOpen);
  if (!needs_to_say_it(line.agent)) return out.append(kClosed);
  return "/bin/sh -c " + shell_word(out.append(kClosedAloud));
}

std::string plain_line(std::string_view line) {
  std::string out(line);
  const std::vector<std::string> words = words_of(line);
  if (words.size() == 3 && words[0] == "/bin/sh" && words[1] == "-c") out = words[2];
  for (const std::string_view ending : {kClosed, kClosedAloud, std::string_view(" || exit 0")}) {
    if (!out.ends_with(ending)) continue;
    out.resize(out.size() - ending.size());
    break;
  }
  return out;
}

std::optional<FoundLine> read_hook_line(std::string_view line) {
  const std::vector<std::string> words = words_of(line);
  if (words.size() == 3 && base_name(words[0]) == "sh" && words[1] == "-c" && words[2] != line) {
    return read_hook_line(words[2]);
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view base = base_name(words[i]);
    const bool front_door = base == "lilith" && i + 1 < words.size() && words[i + 1] == "hook";
    if (!front_door && base != "lilith-hook") continue;
    FoundLine found;
    found.program = words[i];
    bool named = false;
    for (std::size_t j = i + 1; j < words.size() && words[j] != "||"; ++j) {
      std::string_view value;
      if (words[j] == "--agent" && j + 1 < words.size()) value = words[j + 1];
      if (words[j].starts_with("--agent=")) value = std::string_view(words[j]).substr(8);
      const auto agent = agents::agent_from_name(value);
      if (!agent) continue;
      found.agent = *agent;
      named = true;
    }
    if (!named) continue;
    found.fails_closed = line.ends_with(kClosed) || line.ends_with(kClosedAloud);
    return found;
  }
  return std::nullopt;
}

}  // namespace lilith::enforcer::setup
