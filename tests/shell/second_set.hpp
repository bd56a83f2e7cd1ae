#pragma once
// The lines of tests/shell/second_set: files in sections, `== VERDICT | trick | source`, then one
// shell line each, with U+2424 for a line feed.

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

inline constexpr std::array<std::string_view, 3> kSecondSet{"attacks.txt", "daily.txt",
                                                            "mended.txt"};
// Fails the test where a file is not of that form.
[[nodiscard]] std::vector<SetLine> second_set(std::string_view file);

}  // namespace lilith::test
