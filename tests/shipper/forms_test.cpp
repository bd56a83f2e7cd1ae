// Events in other systems' forms: golden lines, and the rules that every such line keeps.

#include "shipper/forms.hpp"

#include "audit/codec.hpp"
#include "audit/json/reader.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lilith::shipper {
namespace {

std::vector<std::string> sample_lines() {
  return test::lines_of(
      test::read_text(std::string(LILITH_SOURCE_DIR) + "/tests/golden/event-lines.ndjson"));
}

std::string all_in(Form form) {
  FormWriter writer(form);
  std::string out;
  for (const std::string& line : sample_lines()) {
    const auto made = writer.append(out, line);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    out.push_back('\n');
  }
  return out;
}

TEST(Forms, WriteTheDocumentedEcs) { test::expect_golden("forms-ecs.ndjson", all_in(Form::kEcs)); }
TEST(Forms, WriteTheDocumentedOcsf) {
  test::expect_golden("forms-ocsf.ndjson", all_in(Form::kOcsf));
}
TEST(Forms, NativeIsTheLineItself) {
  std::string out;
  const std::string line = sample_lines().front();
  ASSERT_TRUE(FormWriter(Form::kNative).append(out, line).has_value());
  EXPECT_EQ(out, line);
}

TEST(Forms, RefuseWhatIsNoEvent) {
  std::string out;
  EXPECT_FALSE(FormWriter(Form::kEcs).append(out, "{}").has_value());
  EXPECT_FALSE(FormWriter(Form::kOcsf).append(out, "not json").has_value());
}

// Required attributes of the three classes, and ids that belong together (OCSF 1.x).
TEST(Forms, OcsfHasWhatItsClassesRequire) {
  for (const std::string& line : test::lines_of(all_in(Form::kOcsf))) {
    json::Document document;
    const auto root = document.parse(line);
    ASSERT_TRUE(root.has_value()) << line;
    for (const char* key : {"activity_id", "category_uid", "class_uid", "type_uid", "time",
                            "severity_id", "metadata", "device", "actor", "action_id"})
      EXPECT_TRUE(root->find(key).has_value()) << key << " of " << line;
    const auto number = [&](const char* key) {
      const auto found = root->find(key);
      return found ? found->integer().value_or(-1) : -1;
    };
    EXPECT_EQ(number("type_uid"), number("class_uid") * 100 + number("activity_id"));
    EXPECT_EQ(number("class_uid") / 1000, number("category_uid"));
    EXPECT_EQ(root->find("api").has_value(), number("class_uid") == 6003);
    EXPECT_EQ(root->find("dst_endpoint").has_value(), number("class_uid") == 4001);
    EXPECT_EQ(root->find("app").has_value(), number("class_uid") == 6002);
  }
}

TEST(Forms, EcsKeepsWhatProvesTheChain) {
  const auto lines = sample_lines();
  const auto forms = test::lines_of(all_in(Form::kEcs));
  ASSERT_EQ(lines.size(), forms.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto event = audit::decode(lines[i]).value();
    json::Document document;
    const auto root = document.parse(forms[i]);
    ASSERT_TRUE(root.has_value()) << forms[i];
    EXPECT_EQ(root->find("event")->text("id"), event.id);
    EXPECT_EQ(root->find("event")->find("sequence")->integer(),
              static_cast<std::int64_t>(event.seq));
    EXPECT_EQ(root->find("labels")->text("lilith_chain_prev"), event.chain_prev);
  }
}

}  // namespace
}  // namespace lilith::shipper
