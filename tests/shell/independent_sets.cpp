#include "tests/shell/independent_sets.hpp"

#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace lilith::test {

std::vector<SetLine> independent_set(std::string_view file) {
  constexpr std::string_view kLineFeed = "\u2424";
  std::vector<SetLine> lines;
  SetLine next;
  for (std::string& text :
       lines_of(read_text(LILITH_SOURCE_DIR "/tests/shell/independent/" + std::string(file)))) {
    if (text.empty() || (text.starts_with("# ") && next.section.empty())) continue;
    if (text.starts_with("== ")) {
      next.section = text.substr(3);
      next.allow = next.section.starts_with("allow | ");
      EXPECT_TRUE(next.allow || next.section.starts_with("deny | ")) << text;
      EXPECT_EQ(std::count(text.begin(), text.end(), '|'), 2) << text;
      continue;
    }
    for (std::size_t at = text.find(kLineFeed); at != std::string::npos;
         at = text.find(kLineFeed, at + 1)) {
      text.replace(at, kLineFeed.size(), "\n");
    }
    next.line = text;
    lines.push_back(next);
  }
  return lines;
}

}  // namespace lilith::test
