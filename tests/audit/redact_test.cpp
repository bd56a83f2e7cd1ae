#include "audit/redact.hpp"

#include "audit/json/reader.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

namespace lilith::audit {
namespace {

struct RedactCase {
  const char* name;
  std::string before, after;  // the same: nothing is replaced
  const char* kinds;
};
void PrintTo(const RedactCase& c, std::ostream* out) { *out << c.name; }
class Redact : public testing::TestWithParam<RedactCase> {};
TEST_P(Redact, ReplacesSecretsOnly) {
  std::string text = GetParam().before;
  EXPECT_EQ(redact_text(text), GetParam().kinds);
  EXPECT_EQ(text, GetParam().after);
  EXPECT_EQ(redact_text(text), "") << "a second pass changes nothing";
}

// Put together at run time, so that no scanner takes this file for a leak.
std::string token(const char* prefix, std::size_t length) {
  return prefix + std::string(length, 'x');
}

INSTANTIATE_TEST_SUITE_P(
    Text, Redact,
    testing::Values(
        RedactCase{"plain_command", "git commit -m 'token handling'",
                   "git commit -m 'token handling'", ""},
        RedactCase{"aws", "x " + token("AKIA", 16) + " y", "x [redacted:aws_key] y", "aws_key"},
        RedactCase{"aws_too_short", "AKIAxyz", "AKIAxyz", ""},
        RedactCase{"inside_a_word", "my" + token("ghp_", 36), "my" + token("ghp_", 36), ""},
        RedactCase{"github", "git push https://" + token("ghp_", 36) + "@github.com/o/r",
                   "git push https://[redacted:userinfo]@github.com/o/r", "userinfo"},
        RedactCase{"password_in_url", "psql postgres://app:hunter2@db/x",
                   "psql postgres://app:[redacted:userinfo]@db/x", "userinfo"},
        RedactCase{"at_sign_in_path", "curl https://host/a@b", "curl https://host/a@b", ""},
        RedactCase{"scp_like", "git clone git@github.com:o/r.git",
                   "git clone git@github.com:o/r.git", ""},
        RedactCase{"bearer", "curl -H 'Authorization: Bearer abc.def' https://h",
                   "curl -H 'Authorization: Bearer [redacted:authorization]' https://h",
                   "authorization"},
        RedactCase{"bearer_variable", "curl -H \"Authorization: Bearer $TOKEN\"",
                   "curl -H \"Authorization: Bearer $TOKEN\"", ""},
        RedactCase{"option", "tool --password hunter2 --verbose",
                   "tool --password [redacted:option] --verbose", "option"},
        RedactCase{"option_equals", "tool --token=abc", "tool --token=[redacted:option]", "option"},
        RedactCase{"option_without_value", "tool --token --verbose", "tool --token --verbose", ""},
        RedactCase{"variable", "GITHUB_TOKEN=abc gh pr list",
                   "GITHUB_TOKEN=[redacted:variable] gh pr list", "variable"},
        RedactCase{"variable_from_command", "GH_TOKEN=$(gh auth token) x",
                   "GH_TOKEN=$(gh auth token) x", ""},
        RedactCase{"json_member", R"({"user":"u","password":"a\"b c","n":1})",
                   R"({"user":"u","password":"[redacted:member]","n":1})", "member"},
        RedactCase{"json_member_spelled_otherwise", R"({ "Client-Secret" : "x" })",
                   R"({ "Client-Secret" : "[redacted:member]" })", "member"},
        RedactCase{"json_member_in_a_command", R"(curl -d '{"api_key":"x"}' https://h)",
                   R"(curl -d '{"api_key":"[redacted:member]"}' https://h)", "member"},
        RedactCase{"json_member_of_another_name", R"({"tokens":"x","secretary":"y"})",
                   R"({"tokens":"x","secretary":"y"})", ""},
        RedactCase{"json_member_that_is_no_text", R"({"token":7,"password":null,"secret")",
                   R"({"token":7,"password":null,"secret")", ""},
        RedactCase{"json_member_without_an_end", R"({"token":"x\)",
                   R"({"token":"[redacted:member])", "member"},
        RedactCase{"parameter", "https://h/p?a=1&access_token=zzz&b=2",
                   "https://h/p?a=1&access_token=[redacted:parameter]&b=2", "parameter"},
        RedactCase{"jwt", "x eyJ" + std::string(30, 'a') + ".b" + std::string(30, 'b') + ".c",
                   "x [redacted:jwt]", "jwt"},
        RedactCase{"pem",
                   "echo '-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----'",
                   "echo '[redacted:private_key]'", "private_key"},
        RedactCase{"pem_without_an_end", "echo '-----BEGIN RSA PRIVATE KEY-----\nabc' | x",
                   "echo '[redacted:private_key]", "private_key"},
        RedactCase{"pem_with_half_an_end", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIV",
                   "[redacted:private_key]", "private_key"},
        RedactCase{"pem_of_a_head_alone", "-----BEGIN PRIVATE KEY-----", "[redacted:private_key]",
                   "private_key"},
        RedactCase{"certificate", "-----BEGIN CERTIFICATE-----\nabc",
                   "-----BEGIN CERTIFICATE-----\nabc", ""},
        RedactCase{"two_kinds", "A_TOKEN=x B_SECRET=y tool --token z",
                   "A_TOKEN=[redacted:variable] B_SECRET=[redacted:variable] tool --token "
                   "[redacted:option]",
                   "variable,option"}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

TEST(RedactEvent, ListsTheMembers) {
  Event event;
  event.call.command = "GH_TOKEN=abc gh api";
  event.operation.command = event.call.command;
  redact(event);
  EXPECT_EQ(event.call.command, "GH_TOKEN=[redacted:variable] gh api");
  EXPECT_EQ(event.redacted, "call.command=variable operation.command=variable");
}

TEST(RedactRecordedTraffic, TouchesHardlyAnyRealCommand) {
  LILITH_NEEDS_SHARED(path, "data/claude_code_baseline.ndjson");
  json::Document document;
  std::size_t commands = 0, changed = 0;
  for (const std::string& line : test::lines_of(test::read_text(path))) {
    const auto call = document.parse(line);
    ASSERT_TRUE(call.has_value());
    std::string command(call->find("input")->text("command"));
    if (command.empty()) continue;
    ++commands;
    if (!redact_text(command).empty()) ++changed;
  }
  std::cout << changed << " of " << commands << " recorded commands changed by redaction\n";
  EXPECT_GT(commands, 1000U);
  EXPECT_LT(changed * 100, commands);
}

}  // namespace
}  // namespace lilith::audit
