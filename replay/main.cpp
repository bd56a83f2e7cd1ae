// lilith-replay: the planner. Users call it as `lilith replay [COMMAND]` and `lilith import`.

#include "replay/command.hpp"

#include <string_view>

namespace {

struct Command {
  std::string_view name;
  int (*run)(int argc, char** argv);
};
constexpr Command kCommands[] = {
    {"run", lilith::replay::run_command},
    {"diff", lilith::replay::diff_command},
    {"explain", lilith::replay::explain_command},
    {"merge", lilith::replay::merge_command},
    {"fidelity", lilith::replay::fidelity_command},
    {"import", lilith::replay::import_command},
    {"forecast", lilith::replay::forecast_command},
    {"gate", lilith::replay::gate_command},
    {"suggest", lilith::replay::suggest_command},
    {"report", lilith::replay::report_command},
    {"review", lilith::replay::review_command},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    for (const Command& command : kCommands) {
      if (command.name == argv[1]) return command.run(argc - 1, argv + 1);
    }
  }
  return lilith::replay::run_command(argc, argv);  // `lilith replay LOG...` is `replay run LOG...`
}
