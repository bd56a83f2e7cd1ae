// `lilith`, the front door. A hook is a process per tool call, so it is dispatched before anything
// that costs time is touched.

#include "enforcer/cli.hpp"
#include "enforcer/hook_main.hpp"

#include <string_view>

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "hook") {
    lilith::enforcer::hook_main(argc - 2, argv + 2, LILITH_VERSION);
  }
  return lilith::enforcer::cli_main(argc, argv, LILITH_VERSION);
}
