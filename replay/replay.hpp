#pragma once
// Recorded events decided again under candidate policies. The evaluator is rules::decide, the very
// same that the enforcer uses; a call that was met before costs one look-up.

#include "audit/event.hpp"
#include "replay/examine.hpp"
#include "replay/summary.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::replay {

using Candidates = std::vector<std::shared_ptr<const rules::Policy>>;

// Counts what Examiners found. Order matters (the first event of a group is its example, the second
// with an id is the repeat): batches come in the order of their lines.
class Replayer {
 public:
  explicit Replayer(const Candidates& candidates);
  ~Replayer();
  Replayer(const Replayer&) = delete;
  Replayer& operator=(const Replayer&) = delete;

  // Events that were counted elsewhere before: the same seq of the same chain again is a repeat,
  // and no seq of this summary. `earlier` has to stay as it is for as long as batches come.
  void counted_before(const ChainSeqs* earlier);
  void add(const Batch& batch);
  // Calls that need no decision any more; for Examiners of the same thread.
  [[nodiscard]] const HashTable& known() const;
  [[nodiscard]] const Summary& summary() const;
  [[nodiscard]] Summary& summary();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct ReplayOptions {
  std::size_t threads = 1;  // that examine; beyond one, reading has a thread of its own
  // Called now and then with the bytes of log text read so far; for a progress bar.
  std::function<void(std::uint64_t bytes)> progress;
};
// Everything in `files` (each read once, in order) decided again. The same result for any number of
// threads. Lines that are no events are listed in the summary's input; an error only when a file
// can't be opened.
[[nodiscard]] Result<Summary> replay_files(const std::vector<std::string>& files,
                                           const Candidates& candidates,
                                           const ReplayOptions& options = {});

// One event whose recorded decision differs from what the same policy says now.
struct Disagreement {
  std::string id, recorded, now, rule_recorded, rule_now;
};
struct Fidelity {
  std::uint64_t compared = 0, left_out = 0, other_policy = 0;
  std::uint64_t disagreements = 0;
  std::vector<Disagreement> examples;  // the first ones
};
// Decides `event` under `policy` if that is the policy that decided it, and compares.
void check_fidelity(const rules::Policy& policy, const audit::Event& event, Fidelity& out);

}  // namespace lilith::replay
