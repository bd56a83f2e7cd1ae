// Events in other systems' forms: golden lines, and the rules that every such line keeps.

#include "shipper/forms.hpp"

#include "audit/codec.hpp"
#include "audit/codec_view.hpp"
#include "audit/json/reader.hpp"
#include "audit/read/withheld.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lilith::shipper {
namespace {

std::vector<std::string> sample_lines() {
  return test::lines_of(
      test::read_text(std::string(LILITH_SOURCE_DIR) + "/tests/golden/event-lines.ndjson"));
}

// Of `count` events that do not follow each other, as far up as seqs go.
std::vector<std::string> withheld_lines(std::uint64_t from, std::size_t count) {
  audit::Withheld withheld{"soc", "ws-42", "019ab337-0d5f-7000-8000-000000000000", {}};
  for (std::uint64_t i = 0; i < count; ++i)
    EXPECT_TRUE(withheld.seqs.add(from + i * 2, count)) << i;
  const audit::Event own = audit::decode(sample_lines().front()).value();
  std::vector<std::string> out;
  for (audit::Event& event : audit::withheld_events(withheld)) {
    event.host = own.host;
    event.process_key = own.process_key;
    event.process_pid = own.process_pid;
    event.seq = INT64_MAX;
    event.id = own.id;
    event.time = own.time;
    event.engine = own.engine;
    event.chain_id = "019ab337-0d5f-7000-8000-0000000000c1";
    event.chain_prev = event.chain_hash = std::string(64, 'f');
    out.push_back(audit::encode(event));
  }
  return out;
}

std::string all_in(Form form, const std::vector<std::string>& lines = sample_lines()) {
  FormWriter writer(form);
  std::string out;
  for (const std::string& line : lines) {
    const auto made = writer.append(out, line);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    out.push_back('\n');
  }
  return out;
}

std::vector<std::string> documented_lines() {
  auto out = sample_lines();
  out.push_back(withheld_lines(2, 3).at(0));
  return out;
}
TEST(Forms, WriteTheDocumentedEcs) {
  test::expect_golden("forms-ecs.ndjson", all_in(Form::kEcs, documented_lines()));
}
TEST(Forms, WriteTheDocumentedOcsf) {
  test::expect_golden("forms-ocsf.ndjson", all_in(Form::kOcsf, documented_lines()));
}

// rsyslog takes 8 KiB unless it is told to take more.
TEST(Forms, OfWithheldEventsStayBelowEightKibibytes) {
  const auto lines = withheld_lines(9'000'000'000'000'000'000, 2'000);
  EXPECT_GT(lines.size(), 1U);
  for (const Form form : {Form::kEcs, Form::kOcsf})
    for (const std::string& line : test::lines_of(all_in(form, lines)))
      EXPECT_LT(line.size(), 8U * 1024);
}

TEST(Forms, NativeIsTheLineItself) {
  std::string out;
  const std::string line = sample_lines().front();
  ASSERT_TRUE(FormWriter(Form::kNative).append(out, line).has_value());
  EXPECT_EQ(out, line);
}

// The layout of our writer is copied as it stands, any other is decoded first: the same event, the
// same bytes.
TEST(Forms, AreTheSameForALineInAnotherLayout) {
  audit::Event odd = audit::decode(sample_lines().front()).value();
  odd.operation = {.kind = audit::OperationKind::kEgress, .host = "2001:db8::1", .port = 443};
  odd.call.command = "printf '\"%s\"\\n' \x01 \x7F \t d\u00e9j\u00e0";
  odd.reason = "[not a list]";
  odd.tool = "  [neither]";
  odd.detail = {{"first", ""}, {"second", " ["}, {"third", std::string(20'000, '\n')}};
  odd.facts.uid = 4'000'000'000;
  std::vector<std::string> lines = sample_lines();
  lines.push_back(audit::encode(odd));
  for (const Form form : {Form::kEcs, Form::kOcsf}) {
    for (const std::string& line : lines) {
      audit::LineView view;
      ASSERT_TRUE(audit::view_line(line, view)) << line;
      const std::string other = "{ " + line.substr(1);
      ASSERT_FALSE(audit::view_line(other, view));
      FormWriter writer(form);
      std::string ours = "before", theirs = "before";
      ASSERT_TRUE(writer.append(ours, line).has_value());
      ASSERT_TRUE(writer.append(theirs, other).has_value());
      EXPECT_EQ(ours, theirs);
    }
  }
}

// What only another program writes.
TEST(Forms, WriteEveryTimeInUtcAndNumbersOfAnySize) {
  std::string line = sample_lines().front();
  const auto put = [&](std::string_view key, std::string_view json) {
    const std::size_t from = line.find(key) + key.size();
    line.replace(from, line.find_first_of(",}", from) - from, json);
  };
  const auto all_forms_have = [&](std::string_view text) {
    for (const Form form : {Form::kEcs, Form::kOcsf}) {
      std::string out;
      ASSERT_TRUE(FormWriter(form).append(out, line).has_value());
      EXPECT_THAT(out, testing::HasSubstr(text));
    }
  };
  for (const char* time :
       {"\"2026-11-24T02:20:42.5+02:00\"", "\"2026-11-24t00:20:42.500000z\"",
        "\"2026-11-24 00:20:42.500000Z\"", "\"2026-11-24T00:20:42.500000999Z\""}) {
    put("\"time\":", time);
    all_forms_have("\"2026-11-24T00:20:42.500000Z\"");
  }
  put("\"time\":", "\"2026-11-24T00:20:60.250000Z\"");  // a leap second
  all_forms_have("\"2026-11-24T00:21:00.250000Z\"");
  put("\"seq\":", "\"9000000000000000001\"");
  all_forms_have("\"sequence\":9000000000000000001");
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
