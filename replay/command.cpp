#include "replay/command.hpp"

#include "audit/base/limits.hpp"
#include "replay/report.hpp"

#include <algorithm>
#include <cstdio>
#include <thread>

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

Result<void> read_recording(const std::vector<std::string>& logs, Recording& recording,
                            InputReport& input) {
  auto files = files_of(logs);
  if (!files) return pass_error(files);
  return each_event(*files, input, [&](const audit::Event& event) { recording.add(event); });
}

int exit_code(const Summary& summary) {
  if (incomplete(summary)) return kInputIncomplete;
  const auto tallies = summary.tally(0);
  return std::any_of(tallies.begin(), tallies.end(),
                     [](const CandidateTally& one) { return one.count(Change::kNewlyDenied) > 0; })
             ? kFound
             : kGood;
}

std::size_t default_threads() {
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, limits::kReplayThreadsMax);
}

}  // namespace lilith::replay
