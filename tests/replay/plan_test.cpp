#include "replay/plan.hpp"

#include "audit/json/reader.hpp"
#include "tests/replay/call_maker.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace lilith::replay {
namespace {

using test::CallMaker;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kPolicy = R"(version: "1"
egress:
  default_action: log
  allowed_destinations: [{host: docs.example.com}, {host: unused.example.com}]
tool_invocations:
  default_action: log
  allowed_tools:
    - {name: run_command, command_allowlist: [git, cargo]}
    - {name: read_file, path_allowlist: ["/srv/shared/**"]}
)";

// Eight developers of two teams on ten days; names that want to break out of every format.
void fill(Recording& recording) {
  CallMaker make;
  for (int day = 0; day < 10; ++day) {
    const std::string time = "2026-03-" + std::to_string(10 + day) + "T10:00:00Z";
    for (int i = 0; i < 8; ++i) {
      const std::string host = (i < 4 ? "be-" : "web-") + std::to_string(i);
      const std::string user = i == 0 ? "a<b>&\"|`*" : "ann";
      recording.add(make.command(host, user, time, "git log | head"));
      recording.add(make.fetch(host, user, time, "https://docs.example.com/x"));
      recording.add(make.read(host, user, time, "/srv/shared/readme"));
      if (day % 3 == 0)
        recording.add(make.read(host, user, time, "/home/ann/projects/app/<x>&.go"));
      if (i > 5 && day > 6) recording.add(make.command(host, user, time, "terraform plan"));
    }
  }
}

Plan plan() {
  Recording recording;
  fill(recording);
  PlanOptions options;
  options.policy_path = "policies/candidate.yaml";
  options.policy_yaml = kPolicy;
  const auto days = recording.active_days();
  options.evidence.tested = {days.front(), days.back()};
  options.teams = {{"be", {"be-*"}}, {"web", {"web-*"}}};
  options.limits.max_blocks = 1.2;
  options.limits.max_share_over = 0.2;
  auto out = make_plan(recording, options);
  EXPECT_TRUE(out.has_value()) << out.error().message;
  if (!out) return {};
  out->inputs = {{"audit.log", std::string(64, 'a')}};
  out->version = "0.0.0";
  out->command_line = "lilith replay report audit.log --policy policies/candidate.yaml";
  out->suffix_list = "a list";
  if (out->suggest) out->suggest->policy = options.policy_path;
  return std::move(*out);
}

// Numbers that depend on the machine's suffix list stand in one place each.
std::string without_list(std::string text) {
  const std::string_view start = "\"suffix_list\":\"libpsl";
  const std::size_t at = text.find(start);
  if (at == std::string::npos) return text;
  const std::size_t end = text.find('"', at + start.size());
  return text.erase(at, end + 2 - at);
}

TEST(Plan, AsMarkdownJsonSarifAndJunit) {
  const Plan one = plan();
  test::expect_golden("plan.md", to_markdown(one));
  test::expect_golden("plan.json", without_list(to_json(one)));
  test::expect_golden("plan.sarif", to_sarif(one));
  test::expect_golden("plan.junit.xml", to_junit(one));
}

TEST(Plan, EveryFormatIsWellFormed) {
  const Plan one = plan();
  json::Document document;
  EXPECT_TRUE(document.parse(to_json(one)).has_value());
  EXPECT_TRUE(document.parse(to_sarif(one)).has_value());
  EXPECT_THAT(to_html(one), Not(HasSubstr("<b>&")));
  EXPECT_THAT(to_html(one), HasSubstr("a&lt;b&gt;&amp;&quot;|`*@be-0"));
}

TEST(Plan, CountsWhatIsThere) {
  const Plan one = plan();
  ASSERT_EQ(one.days.size(), 10);
  EXPECT_EQ(one.days[0].developers, 8);
  EXPECT_EQ(one.days[9].developer_days, 80);
  EXPECT_GT(one.days[0].new_facts, 0);
  EXPECT_EQ(one.days[1].new_facts, 0);
  EXPECT_EQ(one.days[7].new_facts, 1) << "terraform";
  EXPECT_EQ(one.heat_map.size(), 8);
  // An entry is used by every operation of a line, not only by the first one.
  std::map<std::string, std::uint64_t> calls;
  for (const PlanRule& rule : one.allow_rules) calls[rule.rule] = rule.calls;
  EXPECT_EQ(calls.at("egress.allowed_destinations[\"unused.example.com\"]"), 0);
  EXPECT_EQ(calls.at("egress.allowed_destinations[\"docs.example.com\"]"), 80);
  EXPECT_EQ(calls.at("tool_invocations.run_command.command_allowlist[\"git\"]"), 80);
  EXPECT_EQ(calls.at("tool_invocations.run_command.command_allowlist[\"cargo\"]"), 0);
  EXPECT_EQ(calls.at("tool_invocations.read_file.path_allowlist[\"/srv/shared/**\"]"), 80);
}

std::set<std::string> values_of(const std::string& html, std::string_view attribute) {
  std::set<std::string> out;
  const std::string start = " " + std::string(attribute) + "=\"";
  for (std::size_t at = html.find(start); at != std::string::npos; at = html.find(start, at + 1)) {
    const std::size_t begin = at + start.size();
    std::string value = html.substr(begin, html.find('"', begin) - begin);
    for (std::size_t blank = 0; (blank = value.find(' ')) != std::string::npos;) {
      out.insert(value.substr(0, blank));
      value.erase(0, blank + 1);
    }
    out.insert(value);
  }
  return out;
}

TEST(PlanPage, NeedsNoNetworkAndNoScriptAndCanBeReadAloud) {
  const std::string html = to_html(plan());
  for (const char* foreign : {"<script", " src=", "url(", "@import", "<link", "<iframe"})
    EXPECT_THAT(html, Not(HasSubstr(foreign)));
  for (const char* part : {"<html lang=\"en\">", "<header>", "<nav aria-label=", "<main>",
                           "<caption>", "scope=\"col\"", "scope=\"row\"", "role=\"img\"", "<desc",
                           "prefers-color-scheme:dark", "@media print"})
    EXPECT_THAT(html, HasSubstr(part));
  const std::set<std::string> ids = values_of(html, "id");
  for (const std::string& id : values_of(html, "aria-labelledby"))
    EXPECT_TRUE(ids.contains(id)) << id;
  for (const std::string& target : values_of(html, "href"))
    EXPECT_TRUE(target.starts_with("#") && ids.contains(target.substr(1))) << target;
}

std::string chromium() {
  for (const char* name : {"/usr/bin/chromium", "/usr/bin/chromium-browser",
                           "/usr/bin/google-chrome", "/opt/google/chrome/chrome"}) {
    if (std::filesystem::exists(name)) return name;
  }
  return {};
}

// $LILITH_SCREENSHOTS keeps the pictures for whoever wants to look.
TEST(PlanPage, IsDrawnByARealBrowser) {
  const std::string browser = chromium();
  if (browser.empty()) GTEST_SKIP() << "no Chromium is installed; the page is not drawn here";
  const test::TempDir dir;
  test::write_text(dir.file("plan.html"), to_html(plan()));
  const char* keep = std::getenv("LILITH_SCREENSHOTS");
  const std::string picture = (keep != nullptr ? std::string(keep) : dir.path()) + "/plan.png";
  const std::vector<std::string> common{browser,
                                        "--headless",
                                        "--no-sandbox",
                                        "--disable-gpu",
                                        "--disable-dev-shm-usage",
                                        "--user-data-dir=" + dir.file("profile"),
                                        "--window-size=1100,4200"};
  auto argv = common;
  argv.push_back("--screenshot=" + picture);
  argv.push_back("file://" + dir.file("plan.html"));
  const auto drawn = test::run(argv, {.timeout = std::chrono::milliseconds(240'000)});
  ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
  const std::string png = test::read_text(picture);
  EXPECT_EQ(png.substr(1, 3), "PNG");
  EXPECT_GT(png.size(), 20'000U) << "an empty page is smaller";
  argv = common;
  argv.push_back("--dump-dom");
  argv.push_back("file://" + dir.file("plan.html"));
  const auto dom = test::run(argv, {.timeout = std::chrono::milliseconds(240'000)});
  EXPECT_THAT(dom.out, HasSubstr("id=\"again\""));
  EXPECT_THAT(dom.out, HasSubstr("polyline"));
}

}  // namespace
}  // namespace lilith::replay
