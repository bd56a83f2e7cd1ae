#include "enforcer/cli_text.hpp"

#include "audit/base/file.hpp"

#include <unistd.h>

namespace lilith::enforcer {

void print(std::string_view text) {
  if (auto ignored = write_all(STDOUT_FILENO, text); !ignored) return;
}

int complain(const std::string& message, int code) {
  const std::string text = "lilith: " + message + "\n";
  if (auto ignored = write_all(STDERR_FILENO, text); !ignored) return code;
  return code;
}

int code_of(const Error& error) {
  return error.code == ErrorCode::kInvalidInput ? kUsage : kIncomplete;
}

}  // namespace lilith::enforcer
