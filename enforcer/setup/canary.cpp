#include "enforcer/setup/canary.hpp"

#include "audit/base/text.hpp"
#include "audit/base/unique_fd.hpp"
#include "audit/codec.hpp"
#include "audit/json/writer.hpp"
#include "enforcer/setup/hook_line.hpp"
#include "enforcer/setup/json_edit.hpp"
#include "enforcer/setup/ownership.hpp"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::enforcer::setup {
namespace {

using agents::Agent;

// A quote that is not closed: no shell runs it, and no policy allows it.
constexpr std::string_view kCommand = "lilith-doctor 'canary";
constexpr off_t kTailBytes = off_t{1024} * 1024;

// The last part of a log, which holds what was written a moment ago.
Result<std::string> tail_of(const std::string& path) {
  const UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  struct stat info{};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return fail_errno("cannot read " + path);
  const off_t from = std::max<off_t>(info.st_size - kTailBytes, 0);
  std::string bytes(static_cast<std::size_t>(info.st_size - from), '\0');
  const ssize_t got = ::pread(fd.get(), bytes.data(), bytes.size(), from);
  if (got < 0) return fail_errno("cannot read " + path);
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

}  // namespace

std::string canary_event(Agent agent, std::string_view token) {
  const auto input = [](json::Writer& writer, std::string_view key) {
    writer.key("tool_input").begin_object().member(key, kCommand).end_object();
  };
  switch (agent) {
    case Agent::kGhCopilotCli:
      return object([&](json::Writer& event) {
        event.member("sessionId", token).member("cwd", "/").member("toolName", "bash");
        event.key("toolArgs").begin_object().member("command", kCommand).end_object();
      });
    case Agent::kCursor:
      return object([&](json::Writer& event) {
        event.member("conversation_id", token).member("hook_event_name", "beforeShellExecution");
        event.member("command", kCommand).member("cwd", "/");
      });
    case Agent::kWindsurf:
      return object([&](json::Writer& event) {
        event.member("agent_action_name", "pre_run_command").member("trajectory_id", token);
        event.key("tool_info").begin_object().member("command_line", kCommand).member("cwd", "/");
        event.end_object();
      });
    case Agent::kGeminiCli:
      return object([&](json::Writer& event) {
        event.member("session_id", token).member("hook_event_name", "BeforeTool");
        event.member("cwd", "/").member("tool_name", "run_shell_command");
        input(event, "command");
      });
    case Agent::kClaudeCode:
    case Agent::kVsCodeCopilot:
    case Agent::kCodex:
      break;
  }
  return object([&](json::Writer& event) {
    event.member("session_id", token).member("hook_event_name", "PreToolUse").member("cwd", "/");
    event.member("tool_name", agent == Agent::kVsCodeCopilot ? "run_in_terminal" : "Bash");
    input(event, "command");
    event.member("tool_use_id", token);
  });
}

std::optional<audit::Event> find_in_log(const std::vector<std::string>& logs,
                                        std::string_view token, std::string& problem) {
  for (const std::string& path : logs) {
    const auto tail = tail_of(path);
    if (!tail) {
      if (tail.error().os_errno != ENOENT && problem.empty()) problem = tail.error().message;
      continue;
    }
    const std::size_t at = tail->rfind(token);
    if (at == std::string::npos) continue;
    const std::size_t begin = tail->rfind('\n', at) + 1;  // npos + 1 is 0
    const std::size_t end = std::min(tail->find('\n', at), tail->size());
    auto event = audit::decode(std::string_view(*tail).substr(begin, end - begin));
    if (event && event->session == token) return std::move(*event);
  }
  return std::nullopt;
}

std::string why_not_run(std::string_view line, const std::string& own_folder, bool trusted_only) {
  constexpr std::string_view kExpands = "$`;&<>(){}*?[]\n#!";
  const std::string plain = plain_line(line);
  const auto found = read_hook_line(plain);
  if (!found || plain.find_first_of(kExpands) != std::string::npos ||
      plain.find('|') != std::string::npos ||
      !plain.starts_with(shell_word(found->program) + " ")) {
    return "the line is not of the form that lilith install writes, so it was not tried";
  }
  if (!found->program.starts_with('/')) return "the program is not named by an absolute path";
  struct stat info{};
  if (::stat(found->program.c_str(), &info) != 0) return {};  // the line itself will tell
  const std::filesystem::path program(found->program);
  if (program.parent_path() == own_folder) return {};
  const bool of_root = info.st_uid == 0 && who_else_can_write(found->program, 0).empty();
  const bool of_user = info.st_uid == ::geteuid() && !trusted_only;
  if (of_root || of_user) return {};
  return "the program is neither root's nor of this installation, so it was not tried";
}

}  // namespace lilith::enforcer::setup
