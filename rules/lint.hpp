#pragma once
// What is odd about a policy that is valid: entries that do nothing, entries that undo each other,
// entries that open more than they seem to. Pure: the same policy gives the same findings on every
// machine. docs/policy.md lists the rules.

#include "rules/policy.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {

enum class FindingLevel {
  kError,    // the policy can't be loaded
  kWarning,  // an entry does not do what it says, or opens what its author can't have meant
  kNote,     // right as it stands; what its author should know
};
[[nodiscard]] std::string_view name(FindingLevel level);  // error, warning, note: as SARIF spells

// One kind of finding.
struct LintRule {
  std::string_view id;
  FindingLevel level;
  std::string_view summary;
};
[[nodiscard]] std::span<const LintRule> lint_rules();

struct Finding {
  std::string id;  // of a LintRule
  FindingLevel level = FindingLevel::kWarning;
  std::string file;
  int line = 0, column = 0;  // from 1; 0: the file as a whole
  std::string why;
  std::string remedy;
};

// In the order of the file.
[[nodiscard]] std::vector<Finding> lint(const Policy& policy);
// What loading said: errors and warnings as findings `policy-error` and `policy-warning`.
[[nodiscard]] std::vector<Finding> findings_of(const std::vector<Diagnostic>& diagnostics);

// "FILE:LINE:COLUMN: warning: WHY; REMEDY [ID]"
[[nodiscard]] std::string to_string(const Finding& finding);
// Static Analysis Results Interchange Format 2.1.0 (OASIS), one run.
[[nodiscard]] std::string to_sarif(const std::vector<Finding>& findings,
                                   std::string_view program_version);

}  // namespace lilith::rules
