#include "rules/write_directories.hpp"

#include "rules/policy_model.hpp"

#include <algorithm>

namespace lilith::rules {

std::optional<std::vector<std::string>> write_directories(const Policy& policy,
                                                          std::string_view user,
                                                          std::string_view home) {
  const ToolSection& tools = policy.model().tools;
  const bool keeps =
      policy.enforces() && (tools.line == 0 || tools.default_action == DefaultAction::kDeny);
  if (!keeps) return std::nullopt;
  std::vector<std::string> out;
  if (tools.write_file == nullptr) return out;
  for (const PathPattern& pattern : tools.write_file->path_allow.parsed) {
    out.push_back(pattern.fixed_directory({user, home}));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace lilith::rules
