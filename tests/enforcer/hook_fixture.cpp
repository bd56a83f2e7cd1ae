#include "tests/enforcer/hook_fixture.hpp"

#include "audit/codec.hpp"
#include "audit/json/writer.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <unistd.h>

namespace lilith::test {

std::string lilith_program() { return std::string(LILITH_BIN_DIR) + "/lilith"; }

std::vector<std::string> hook_program() {
  const char* named = std::getenv("LILITH_HOOK_PROGRAM");
  if (named != nullptr && *named != '\0') return {std::string(LILITH_BIN_DIR) + "/" + named};
  return {lilith_program(), "hook"};
}

HookFolder::HookFolder() { std::filesystem::create_directories(file("work")); }

void HookFolder::write_policy(const PolicyText& text) const {
  write_text(file("policy.yaml"), R"(version: "1"
mode: )" + text.mode + R"(
egress:
  default_action: )" + text.egress_default +
                                      R"(
  allowed_destinations:
    - host: ok.example
tool_invocations:
  default_action: )" + text.tools_default +
                                      R"(
  allowed_tools:
    - name: run_command
      command_allowlist: [git]
      command_blocklist: [curl]
    - name: read_file
      path_allowlist: [")" + path() + R"(/work/**"]
      path_blocklist: ["**/*.key"]
    - name: write_file
      path_allowlist: [")" + path() + R"(/work/**"]
audit:
  enabled: true
  log_path: ")" + log() + "\"\n" + text.audit_lines);
}

std::vector<std::string> HookFolder::command(std::string_view agent,
                                             const std::vector<std::string>& more) const {
  std::vector<std::string> argv = hook_program();
  argv.insert(argv.end(), {"--agent", std::string(agent), "--policy", "policy.yaml"});
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

ProcessOptions HookFolder::options(std::string input) const {
  std::string hook;
  for (const std::string& word : hook_program()) hook += (hook.empty() ? "" : " ") + word;
  ProcessOptions options;
  options.input = std::move(input);
  options.directory = path();
  options.environment = {{"XDG_STATE_HOME", file("state")},
                         {"LILITH", lilith_program()},
                         {"HOOK", hook},
                         {"LILITH_POLICY", ""},
                         {"LILITH_RECORDER", ""}};
  return options;
}

ProcessResult HookFolder::hook(std::string input, std::string_view agent,
                               const std::vector<std::string>& more) const {
  return run(command(agent, more), options(std::move(input)));
}

ProcessResult HookFolder::shell(const std::string& line, std::string input) const {
  return run({"/bin/sh", "-c", line}, options(std::move(input)));
}

std::vector<audit::Event> HookFolder::events(const std::string& log) const {
  std::vector<audit::Event> out;
  if (::access(log.c_str(), F_OK) != 0) return out;
  for (const std::string& line : lines_of(read_text(log))) {
    auto event = audit::decode(line);
    EXPECT_TRUE(event) << line;
    if (event) out.push_back(std::move(*event));
  }
  return out;
}

std::vector<audit::Event> HookFolder::decisions() const {
  std::vector<audit::Event> out;
  for (const std::string& log : {log(), fallback_log()}) {
    for (audit::Event& event : events(log)) {
      if (event.type == audit::EventType::kDecision) out.push_back(std::move(event));
    }
  }
  return out;
}

std::string claude_event(std::string_view tool, std::string_view input, std::string_view call_id) {
  return R"({"session_id":"s1","transcript_path":"/t.jsonl","cwd":"/nowhere","permission_mode":"default","hook_event_name":"PreToolUse","tool_name":")" +
         std::string(tool) + R"(","tool_input":)" + std::string(input) + R"(,"tool_use_id":")" +
         std::string(call_id) + "\"}";
}

std::string git_event(std::string_view call_id) {
  return claude_event("Bash", R"({"command":"git status"})", call_id);
}

std::string deny_output(std::string_view reason) {
  std::string quoted;
  json::append_string(quoted, reason);
  return R"({"permissionDecision":"deny","permissionDecisionReason":)" + quoted +
         R"(,"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":)" +
         quoted + "}}\n";
}

std::string own_mounts() {
  for (const char* prefix : {"unshare --mount ", "unshare --mount --map-root-user "}) {
    const auto tried =
        run({"/bin/sh", "-c", std::string(prefix) + "sh -c 'mount -t tmpfs tmpfs /mnt'"});
    if (tried.exit_code == 0) return prefix;
  }
  return {};
}

}  // namespace lilith::test
