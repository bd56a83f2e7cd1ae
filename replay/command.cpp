#include "replay/command.hpp"

#include <cstdio>

namespace lilith::replay {

int complain(const std::string& message) {
  std::fprintf(stderr, "lilith-replay: %s\n", message.c_str());
  return kUsage;
}

std::vector<std::shared_ptr<const rules::Policy>> load_policies(
    const std::vector<std::string>& paths) {
  std::vector<std::shared_ptr<const rules::Policy>> out;
  bool good = true;
  for (const std::string& path : paths) {
    rules::PolicyLoad load = rules::load_policy_file(path);
    for (const rules::Diagnostic& diagnostic : load.diagnostics) {
      if (diagnostic.severity == rules::Severity::kError) {
        std::fprintf(stderr, "%s\n", rules::to_string(diagnostic).c_str());
      }
    }
    good = good && load.policy != nullptr;
    out.push_back(std::move(load.policy));
  }
  if (!good) out.clear();
  return out;
}

}  // namespace lilith::replay
