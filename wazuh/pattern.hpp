#pragma once
// The pattern languages of Wazuh rules, as far as rules on lilith's events use them: PCRE2 whole;
// OSMATCH without backslash; OSREGEX without groups, and with + and * only where its limited
// backtracking can make no difference. Other patterns are refused by name, never guessed.

#include "audit/base/result.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::wazuh {

enum class PatternKind {
  kOsMatch,  // <match>: substrings joined by |, case-insensitive; ! in front negates
  kOsRegex,  // <field> without type: the same with classes (\d, \w, \S, ...), without !
  kPcre2,    // type="pcre2"
  kWhole,    // <action> without type: the whole value
  kAddress,  // <srcip>: an address or a block of them; ! in front negates
};

// Immutable after compile(); matching may be done from many threads at once.
class Pattern {
 public:
  [[nodiscard]] static Result<Pattern> compile(PatternKind kind, std::string_view text);
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

  // Does the pattern match anywhere in `value`? A PCRE2 match that runs into PCRE2's own limits is
  // no match.
  [[nodiscard]] bool matches(std::string_view value) const;
  // Where the first match ends; OSREGEX and PCRE2 only.
  [[nodiscard]] std::optional<std::size_t> match_end(std::string_view value) const;

 private:
  struct Impl;
  explicit Pattern(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace lilith::wazuh
