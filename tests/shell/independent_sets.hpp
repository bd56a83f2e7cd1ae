#pragma once
// The lines of tests/shell/independent, by people who had not read the rules: files in sections,
// `== VERDICT | trick | source`, then one shell line each, with U+2424 for a line feed.

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::test {

struct SetLine {
  std::string section;  // its head, without "== "
  std::string line;
  bool allow = false;
};

inline constexpr std::array<std::string_view, 7> kIndependentSets{
    "second_attacks.txt",       "second_daily.txt", "second_mended.txt", "third_attacks.txt",
    "third_mended_attacks.txt", "third_daily.txt",  "third_mended.txt"};
// Fails the test where a file is not of that form.
[[nodiscard]] std::vector<SetLine> independent_set(std::string_view file);

}  // namespace lilith::test
