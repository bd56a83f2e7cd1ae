#pragma once
// Shell lines with the whole decision: what a policy that lists the usual tools of a developer
// says. Add a trick as one row.

#include <ostream>
#include <span>
#include <string_view>

namespace lilith::test {

struct VerdictRow {
  std::string_view group;   // the trick, or the tool of daily work
  std::string_view source;  // where the trick is described
  std::string_view line;
  std::string_view code;  // the reason code of the denial; empty: allowed
};

inline void PrintTo(const VerdictRow& row, std::ostream* out) {
  *out << row.group << " (" << row.source << "): " << row.line;
}

// Under workshop_policy(), below /home/dev/projects/app, for the user dev.
[[nodiscard]] std::span<const VerdictRow> verdict_rows();
// Daily work, all of it allowed.
[[nodiscard]] std::span<const VerdictRow> daily_rows();

}  // namespace lilith::test
