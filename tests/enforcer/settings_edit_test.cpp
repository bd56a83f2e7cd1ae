// Agents' settings files: read with comments, changed in place, and back again.

#include "audit/json/reader.hpp"
#include "enforcer/setup/agent_settings.hpp"
#include "enforcer/setup/hook_line.hpp"
#include "enforcer/setup/install.hpp"
#include "enforcer/setup/json_edit.hpp"
#include "enforcer/setup/text_diff.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <ostream>
#include <random>

namespace lilith::enforcer::setup {
namespace {

using agents::Agent;

std::vector<Agent> all_agents() {
  std::vector<Agent> out;
  for (const std::string_view one : agents::agent_names()) {
    out.push_back(*agents::agent_from_name(one));
  }
  return out;
}

std::string line_for(Agent agent, const std::string& program = "/usr/bin/lilith") {
  return to_shell({program, agent, {}, {}, false});
}

SettingsFile file_with(std::string text) { return {true, std::move(text), 0644, 0, 0}; }

// ---- reading ----

struct JsonCase {
  const char* name;
  const char* text;
  const char* error;  // "" for none
};
void PrintTo(const JsonCase& c, std::ostream* out) { *out << c.name; }
class Jsonc : public testing::TestWithParam<JsonCase> {};
TEST_P(Jsonc, IsReadOrRefusedWithItsPlace) {
  const auto root = parse_jsonc(GetParam().text);
  EXPECT_EQ(root ? "" : root.error().message, GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(
    All, Jsonc,
    testing::Values(
        JsonCase{"comments", "// a\n{/* b */\"x\": 1, // c\n \"y\": [1, 2,],}\n// end", ""},
        JsonCase{"byte_order_mark", "\xEF\xBB\xBF{}", ""},
        JsonCase{"numbers", "[0, -1, 2.5e+3, 1E9]", ""},
        JsonCase{"escapes", R"(["\u00e9\n\/"])", ""},
        JsonCase{"comment_in_text", R"({"url": "https://x//y /* z */"})", ""},
        JsonCase{"empty", "", "line 1, column 1: the text ends too early"},
        JsonCase{"cut", "{\"a\": [1", "line 1, column 9: the text ends too early"},
        JsonCase{"no_comma", "{\n  \"a\": 1\n  \"b\": 2\n}",
                 "line 3, column 3: a comma or a closing bracket is missing"},
        JsonCase{"key_twice", "{\"a\": 1,\n \"\\u0061\": 2}",
                 "line 2, column 2: the key a stands twice"},
        JsonCase{"single_quotes", "{'a': 1}",
                 "line 1, column 2: a key in double quotes is missing"},
        JsonCase{"behind_the_end", "{} {}", "line 1, column 4: text behind the end of the value"},
        JsonCase{"leading_zero", "[01]", "line 1, column 4: a number that is none"},
        JsonCase{"two_commas", "[1,,2]", "line 1, column 4: no value begins so"},
        JsonCase{"newline_in_text", "[\"a\nb\"]",
                 "line 1, column 4: a control character in a text"},
        JsonCase{"open_comment", "{} /*", "line 1, column 4: a comment without an end"},
        JsonCase{"no_utf8", "{\"\xff\": 1}", "the text is no valid UTF-8"},
        JsonCase{"yaml", "hooks: {}", "line 1, column 1: no value begins so"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(Jsonc, RefusesNestingWithoutEnd) {
  const auto root = parse_jsonc(std::string(100'000, '['));
  ASSERT_FALSE(root);
  EXPECT_EQ(root.error().message, "line 1, column 66: the nesting is too deep");
}

// ---- hand-made files ----

const std::vector<std::string>& hand_made() {
  static const std::vector<std::string> texts{
      "",
      "\n",
      "{}",
      "{}\n",
      "{ }",
      "{\n}\n",
      "{\n  // nothing yet\n}\n",
      "{\"model\":\"opus\"}",
      "{ \"model\": \"opus\" }\n",
      "{\n  \"model\": \"opus\"\n}\n",
      "{\n  \"model\": \"opus\",\n}\n",
      "{\n\t\"model\": \"opus\" // dear\n\t/* and good */\n}\n",
      "{\r\n    \"model\": \"opus\",\r\n    \"hooks\": {}\r\n}\r\n",
      "{\n  \"hooks\": {}\n}\n",
      "{\n  \"hooks\": {\n  },\n  \"model\": \"opus\"\n}\n",
      "{\"hooks\":{\"PreToolUse\":[]},\"version\":1}",
      "{\n  \"hooks\": {\n    \"PreToolUse\": [\n      {\n        \"matcher\": \"Bash\",\n        "
      "\"hooks\": [\n"
      "          { \"type\": \"command\", \"command\": \"./lint.sh\" } // ours\n        ]\n      "
      "}\n"
      "    ],\n    \"Stop\": [],\n  },\n}\n",
      "\xEF\xBB\xBF{\n  \"version\": 1,\n  \"hooks\": { \"preToolUse\": [ {\"type\": \"command\", "
      "\"bash\": "
      "\"x\"} ] }\n}",
      "{\"permissions\": {\"allow\": [\"Bash(git:*)\"]},\n \"env\": {\"A\": \"\\u00e9 /* no */ // "
      "no\"}}\n",
      "/* head */ {\n    \"a\" : [1,\n  2]\n    , \"b\": null } // tail",
  };
  return texts;
}

// Comments and trailing commas blanked: what is left must be strict JSON to another reader.
std::string strict(std::string_view text) {
  std::string out;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (inside) {
      out += text[i];
      if (text[i] == '\\') out += text[++i];
      if (text[i] == '"' && text[i - 1] != '\\') inside = false;
    } else if (text.substr(i, 2) == "//") {
      i = text.find('\n', i);
      if (i == std::string_view::npos) break;
    } else if (text.substr(i, 2) == "/*") {
      i = text.find("*/", i) + 1;
    } else {
      if (text[i] == '"') inside = true;
      if (text[i] == '}' || text[i] == ']') {
        const std::size_t last = out.find_last_not_of(" \t\r\n");
        if (last != std::string::npos && out[last] == ',') out[last] = ' ';
      }
      out += text[i];
    }
  }
  return out;
}

// `text` with the bytes of `base` in it, in their order.
bool keeps_every_byte(std::string_view base, std::string_view text) {
  std::size_t at = 0;
  for (const char c : base) {
    at = text.find(c, at);
    if (at == std::string_view::npos) return false;
    ++at;
  }
  return true;
}

TEST(Install, PutsInWhatAnotherReaderFindsAndKeepsTheRest) {
  for (const Agent agent : all_agents()) {
    for (const std::string& text : hand_made()) {
      const auto edit = plan_install(agent, file_with(text), {}, line_for(agent), false);
      ASSERT_TRUE(edit) << edit.error().message << "\n" << text;
      EXPECT_TRUE(keeps_every_byte(text, edit->file.text)) << text << "\n->\n" << edit->file.text;
      EXPECT_EQ(edit->backup.text, text);
      json::Document document;
      const auto root = document.parse(strict(edit->file.text));
      ASSERT_TRUE(root) << root.error().message << "\n" << edit->file.text;
      const auto hooks = root->find("hooks");
      ASSERT_TRUE(hooks);
      const auto ours = installed_hooks(agent, *parse_jsonc(edit->file.text));
      ASSERT_FALSE(ours.empty()) << edit->file.text;
      for (const InstalledHook& hook : ours) {
        EXPECT_TRUE(hooks->find(hook.event)) << hook.event;
        EXPECT_EQ(hook.line, line_for(agent));
      }
    }
  }
}

TEST(Install, IsDoneOnce) {
  for (const Agent agent : all_agents()) {
    for (const std::string& text : hand_made()) {
      const auto once = plan_install(agent, file_with(text), {}, line_for(agent), false);
      ASSERT_TRUE(once);
      const auto twice = plan_install(agent, once->file, once->backup, line_for(agent), false);
      ASSERT_TRUE(twice);
      EXPECT_FALSE(twice->changed);
      EXPECT_EQ(twice->file.text, once->file.text);
    }
  }
}

TEST(Install, ReplacesTheLineOfAnEarlierInstallation) {
  for (const Agent agent : all_agents()) {
    for (const std::string& text : hand_made()) {
      const auto old =
          plan_install(agent, file_with(text), {}, line_for(agent, "/opt/lilith"), false);
      ASSERT_TRUE(old);
      const auto again = plan_install(agent, old->file, old->backup, line_for(agent), false);
      const auto fresh = plan_install(agent, file_with(text), {}, line_for(agent), false);
      ASSERT_TRUE(again && fresh);
      EXPECT_EQ(again->file.text, fresh->file.text);
      EXPECT_EQ(again->backup.text, text);
    }
  }
}

TEST(Uninstall, GivesBackTheBytesFromBefore) {
  for (const Agent agent : all_agents()) {
    for (const std::string& text : hand_made()) {
      const auto in = plan_install(agent, file_with(text), {}, line_for(agent), false);
      ASSERT_TRUE(in);
      const auto out = plan_uninstall(agent, in->file, in->backup);
      ASSERT_TRUE(out);
      EXPECT_TRUE(out->exact) << text;
      EXPECT_TRUE(out->file.there);
      EXPECT_EQ(out->file.text, text);
      EXPECT_FALSE(out->backup.there);
    }
  }
}

TEST(Uninstall, RemovesAFileThatHeldOnlyTheHook) {
  for (const Agent agent : all_agents()) {
    const auto in = plan_install(agent, {}, {}, line_for(agent), false);
    ASSERT_TRUE(in);
    EXPECT_FALSE(in->backup.there);
    const auto out = plan_uninstall(agent, in->file, in->backup);
    ASSERT_TRUE(out);
    EXPECT_TRUE(out->exact);
    EXPECT_FALSE(out->file.there);
  }
}

TEST(Uninstall, KeepsWhatWasChangedSince) {
  for (const Agent agent : all_agents()) {
    for (const std::string& text : hand_made()) {
      auto in = plan_install(agent, file_with(text), {}, line_for(agent), false);
      ASSERT_TRUE(in);
      auto changed = add_member(in->file.text, "added", "true");
      ASSERT_TRUE(changed);
      const auto out = plan_uninstall(agent, file_with(*changed), in->backup);
      ASSERT_TRUE(out);
      EXPECT_FALSE(out->exact);
      const auto root = parse_jsonc(out->file.text);
      ASSERT_TRUE(root) << root.error().message << "\n" << out->file.text;
      EXPECT_NE(find_member(*root, "added"), nullptr);
      EXPECT_TRUE(installed_hooks(agent, *root).empty()) << out->file.text;
      json::Document document;
      EXPECT_TRUE(document.parse(strict(out->file.text))) << out->file.text;
    }
  }
}

// ---- files made at random ----

class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}
  std::string file() {
    std::string out;
    if (one_in(4)) out += "\xEF\xBB\xBF";
    out += blank() + object(0, true) + blank();
    return out;
  }

 private:
  unsigned below(unsigned n) { return static_cast<unsigned>(random_()) % n; }
  bool one_in(unsigned n) { return below(n) == 0; }
  std::string blank() {
    static const std::vector<std::string> kinds{
        "", "", "", " ", "\n", "\n    ", "\t", "\r\n  ", " // {\"x\": [\n", " /* , } */ "};
    return kinds[below(static_cast<unsigned>(kinds.size()))];
  }
  std::string value(int depth) {
    static const std::vector<std::string> plain{
        "1", "-2.5e3", "true", "null", R"("a\"b")", R"("// no comment")", R"("\u00fc")", "\"\""};
    if (depth < 3 && one_in(3)) return object(depth + 1, false);
    if (depth < 3 && one_in(3)) return array(depth + 1);
    return plain[below(static_cast<unsigned>(plain.size()))];
  }
  std::string array(int depth) {
    std::string out = "[" + blank();
    const unsigned count = below(4);
    for (unsigned i = 0; i < count; ++i) {
      out += value(depth) + blank() + (i + 1 < count || one_in(4) ? "," : "") + blank();
    }
    return out + "]";
  }
  std::string hooks(int depth) {
    static const std::vector<std::string> events{"PreToolUse", "preToolUse", "Stop"};
    std::string out = "{" + blank();
    const unsigned count = below(3);
    for (unsigned i = 0; i < count; ++i) {
      out += "\"" + events[i] + "\"" + blank() + ":" + blank() + array(depth) + blank() +
             (i + 1 < count || one_in(4) ? "," : "") + blank();
    }
    return out + "}";
  }
  std::string object(int depth, bool root) {
    std::string out = "{" + blank();
    const unsigned count = below(4);
    const unsigned special = root && one_in(2) ? below(count + 1) : count;
    for (unsigned i = 0; i < count; ++i) {
      out += i == special ? "\"hooks\"" : "\"k" + std::to_string(i) + "\"";
      out += blank() + ":" + blank() + (i == special ? hooks(depth + 1) : value(depth)) + blank() +
             (i + 1 < count || one_in(4) ? "," : "") + blank();
    }
    return out + "}";
  }
  std::mt19937 random_;
};

TEST(Install, ThenUninstallIsIdentityForAnyFile) {
  const unsigned rounds = std::getenv("LILITH_LONG") != nullptr ? 20'000 : 300;
  for (unsigned seed = 0; seed < rounds; ++seed) {
    const std::string text = Maker(seed).file();
    const std::vector<Agent> agents = all_agents();
    const Agent agent = agents[seed % agents.size()];
    const auto in = plan_install(agent, file_with(text), {}, line_for(agent), false);
    ASSERT_TRUE(in) << "seed " << seed << ": " << in.error().message << "\n" << text;
    EXPECT_TRUE(keeps_every_byte(text, in->file.text)) << "seed " << seed << "\n" << text;
    json::Document document;
    EXPECT_TRUE(document.parse(strict(in->file.text))) << "seed " << seed << "\n" << in->file.text;
    const auto out = plan_uninstall(agent, in->file, in->backup);
    ASSERT_TRUE(out);
    EXPECT_EQ(out->file.text, text) << "seed " << seed;
    // Without the backup the hook still goes, and nothing that could not be read again is left.
    const auto bare = without_hook(agent, in->file.text);
    ASSERT_TRUE(bare) << "seed " << seed << "\n" << in->file.text;
    const auto root = parse_jsonc(*bare);
    ASSERT_TRUE(root) << "seed " << seed << ": " << root.error().message << "\n" << *bare;
    EXPECT_TRUE(installed_hooks(agent, *root).empty()) << "seed " << seed;
  }
}

// ---- other forms ----

struct FormCase {
  const char* name;
  const char* text;
  const char* error;
};
void PrintTo(const FormCase& c, std::ostream* out) { *out << c.name; }
class WrongForm : public testing::TestWithParam<FormCase> {};
TEST_P(WrongForm, IsRefusedWithItsPlace) {
  const auto edit = plan_install(Agent::kClaudeCode, file_with(GetParam().text), {},
                                 line_for(Agent::kClaudeCode), false);
  ASSERT_FALSE(edit);
  EXPECT_EQ(edit.error().message, GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(
    All, WrongForm,
    testing::Values(FormCase{"list", "[]", "line 1, column 1: the file is no object"},
                    FormCase{"hooks_is_a_list", "{\n \"hooks\": []\n}",
                             "line 2, column 11: hooks is no object"},
                    FormCase{"event_is_an_object", "{\"hooks\": {\"PreToolUse\": {}}}",
                             "line 1, column 26: PreToolUse is no list"},
                    FormCase{"broken", "{\"a\" 1}", "line 1, column 6: a colon is missing"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(HookLine, IsRecognisedWhereverItCameFrom) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"/usr/bin/lilith hook --agent claude-code || exit 2", "/usr/bin/lilith closed"},
      {"'/opt/my tools/lilith-hook' --agent=copilot-cli --event preToolUse || exit 2",
       "/opt/my tools/lilith-hook closed"},
      {"lilith hook --policy x --agent vscode || exit 0", "lilith open"},
      {"/usr/bin/lilith hook --agent claude-code", "/usr/bin/lilith open"},
      {"/usr/bin/lilith verify --agent claude-code", ""},
      {"/usr/bin/lilith hook", ""},
      {"echo lilith", ""},
      {"", ""}};
  for (const auto& [line, expected] : rows) {
    const auto found = read_hook_line(line);
    EXPECT_EQ(found ? found->program + (found->fails_closed ? " closed" : " open") : "", expected)
        << line;
  }
}

// What stands around the program, run by a real shell, with a program in its place.
TEST(HookLine, DeniesAndSaysSoWhateverBecomesOfTheProgram) {
  struct Row {
    const char* program;  // a script
    int exit_code;
    const char* said;
  };
  const test::TempDir folder;
  const std::string program = folder.file("it's a/lilith-hook");
  const std::string input(300'000, 'x');  // more than a pipe holds
  for (const Agent agent : {Agent::kCodex, Agent::kGeminiCli}) {
    for (const Row& row : {Row{"cat >/dev/null; exit 0", 0, ""},
                           Row{"echo lilith: no >&2; exit 2", 2, "lilith: no\n"},
                           Row{"exit 1", 2, "the hook of lilith did not run\n"},
                           Row{"kill -KILL $$", 2, "the hook of lilith did not run\n"}}) {
      test::write_text(program, "#!/bin/sh\n" + std::string(row.program) + "\n");
      std::filesystem::permissions(program, std::filesystem::perms::owner_all);
      test::ProcessOptions options;
      options.input = input;
      const auto ran = test::run({"/bin/sh", "-c", line_for(agent, program)}, options);
      EXPECT_EQ(ran.exit_code, row.exit_code) << row.program;
      EXPECT_TRUE(ran.err.ends_with(row.said)) << ran.err;
      EXPECT_EQ(ran.err.empty(), row.exit_code == 0) << ran.err;
    }
  }
}

TEST(HookLine, OfAnyProgramIsReadBack) {
  for (const std::string program :
       {"/a b/lilith", "/it's/lilith-hook", "/$(x)/lilith", "/\xC3\xA9/lilith"}) {
    for (const Agent agent : all_agents()) {
      for (const bool rollout : {false, true}) {
        const auto found = read_hook_line(to_shell({program, agent, "/p q", "/r", rollout}));
        ASSERT_TRUE(found) << program;
        EXPECT_EQ(found->program, program);
        EXPECT_EQ(found->agent, agent);
        EXPECT_EQ(found->fails_closed, !rollout);
        const std::string plain = plain_line(to_shell({program, agent, {}, {}, rollout}));
        EXPECT_TRUE(plain.starts_with(shell_word(program) + " ")) << plain;
        EXPECT_EQ(plain.find("||"), std::string::npos) << plain;
      }
    }
  }
}

TEST(Install, LooksLikeThis) {
  std::string out;
  for (const Agent agent : all_agents()) {
    for (const std::size_t index : {3U, 10U, 16U}) {
      const std::string& text = hand_made()[index];
      const auto edit = plan_install(agent, file_with(text), {}, line_for(agent), false);
      ASSERT_TRUE(edit);
      out += "== " + std::string(agents::name(agent)) + "\n" +
             unified_diff(text, edit->file.text, "before", "after");
    }
  }
  test::expect_golden("install-diff.txt", out);
}

TEST(UnifiedDiff, ShowsWhatIsMissingAtTheEnd) {
  EXPECT_EQ(unified_diff("a\nb", "a\nc\n", "x", "y"),
            "--- x\n+++ y\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n");
  EXPECT_EQ(unified_diff("same\n", "same\n", "x", "y"), "");
  EXPECT_EQ(unified_diff("", "\x1b[31m\tred\n", "/dev/null", "y"),
            "--- /dev/null\n+++ y\n@@ -0,0 +1,1 @@\n+\\x1b[31m\tred\n");
}

TEST(UnifiedDiff, PartsChangesThatAreFarApart) {
  std::string before, after;
  for (int i = 1; i <= 30; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    before += line;
    after += i == 3 || i == 25 ? "changed\n" : line;
  }
  const std::string diff = unified_diff(before, after, "x", "y");
  EXPECT_NE(diff.find("@@ -1,6 +1,6 @@\n line 1\n"), std::string::npos) << diff;
  EXPECT_NE(diff.find("@@ -22,7 +22,7 @@\n line 22\n"), std::string::npos) << diff;
}

}  // namespace
}  // namespace lilith::enforcer::setup
