#pragma once
// `lilith run`.

#include <string>
#include <vector>

namespace lilith::enforcer::run {

struct RunArguments {
  std::string policy, recorder, agent;
  std::vector<int> local_ports;
  bool confine_writes = false;        // to where the policy allows write_file
  std::vector<std::string> writable;  // and to these
  std::vector<std::string> command;
  std::string engine;
};
// The command line's work; returns the exit code (docs/exit-codes.md).
[[nodiscard]] int run_main(const RunArguments& arguments);

}  // namespace lilith::enforcer::run
