#pragma once

namespace lilith::enforcer {

// Every command but `hook`. Returns the exit code (docs/exit-codes.md).
[[nodiscard]] int cli_main(int argc, char** argv, const char* version);

}  // namespace lilith::enforcer
