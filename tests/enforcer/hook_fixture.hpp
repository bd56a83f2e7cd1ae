#pragma once
// A folder with a policy and a log of its own, and the real program run in it.

#include "audit/event.hpp"
#include "tests/support/support.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lilith::test {

struct PolicyText {
  std::string mode = "enforce";
  std::string tools_default = "deny";
  std::string egress_default = "deny";
  std::string audit_lines;  // further lines of the audit section, each indented by two
};

class HookFolder {
 public:
  HookFolder();

  [[nodiscard]] const std::string& path() const { return folder_.path(); }
  [[nodiscard]] std::string file(std::string_view name) const { return folder_.file(name); }
  [[nodiscard]] std::string log() const { return folder_.file("log/agent-audit.log"); }
  [[nodiscard]] std::string fallback_log() const {
    return folder_.file("state/lilith/agent-audit.log");
  }

  // "policy.yaml" in the folder: git may run, files below FOLDER/work may be read and written,
  // https://ok.example may be reached.
  void write_policy(const PolicyText& text = {}) const;
  // argv of the hook; the policy is named relatively, so that messages are the same everywhere.
  [[nodiscard]] std::vector<std::string> command(std::string_view agent = "claude_code",
                                                 const std::vector<std::string>& more = {}) const;
  // In the folder, with a state directory of its own and no policy or recorder from outside.
  [[nodiscard]] ProcessOptions options(std::string input = {}) const;
  [[nodiscard]] ProcessResult hook(std::string input, std::string_view agent = "claude_code",
                                   const std::vector<std::string>& more = {}) const;
  // A shell line in the folder; "$LILITH" is the program, $HOOK the words that start the hook.
  [[nodiscard]] ProcessResult shell(const std::string& line, std::string input = {}) const;
  // Decision events of the log, or of the fallback log.
  [[nodiscard]] std::vector<audit::Event> decisions() const;
  [[nodiscard]] std::vector<audit::Event> events(const std::string& log) const;

 private:
  TempDir folder_;
};

[[nodiscard]] std::string lilith_program();
// `lilith hook`, or the program of $LILITH_HOOK_PROGRAM: each test holds for both.
[[nodiscard]] std::vector<std::string> hook_program();
// {"tool_name": ..., ...} as Claude Code sends it.
[[nodiscard]] std::string claude_event(std::string_view tool, std::string_view input,
                                       std::string_view call_id = "toolu_1");
[[nodiscard]] std::string git_event(std::string_view call_id = "toolu_1");
// What a hook prints to deny.
[[nodiscard]] std::string deny_output(std::string_view reason);
// A shell prefix that gives the line a mount namespace of its own, or empty where that is refused.
[[nodiscard]] std::string own_mounts();

}  // namespace lilith::test
