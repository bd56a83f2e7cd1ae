#include "audit/base/text.hpp"

#include <gtest/gtest.h>

namespace lilith {
namespace {

TEST(Utf8, KnowsValidFromInvalid) {
  // Unicode 15, table 3-7, and Markus Kuhn's UTF-8 stress test.
  for (const char* good : {"", "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF",
                           "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_valid_utf8(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF0\x80\x80\xAF",
        "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xC3", "a\xE2\x82", "\xFF"}) {
    EXPECT_FALSE(is_valid_utf8(bad)) << testing::PrintToString(bad);
    EXPECT_TRUE(is_valid_utf8(to_valid_utf8(bad)));
  }
}

TEST(Utf8, PrefixNeverCutsACharacter) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
  for (std::size_t max = 0; max <= text.size() + 1; ++max) {
    const auto prefix = utf8_prefix(text, max);
    EXPECT_LE(prefix.size(), max);
    EXPECT_TRUE(is_valid_utf8(prefix)) << max;
    EXPECT_TRUE(text.starts_with(prefix));
  }
  EXPECT_EQ(utf8_prefix(text, 2), "a");
  EXPECT_EQ(utf8_prefix(text, 3), "a\xC3\xA9");
}

TEST(Printable, KeepsTextAndEscapesWhatDrivesATerminal) {
  EXPECT_EQ(printable("plain \xC3\xA9 text"), "plain \xC3\xA9 text");
  EXPECT_EQ(printable("a\nb\x1B[2J\x7F"), "a\\x0ab\\x1b[2J\\x7f");
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "evil"),
            "\\xe2\\x80\\xaeevil");  // U+202E right-to-left override
  EXPECT_EQ(printable("\xFF"), "\\xff");
}

TEST(DidYouMean, FindsTypingErrorsOnly) {
  const std::vector<std::string_view> keys = {"allowed_destinations", "default_action", "mode"};
  EXPECT_EQ(did_you_mean("allowed_destination", keys), "allowed_destinations");
  EXPECT_EQ(did_you_mean("defualt_action", keys), "default_action");
  EXPECT_EQ(did_you_mean("mod", keys), "mode");
  EXPECT_EQ(did_you_mean("completely_else", keys), "");
  EXPECT_EQ(did_you_mean("x", {}), "");
}

TEST(Trimmed, LosesTheBytesAtBothEndsAndNoneInside) {
  EXPECT_EQ(trimmed(" \t a b\t", " \t"), "a b");
  EXPECT_EQ(trimmed("a\r", " \t"), "a\r");
  EXPECT_EQ(trimmed(" \t", " \t"), "");
  EXPECT_EQ(trimmed("", " "), "");
}

TEST(Hex, IsLowerCase) {
  const unsigned char bytes[] = {0x00, 0x9A, 0xFF};
  EXPECT_EQ(to_hex(bytes, 3), "009aff");
}

}  // namespace
}  // namespace lilith
