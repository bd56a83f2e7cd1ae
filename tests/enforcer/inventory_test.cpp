// `lilith inventory`: what it finds in a home directory, and what it says of it.

#include "enforcer/setup/inventory.hpp"

#include "audit/json/reader.hpp"
#include "enforcer/setup/codex_config.hpp"
#include "enforcer/setup/install.hpp"
#include "tests/enforcer/hook_fixture.hpp"

#include <gtest/gtest.h>

#include <filesystem>

namespace lilith::enforcer::setup {
namespace {

namespace fs = std::filesystem;
using test::HookFolder;
using test::write_text;

TEST(Pin, SaysWhetherTomorrowsProgramIsTodays) {
  struct Row {
    std::string command;
    std::vector<std::string> args;
    std::string expected;
  };
  const std::vector<Row> rows{
      {"npx", {"-y", "@modelcontextprotocol/server-filesystem@2025.8.21", "/home"}, "pinned"},
      {"npx", {"-y", "@modelcontextprotocol/server-filesystem", "/home"}, "floating"},
      {"npx", {"-y", "pkg@latest"}, "floating"},
      {"npx", {"-y", "pkg@^1.2.3"}, "floating"},
      {"npx", {"-y", "pkg@1"}, "floating"},
      {"npx", {"--package=a@1.2.3", "-p", "b@1.0.0", "tool"}, "pinned"},
      {"npx", {"-p", "a@1.2.3", "-p", "b", "tool"}, "floating"},
      {"npx", {}, "floating"},
      {"/usr/bin/uvx", {"mcp-server-git==2025.1.14"}, "pinned"},
      {"uvx", {"--from", "git+https://x/y", "tool"}, "floating"},
      {"uvx", {"--python", "3.12", "mcp-server-git@1.2.3"}, "pinned"},
      {"uvx", {"mcp-server-git==1.*"}, "floating"},
      {"pipx", {"run", "x==1.0.0"}, "pinned"},
      {"pnpm", {"dlx", "x@1.0.0-rc.1"}, "pinned"},
      {"docker", {"run", "-i", "--rm", "ghcr.io/x/y:1.2"}, "floating"},
      {"docker", {"run", "-i", "x@sha256:abc"}, "pinned"},
      {"/opt/server", {"--x"}, "local"},
      {"node", {"server.js"}, "local"},
      {"lilith", {"mcp", "--server", "fs", "--", "npx", "-y", "pkg"}, "floating"},
      {"/usr/bin/lilith", {"mcp", "--server", "fs", "--", "npx", "-y", "pkg@1.2.3"}, "pinned"},
      {"lilith", {"mcp", "--server", "fs"}, "local"},
  };
  for (const Row& row : rows) {
    std::string line = row.command;
    for (const std::string& word : row.args) line += " " + word;
    EXPECT_EQ(name(pin_of(row.command, row.args)), row.expected) << line;
  }
}

TEST(CodexConfig, IsReadOrRefusedWithItsPlace) {
  EXPECT_TRUE(codex_servers("")->empty());
  EXPECT_TRUE(codex_servers("mcp_servers = 7")->empty());
  const auto two =
      codex_servers("[mcp_servers]\nb = {command = \"y\", args = [\"1\", 2]}\na.url = \"u\"\n");
  ASSERT_TRUE(two) << two.error().message;
  ASSERT_EQ(two->size(), 2U);
  EXPECT_EQ(two->at(0).name, "a");
  EXPECT_EQ(two->at(0).url, "u");
  EXPECT_EQ(two->at(1).command, "y");
  EXPECT_EQ(two->at(1).args, (std::vector<std::string>{"1", ""}));
  const auto broken = codex_servers("a = 1\nb = [1,\n");
  ASSERT_FALSE(broken);
  EXPECT_TRUE(broken.error().message.starts_with("line 2, column ")) << broken.error().message;
}

// A home directory with several agents, and what an installation of each leaves there.
class Home {
 public:
  Home() {
    put("bin/x/node_modules/@anthropic-ai/claude-code/package.json",
        R"({"name": "@anthropic-ai/claude-code", "version": "2.1.328"})");
    program("bin/x/node_modules/@anthropic-ai/claude-code/cli.js");
    fs::create_directories(path() + "/.local/bin");
    fs::create_symlink(path() + "/bin/x/node_modules/@anthropic-ai/claude-code/cli.js",
                       path() + "/.local/bin/claude");
    put(".claude.json",
        R"({"mcpServers": {"fs": {"command": "npx", "args": ["-y", "@x/fs@1.2.3"]},
        "git": {"command": "/usr/bin/lilith",
                "args": ["mcp", "--server", "git", "--", "uvx", "mcp-git"]},
        "key": {"command": "srv", "args": ["--token", "ghp_0123456789abcdefghijABCDEFGHIJ012345"]}},
        "projects": {")" +
            path() +
            R"(/proj": {"mcpServers": {"own": {"command": "docker", "args": ["run", "img"]}}}}})");
    put("proj/.mcp.json",
        R"({"mcpServers": {"shared": {"type": "http", "url": "https://mcp.example/x"}}})");
    put(".cursor/mcp.json", "{ // mine\n \"mcpServers\": {\"a\": {\"command\": \"./a.sh\",},},}");
    put(".gemini/settings.json", "{ broken");
    put(".codex/config.toml",
        "model = \"m\"\n[mcp_servers.\"a b\"]\ncommand = 'npx'\nargs = [\n  \"-y\", # yes\n  "
        "\"pkg@1.0.0\"]\n[mcp_servers.far]\nurl = \"https://far.example/mcp\"\n");
    put(".copilot/hooks/lilith.json", text_with(agents::Agent::kGhCopilotCli, " || exit 0"));
    put(".claude/settings.json", text_with(agents::Agent::kClaudeCode, " || exit 2"));
  }
  [[nodiscard]] std::string path() const { return folder_.file("home"); }
  [[nodiscard]] const HookFolder& folder() const { return folder_; }
  [[nodiscard]] std::vector<UserSurvey> users() const {
    SurveyPlace place;
    place.anchors.home = path();
    place.anchors.etc = path() + "/no-etc";
    place.system_root = "/nonexistent";
    UserSurvey user{"dev", 1000, path(), {}};
    for (AgentSurvey& agent : survey(place)) {
      if (agent.present) user.agents.push_back(std::move(agent));
    }
    return {user};
  }
  [[nodiscard]] std::string without_path(std::string text) const {
    for (std::size_t at = text.find(path()); at != std::string::npos; at = text.find(path())) {
      text.replace(at, path().size(), "HOME");
    }
    return text;
  }

 private:
  void put(const std::string& file, const std::string& text) const {
    write_text(path() + "/" + file, text);
  }
  void program(const std::string& file) const {
    put(file, "#!/bin/sh\n");
    fs::permissions(path() + "/" + file, fs::perms::owner_all);
  }
  static std::string text_with(agents::Agent agent, const std::string& ending) {
    const std::string line =
        "/usr/bin/lilith hook --agent " + std::string(agents::name(agent)) + ending;
    return plan_install(agent, {}, {}, line, false)->file.text;
  }
  HookFolder folder_;
};

TEST(Inventory, TableLooksLikeThis) {
  const Home home;
  test::expect_golden("inventory.txt", home.without_path(to_table(home.users())));
}

TEST(Inventory, JsonHasTheSame) {
  const Home home;
  const std::string text = to_json(home.users());
  json::Document document;
  ASSERT_TRUE(document.parse(text)) << text;
  EXPECT_EQ(text.find("ghp_0123"), std::string::npos);
  test::expect_golden("inventory.json", home.without_path(text));
}

TEST(Inventory, GoesIntoTheLogForTheSiem) {
  const Home home;
  home.folder().write_policy();
  const auto done = test::run(
      {test::lilith_program(), "inventory", "--home", home.path(), "--policy", "policy.yaml"},
      home.folder().options());
  EXPECT_EQ(done.exit_code, 3) << done.out << done.err;  // one file could not be read
  std::vector<std::string> codes;
  bool pinned = false;
  for (const audit::Event& event : home.folder().events(home.folder().log())) {
    if (event.type != audit::EventType::kInventory) continue;
    EXPECT_EQ(event.category, audit::Category::kInventory);
    codes.push_back(event.agent + " " + event.reason_code + " " + event.server);
    for (const auto& [key, value] : event.detail) {
      EXPECT_EQ(value.find("ghp_0123"), std::string::npos) << value;
      pinned = pinned || (event.server == "fs" && key == "version" && value == "pinned");
    }
  }
  for (const char* wanted :
       {"claude_code inventory.agent ", "claude_code inventory.mcp_server fs",
        "claude_code inventory.mcp_server shared", "cursor inventory.mcp_server a",
        "gemini_cli inventory.unread ", "codex inventory.mcp_server far"}) {
    EXPECT_NE(std::find(codes.begin(), codes.end(), wanted), codes.end()) << wanted;
  }
  EXPECT_TRUE(pinned);
}

TEST(Inventory, LeavesTheLogAloneWhenAsked) {
  const Home home;
  home.folder().write_policy();
  const auto done = test::run({test::lilith_program(), "inventory", "--no-events", "--json",
                               "--home", home.path(), "--policy", "policy.yaml"},
                              home.folder().options());
  EXPECT_NE(done.out.find("\"agent\":\"claude_code\""), std::string::npos) << done.out << done.err;
  EXPECT_FALSE(fs::exists(home.folder().log()));
}

TEST(Inventory, NamesAHomeThatIsNotThere) {
  const auto done = test::run({test::lilith_program(), "inventory", "--home", "/nonexistent"});
  EXPECT_EQ(done.exit_code, 3);
  EXPECT_NE(done.err.find("no home directory /nonexistent"), std::string::npos) << done.err;
}

}  // namespace
}  // namespace lilith::enforcer::setup
