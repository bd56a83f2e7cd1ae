// What docs/wazuh-analyst.md tells an analyst to run: the chain is checked from archives.json
// alone.

#include "audit/json/writer.hpp"
#include "tests/support/support.hpp"
#include "tests/wazuh/samples.hpp"

#include <gmock/gmock.h>

#include <algorithm>

namespace lilith::test {
namespace {

// An event as analysisd writes it with logall_json: the decoded object beside the line itself.
std::string archived(const std::string& line, std::string_view before) {
  std::string out = R"({"timestamp":"2026-11-24T00:00:00.000+0000","agent":{"id":"001"},"id":"1",)";
  out += R"("full_log":)";
  json::append_string(out, std::string(before) + line);
  return out + R"(,"decoder":{"name":"json"},"data":)" + line + R"(,"location":"x"})" + "\n";
}

// A fenced line of the page, as typed: the one that begins with `first`.
std::string command_of_page(const std::string& first) {
  const auto lines = lines_of(read_text(std::string(LILITH_SOURCE_DIR) + "/docs/wazuh-analyst.md"));
  const auto at = std::find_if(lines.begin(), lines.end(),
                               [&](const std::string& line) { return line.starts_with(first); });
  return at == lines.end() ? std::string() : *at;
}

bool has_jq() { return run({"/bin/sh", "-c", "command -v jq"}).exit_code == 0; }

ProcessResult run_page(const TempDir& folder, const std::string& command) {
  ProcessOptions options;
  options.directory = folder.path();
  const std::string text = "lilith() { " + std::string(LILITH_BIN_DIR) + "/lilith \"$@\"; }\n";
  return run({"/bin/sh", "-c", text + command}, options);
}

std::vector<std::string> five_events() {
  for (const WazuhSample& sample : wazuh_samples()) {
    if (sample.rule == 100802) return sample.lines;
  }
  return {};
}

struct Route {
  std::string name, before;  // what the transport puts in front of the line
};
void PrintTo(const Route& route, std::ostream* out) { *out << route.name; }
class Archive : public testing::TestWithParam<Route> {};

TEST_P(Archive, ProvesThatNothingIsMissingOrNamesWhatIs) {
  const std::string command = command_of_page("lilith verify --arrived");
  ASSERT_FALSE(command.empty()) << "the page has lost its command";
  const TempDir folder;
  const auto lines = five_events();
  ASSERT_EQ(lines.size(), 5U);
  std::string archive = R"({"full_log":"sshd: nothing of ours","data":{"srcuser":"x"}})"
                        "\n";
  for (const std::string& line : lines) archive += archived(line, GetParam().before);
  write_text(folder.file("archives.json"), archive);
  const auto whole = run_page(folder, command);
  EXPECT_EQ(whole.exit_code, 0) << whole.out << whole.err;

  std::string gap;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i != 2) gap += archived(lines[i], GetParam().before);
  }
  write_text(folder.file("archives.json"), gap);
  const auto missing = run_page(folder, command);
  EXPECT_EQ(missing.exit_code, 1) << missing.out;
  EXPECT_THAT(missing.out, testing::HasSubstr("missing")) << missing.out;
}
INSTANTIATE_TEST_SUITE_P(
    Wazuh, Archive,
    testing::Values(Route{"file", ""}, Route{"syslog", "Nov 24 00:00:00 ws-42 lilith[12]: "},
                    Route{"rfc5424", "1 2026-11-24T00:00:00Z ws-42 lilith 12 - - "}),
    [](const auto& test) { return test.param.name; });

TEST(ArchiveSearch, TheSessionsOtherEventsAreFoundByThePagesSearch) {
  if (!has_jq()) GTEST_SKIP() << "jq is not installed";
  const std::string command = command_of_page("jq -c 'select(.data.lilith.agent.session");
  ASSERT_FALSE(command.empty()) << "the page has lost its command";
  const TempDir folder;
  std::string archive = R"({"data":{"lilith":{"agent":{"session":"other"}}}})"
                        "\n";
  for (const std::string& line : five_events()) archive += archived(line, "");
  write_text(folder.file("archives.json"), archive);
  const auto found = run_page(folder, command);
  EXPECT_EQ(found.exit_code, 0) << found.err;
  EXPECT_EQ(lines_of(found.out).size(), 5U);
  EXPECT_THAT(found.out, testing::HasSubstr("\"denied\""));
}

}  // namespace
}  // namespace lilith::test
