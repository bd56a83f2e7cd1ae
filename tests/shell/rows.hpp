#pragma once
// Shell lines with what the reader must say of them; read by the reader test and run by the oracle.

#include <ostream>
#include <span>
#include <string_view>

namespace lilith::test {

enum class Verdict {
  kUndecidable,  // `expected` is the code
  kHazard,       // `expected` is the code of one of the hazards
  kRuns,         // `expected` are the names of all commands in their order, each followed by a LF
};

struct ShellRow {
  std::string_view trick;   // the group
  std::string_view source;  // where the trick is described
  std::string_view line;
  Verdict verdict = Verdict::kRuns;
  std::string_view expected;
};

inline void PrintTo(const ShellRow& row, std::ostream* out) {
  *out << row.trick << " (" << row.source << "): " << row.line;
}

[[nodiscard]] std::span<const ShellRow> attack_rows();
// What agents write every day; all of it must be decided, without hazards.
[[nodiscard]] std::span<const ShellRow> benign_rows();

}  // namespace lilith::test
