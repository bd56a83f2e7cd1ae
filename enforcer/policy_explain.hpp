#pragma once
// `lilith policy explain`: where the call comes from, and what is printed about it.

#include <string>
#include <vector>

namespace lilith::enforcer {

struct ExplainOptions {
  std::string file;
  std::string agent = "claude_code";
  std::string tool, server, command, path, url, cwd;
  std::string event;  // id of a recorded event, looked for in `logs`
  std::vector<std::string> logs;
  bool json = false;
};

// The exit code: 0 the policy allows the call, 1 it denies it, 2 usage, 3 input that can't be read.
[[nodiscard]] int explain_call(ExplainOptions options);

}  // namespace lilith::enforcer
