#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"

#include <gtest/gtest.h>

namespace lilith::json {
namespace {

TEST(JsonWriter, WritesMembersInTheOrderOfTheCalls) {
  std::string out;
  Writer writer(out);
  writer.begin_object().member("b", 1).member("a", "x");
  writer.key("list").begin_array().value("p").value(true).value(-5).end_array();
  writer.key("empty").begin_object().end_object().key("raw").raw("[1.50]").end_object();
  EXPECT_EQ(out, R"({"b":1,"a":"x","list":["p",true,-5],"empty":{},"raw":[1.50]})");
}

TEST(JsonWriter, EscapesAndRepairsStrings) {
  std::string out;
  append_string(out, std::string_view("q\"b\\n\nt\tz\0d\x7F"
                                      "e\x01"
                                      "f\xC3\xA9\xFF",
                                      18));
  EXPECT_EQ(out, "\"q\\\"b\\\\n\\nt\\tz\\u0000d\\u007fe\\u0001f\xC3\xA9\xEF\xBF\xBD\"");
  Document document;
  ASSERT_TRUE(document.parse(out).has_value());
}

// Eight bytes at once are looked at: each kind of byte at each place of texts of each length.
TEST(JsonWriter, StringsOfAnyLengthReadBackWhereverSomethingOddStands) {
  for (const std::string_view odd :
       {"\"", "\\", "\n", "\x1F", "\x7F", " ", "~", "\xC3\xA9", "\xFF"}) {
    for (std::size_t length = 0; length < 20; ++length) {
      for (std::size_t at = 0; at <= length; ++at) {
        std::string text(length, 'a');
        text.insert(at, odd);
        std::string out;
        append_string(out, text);
        Document document;
        const auto read = document.parse(out);
        ASSERT_TRUE(read) << out;
        EXPECT_EQ(read->string(), to_valid_utf8(text)) << out;
      }
    }
  }
}

TEST(JsonReader, FindsMembersByNameAndType) {
  Document document;
  const auto root =
      document.parse(R"({"s":"text","n":-3,"t":true,"o":{"s":"inner"},"a":[1,"two"],"z":null})");
  ASSERT_TRUE(root.has_value()) << root.error().message;
  EXPECT_EQ(root->text("s"), "text");
  EXPECT_EQ(root->text("n"), "");
  EXPECT_EQ(root->find("n")->integer(), -3);
  EXPECT_EQ(root->find("t")->boolean(), true);
  EXPECT_EQ(root->find("o")->text("s"), "inner");
  EXPECT_EQ(root->find("z")->type(), Type::kNull);
  EXPECT_FALSE(root->find("absent").has_value());
  std::string elements;
  root->find("a")->each_element([&](View item) {
    elements += item.to_json();
    return true;
  });
  EXPECT_EQ(elements, "1\"two\"");
}

struct RefusedCase {
  const char* name;
  std::string text;
};
void PrintTo(const RefusedCase& c, std::ostream* out) { *out << c.name; }
class JsonRefused : public testing::TestWithParam<RefusedCase> {};
TEST_P(JsonRefused, WithAReason) {
  Document document;
  const auto root = document.parse(GetParam().text);
  ASSERT_FALSE(root.has_value());
  EXPECT_FALSE(root.error().message.empty());
}
INSTANTIATE_TEST_SUITE_P(
    JsonReader, JsonRefused,
    testing::Values(RefusedCase{"empty", ""}, RefusedCase{"cut", R"({"a":1)"},
                    RefusedCase{"trailing_text", R"({"a":1} x)"},
                    RefusedCase{"same_key_twice", R"({"a":1,"a":2})"},
                    RefusedCase{"same_key_twice_by_escape", R"({"a":1,"\u0061":2})"},
                    RefusedCase{"same_key_twice_inside", R"([{"x":{"b":1,"b":1}}])"},
                    RefusedCase{"empty_key_twice", R"({"":1,"":2})"},
                    RefusedCase{"invalid_utf8", "{\"a\":\"\xFF\"}"},
                    RefusedCase{"too_deep", std::string(limits::kJsonDepthMax + 1, '[') +
                                                std::string(limits::kJsonDepthMax + 1, ']')}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(JsonReader, FindsADuplicateAmongManyKeys) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += "\"k" + std::to_string(i) + "\":1,";
  Document document;
  EXPECT_TRUE(document.parse(text + "\"k1000\":1}").has_value());
  const auto twice = document.parse(text + "\"k17\":1}");
  ASSERT_FALSE(twice.has_value());
  EXPECT_NE(twice.error().message.find("'k17'"), std::string::npos);
}

TEST(JsonReader, SkipsAByteOrderMarkAndIsReusable) {
  Document document;
  EXPECT_TRUE(document.parse("\xEF\xBB\xBF{\"a\":1}").has_value());
  EXPECT_TRUE(document.parse("[]").has_value());
}

}  // namespace
}  // namespace lilith::json
