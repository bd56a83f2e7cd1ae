#include "audit/base/sha256.hpp"
#include "audit/json/reader.hpp"
#include "rules/agents/agents.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <map>

namespace lilith::agents {
namespace {

constexpr const char* kCwd = "/home/dev/app";

// One line for each call: "kind command=... paths=a,b urls=... server=... arguments=... !why not".
std::string text_of(const MappedCall& mapped) {
  const audit::Call& call = mapped.call;
  std::string out(audit::name(call.kind));
  const auto list = [&out](const char* name, const std::vector<std::string>& items) {
    if (items.empty()) return;
    out += std::string(" ") + name + "=";
    for (std::size_t i = 0; i < items.size(); ++i) out += (i == 0 ? "" : ",") + items[i];
  };
  if (!call.command.empty()) out += " command=" + call.command;
  list("paths", call.paths);
  list("urls", call.urls);
  if (!mapped.server.empty()) out += " server=" + mapped.server;
  if (!call.arguments.empty()) out += " arguments=" + call.arguments;
  if (!call.undecidable.empty()) out += " !" + call.undecidable;
  return out;
}

struct MapCase {
  const char* agent;
  const char* tool;
  std::string input;
  std::string expected;
};
void PrintTo(const MapCase& c, std::ostream* out) {
  *out << c.agent << " " << c.tool << " " << c.input.substr(0, 100);
}
std::string case_name(const testing::TestParamInfo<MapCase>& info) {
  std::string name =
      std::string(info.param.agent) + "_" + info.param.tool + "_" + std::to_string(info.index);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

class MapCall : public testing::TestWithParam<MapCase> {};
TEST_P(MapCall, GivesTheCanonicalCall) {
  const MapCase& c = GetParam();
  json::Document document;
  const auto input = document.parse(c.input);
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(text_of(map_call(c.agent, c.tool, *input, kCwd)), c.expected);
}

const std::string kBody = "secret\nbody";
std::string body_of(const std::string& key) {
  return "\"" + key + "_len\":11,\"" + key + "_sha256\":\"" + sha256_hex(kBody) + "\"";
}

INSTANTIATE_TEST_SUITE_P(
    ClaudeCode, MapCall,
    testing::Values(
        MapCase{"claude_code", "Bash", R"({"command":"ls -l","description":"d","timeout":5})",
                "run_command command=ls -l"},
        MapCase{"claude_code", "Bash", R"({"command":"ls","dangerouslyDisableSandbox":true})",
                R"(run_command command=ls arguments={"dangerouslyDisableSandbox":true})"},
        MapCase{"claude_code", "Bash", R"({"description":"d"})",
                "run_command !the call names no command"},
        MapCase{"claude_code", "Bash", R"({"command":"  "})",
                "run_command command=   !the call names no command"},
        MapCase{"claude_code", "Bash", R"({"command":7})",
                "run_command !the call names no command"},
        MapCase{"claude_code", "Bash", R"("ls")",
                R"(other arguments="ls" !the tool's arguments are no object)"},
        MapCase{"claude_code", "PowerShell", R"({"command":"Get-Item x"})",
                "run_command command=Get-Item x"},
        MapCase{"claude_code", "Monitor", R"({"command":"tail -f x","description":"d"})",
                "run_command command=tail -f x"},
        MapCase{"claude_code", "Monitor", R"({"ws":{"url":"wss://h/x"}})", "egress urls=wss://h/x"},
        MapCase{"claude_code", "Monitor", R"({"ws":{}})", "egress !the call names no URL"},
        MapCase{"claude_code", "Monitor", R"({"ws":{"url":"wss://h"},"command":"ls"})",
                "egress command=ls urls=wss://h !a monitor with a command and a socket is two "
                "calls in one"},
        MapCase{"claude_code", "Read", R"({"file_path":"/a/b","offset":1})",
                "read_file paths=/a/b"},
        MapCase{"claude_code", "Read", R"({})", "read_file !the call names no path"},
        MapCase{"claude_code", "Read", R"({"file_path":["/a",3]})",
                "read_file paths=/a !a list holds something that is no text: file_path"},
        MapCase{"claude_code", "Read", R"({"file_path":"/ok","path":"/etc/shadow"})",
                "read_file paths=/ok,/etc/shadow"},
        MapCase{"claude_code", "Grep", R"({"pattern":"x"})", "read_file paths=/home/dev/app"},
        MapCase{"claude_code", "Grep", R"({"pattern":"x","path":"src","glob":"*.c"})",
                "read_file paths=src"},
        MapCase{"claude_code", "Grep", R"({"pattern":"x","path":5})",
                "read_file paths=/home/dev/app !an argument has a type that the tool does not "
                "take: path"},
        MapCase{"claude_code", "Glob", R"({"pattern":"**/*.c"})", "read_file paths=/home/dev/app"},
        MapCase{"claude_code", "Glob", R"({"pattern":"src/*.c"})",
                "read_file paths=/home/dev/app/src"},
        MapCase{"claude_code", "Glob", R"({"pattern":"/etc/ssh/*"})", "read_file paths=/etc/ssh"},
        MapCase{"claude_code", "Glob", R"({"pattern":"/*"})", "read_file paths=/"},
        MapCase{"claude_code", "Glob", R"({"pattern":"../x/*","path":"/p"})",
                "read_file paths=/p/../x"},
        MapCase{"claude_code", "Glob", R"({"pattern":"*/../../etc/*","path":"/p"})",
                "read_file paths=/p !the file pattern goes up after a wildcard"},
        MapCase{"claude_code", "Glob", R"({"pattern":"~/.ssh/*"})", "read_file paths=~/.ssh"},
        MapCase{"claude_code", "Glob", R"({"pattern":"{a,b}/c"})", "read_file paths=/home/dev/app"},
        MapCase{"claude_code", "Write", R"({"file_path":"/a","content":"secret"})",
                "write_file paths=/a"},
        MapCase{"claude_code", "Write", R"({"file_path":"/a","content_len":12})",
                "write_file paths=/a"},
        MapCase{"claude_code", "Edit",
                R"({"file_path":"/a","old_string":"secret","new_string":"b"})",
                "write_file paths=/a"},
        MapCase{"claude_code", "MultiEdit", R"({"file_path":"/a","edits":[]})",
                "write_file paths=/a"},
        MapCase{"claude_code", "NotebookEdit", R"({"notebook_path":"/n.ipynb","new_source":"x"})",
                "write_file paths=/n.ipynb"},
        MapCase{"claude_code", "Edit", R"({"old_string":"a"})",
                "write_file !the call names no path"},
        MapCase{"claude_code", "WebFetch", R"({"url":"https://h/p","prompt":"p"})",
                "egress urls=https://h/p"},
        MapCase{"claude_code", "WebFetch", R"({"prompt":"https://h"})",
                "egress !the call names no URL"},
        MapCase{"claude_code", "WebSearch", R"({"query":"q"})", R"(other arguments={"query":"q"})"},
        MapCase{"claude_code", "Task", R"({"description":"d","prompt":"p"})",
                R"(other arguments={"description":"d","prompt":"p"})"},
        MapCase{"claude_code", "TodoWrite", R"({"todos":[{"content":"secret\nbody"}]})",
                R"(other arguments={"todos":[{)" + body_of("content") + "}]}"},
        MapCase{"claude_code", "mcp__github__create_issue", R"({"b":1,"a":{"z":[2,"x"]}})",
                R"(mcp_tool server=github arguments={"b":1,"a":{"z":[2,"x"]}})"},
        MapCase{
            "claude_code", "mcp__fs__write", R"({"path":"/x","content":"secret\nbody"})",
            R"(mcp_tool paths=/x server=fs arguments={"path":"/x",)" + body_of("content") + "}"},
        MapCase{"claude_code", "mcp__a__b__c", R"({})", "mcp_tool server=a arguments={}"},
        MapCase{"claude_code", "mcp__broken", R"({})", "mcp_tool arguments={}"},
        MapCase{"claude_code", "ReadMcpResourceTool", R"({"server":"s","uri":"file:///x"})",
                R"(read_file paths=/x server=s arguments={"server":"s","uri":"file:///x"})"},
        MapCase{
            "claude_code", "ReadMcpResourceTool", R"({"server":"s","uri":"FILE:/a%2Fb%20c"})",
            R"(read_file paths=/a/b c server=s arguments={"server":"s","uri":"FILE:/a%2Fb%20c"})"},
        MapCase{"claude_code", "ReadMcpResourceTool", R"({"server":"s","uri":"file://h/x"})",
                R"(read_file server=s arguments={"server":"s","uri":"file://h/x"} )"
                "!the resource's file URI can be read in more than one way"},
        MapCase{"claude_code", "ReadMcpResourceTool", R"({"server":"s","uri":"https://h/x"})",
                R"(egress urls=https://h/x server=s arguments={"server":"s","uri":"https://h/x"})"},
        MapCase{"claude_code", "ReadMcpResourceTool", R"({"server":"s","uri":" file:///x"})",
                R"(mcp_tool server=s arguments={"server":"s","uri":" file:///x"} )"
                "!the resource's URI has blanks or control characters"},
        MapCase{"claude_code", "ReadMcpResourceTool", R"({"server":"s","uri":"note://x"})",
                R"(mcp_tool server=s arguments={"server":"s","uri":"note://x"})"},
        MapCase{"claude_code", "ReadMcpResourceTool", R"({"uri":"u"})",
                R"(mcp_tool arguments={"uri":"u"} !the call names no MCP server)"},
        MapCase{"claude_code", "run_in_terminal", R"({"command":"ls"})",
                R"(other command=ls arguments={"command":"ls"})"}),
    case_name);

INSTANTIATE_TEST_SUITE_P(
    VsCode, MapCall,
    testing::Values(
        MapCase{"vscode_copilot", "run_in_terminal", R"({"command":"ls","isBackground":false})",
                "run_command command=ls"},
        MapCase{"vscode_copilot", "runTerminalCommand", R"({"command":"ls"})",
                "run_command command=ls"},
        MapCase{"vscode_copilot", "run_vscode_command", R"({"commandId":"x"})",
                "run_command !the call names no command"},
        MapCase{"vscode_copilot", "run_notebook_cell", R"({"filePath":"/n","cellId":"1"})",
                "run_command !the call names no command"},
        MapCase{"vscode_copilot", "run_task", R"({"id":"build","workspaceFolder":"/w"})",
                "run_command !the call names no command"},
        MapCase{"vscode_copilot", "create_and_run_task",
                R"({"task":{"label":"l","command":"make","args":["-j2","all"]}})",
                "run_command command=make -j2 all"},
        MapCase{"vscode_copilot", "create_and_run_task",
                R"({"task":{"command":"make","args":["a;curl x"]}})",
                "run_command command=make !an argument of the task would have to be quoted as VS "
                "Code does it"},
        MapCase{"vscode_copilot", "create_and_run_task", R"({"task":"make"})",
                "run_command !the call names no command"},
        MapCase{"vscode_copilot", "read_file", R"({"filePath":"/a","startLine":1})",
                "read_file paths=/a"},
        MapCase{"vscode_copilot", "read_file", R"({"uri":"file:///a"})",
                "read_file paths=file:///a"},
        MapCase{"vscode_copilot", "list_dir", R"({"path":"/a"})", "read_file paths=/a"},
        MapCase{"vscode_copilot", "file_search", R"({"query":"**/*.ts"})",
                "read_file paths=/home/dev/app"},
        MapCase{"vscode_copilot", "grep_search", R"({"query":"x","includePattern":"/etc/**"})",
                "read_file paths=/etc"},
        MapCase{"vscode_copilot", "semantic_search", R"({"query":"x"})",
                "read_file paths=/home/dev/app"},
        MapCase{"vscode_copilot", "create_file", R"({"filePath":"/a","content":"secret"})",
                "write_file paths=/a"},
        MapCase{"vscode_copilot", "replace_string_in_file",
                R"({"filePath":"/a","oldString":"x","newString":"y"})", "write_file paths=/a"},
        MapCase{"vscode_copilot", "insert_edit_into_file", R"({"filePath":"/a","code":"x"})",
                "write_file paths=/a"},
        MapCase{"vscode_copilot", "edit_notebook_file", R"({"filePath":"/n"})",
                "write_file paths=/n"},
        MapCase{"vscode_copilot", "create_directory", R"({"dirPath":"/d"})", "write_file paths=/d"},
        MapCase{"vscode_copilot", "editFiles", R"({"files":["/a","/b","/a"]})",
                "write_file paths=/a,/b"},
        MapCase{"vscode_copilot", "editFiles", R"({"files":[]})",
                "write_file !the call names no file"},
        MapCase{"vscode_copilot", "multi_replace_string_in_file",
                R"({"replacements":[{"filePath":"/a"},{"filePath":"/b"}]})",
                "write_file paths=/a,/b"},
        MapCase{"vscode_copilot", "multi_replace_string_in_file",
                R"({"replacements":[{"filePath":"/a"},{"oldString":"x"}]})",
                "write_file paths=/a !an edit names no file"},
        MapCase{"vscode_copilot", "multi_replace_string_in_file",
                R"({"replacements":[{"oldString":"x"},{"filePath":"/a"}]})",
                "write_file paths=/a !an edit names no file"},
        MapCase{"vscode_copilot", "apply_patch",
                R"({"input":"*** Begin Patch\n*** Add File: a.c\n+x\n*** End Patch"})",
                "write_file paths=a.c"},
        MapCase{"vscode_copilot", "fetch_webpage", R"({"urls":["https://a","http://b:1"]})",
                "egress urls=https://a,http://b:1"},
        MapCase{"vscode_copilot", "fetch_webpage", R"({"urls":["https://a",null]})",
                "egress urls=https://a !a list holds something that is no text: urls"},
        MapCase{"vscode_copilot", "open_simple_browser", R"({"url":"https://a"})",
                "egress urls=https://a"},
        MapCase{"vscode_copilot", "mcp_github_list", R"({"a":1})", R"(mcp_tool arguments={"a":1})"},
        MapCase{"vscode_copilot", "Bash", R"({"command":"ls"})", "run_command command=ls"},
        MapCase{
            "vscode_copilot", "my_tool", R"({"filePath":"/x","command":"c","url":"u"})",
            R"(other command=c paths=/x urls=u arguments={"filePath":"/x","command":"c","url":"u"})"}),
    case_name);

INSTANTIATE_TEST_SUITE_P(
    CopilotCli, MapCall,
    testing::Values(
        MapCase{"gh_copilot_cli", "bash", R"({"command":"ls","shellId":"1","mode":"sync"})",
                "run_command command=ls"},
        MapCase{"gh_copilot_cli", "powershell", R"({"command":"ls"})", "run_command command=ls"},
        MapCase{"gh_copilot_cli", "view", R"({"path":"/a"})", "read_file paths=/a"},
        MapCase{"gh_copilot_cli", "view", R"({})", "read_file !the call names no path"},
        MapCase{"gh_copilot_cli", "grep", R"({"pattern":"x"})", "read_file paths=/home/dev/app"},
        MapCase{"gh_copilot_cli", "rg", R"({"pattern":"x","paths":["/a","/b"]})",
                "read_file paths=/a,/b"},
        MapCase{"gh_copilot_cli", "glob", R"({"pattern":"/etc/*"})", "read_file paths=/etc"},
        MapCase{"gh_copilot_cli", "create", R"({"path":"/a","file_text":"secret"})",
                "write_file paths=/a"},
        MapCase{"gh_copilot_cli", "edit", R"({"path":"/a","old_str":"x","new_str":"y"})",
                "write_file paths=/a"},
        MapCase{"gh_copilot_cli", "str_replace_editor", R"({"command":"view","path":"/a"})",
                "read_file paths=/a"},
        MapCase{"gh_copilot_cli", "str_replace_editor", R"({"command":"create","path":"/a"})",
                "write_file paths=/a"},
        MapCase{
            "gh_copilot_cli", "apply_patch",
            R"("*** Begin Patch\n*** Update File: a\n*** Move to: b\n@@\n-x\n*** Delete File: c\r\n*** End Patch\n")",
            "write_file paths=a,b,c"},
        MapCase{"gh_copilot_cli", "apply_patch", R"({"input":"no patch"})",
                "write_file !the patch names no file"},
        MapCase{"gh_copilot_cli", "apply_patch",
                R"({"input":"*** Update File: a\n*** Rename File: /etc/b\n"})",
                "write_file paths=a !the patch has a header that is not known"},
        MapCase{"gh_copilot_cli", "apply_patch", R"({"input":"  *** Update File:   \n"})",
                "write_file !a patch header names no file"},
        MapCase{"gh_copilot_cli", "web_fetch", R"({"url":"https://a"})", "egress urls=https://a"},
        MapCase{"gh_copilot_cli", "write_bash", R"({"shellId":"1","input":"curl x"})",
                R"(other arguments={"shellId":"1","input":"curl x"})"},
        MapCase{"gh_copilot_cli", "github-mcp-server-list_issues", R"({"owner":"o"})",
                R"(other arguments={"owner":"o"})"},
        MapCase{"gh_copilot_cli", "Read", R"({"file_path":"/a"})", "read_file paths=/a"}),
    case_name);

INSTANTIATE_TEST_SUITE_P(
    ImportedHistory, MapCall,
    testing::Values(
        MapCase{"gemini_cli", "run_shell_command", R"({"command":"ls"})", "run_command command=ls"},
        MapCase{"gemini_cli", "read_file", R"({"file_path":"a"})", "read_file paths=a"},
        MapCase{"gemini_cli", "read_many_files", R"({"include":["src/*.c","b"]})",
                "read_file paths=/home/dev/app/src,/home/dev/app/b"},
        MapCase{"gemini_cli", "list_directory", R"({"dir_path":"/d"})", "read_file paths=/d"},
        MapCase{"gemini_cli", "replace", R"({"file_path":"/a"})", "write_file paths=/a"},
        MapCase{"gemini_cli", "web_fetch", R"({"prompt":"see (https://a/b), http://c"})",
                "egress urls=https://a/b,http://c"},
        MapCase{"gemini_cli", "web_fetch", R"({"prompt":"nothing"})",
                "egress !the prompt names no URL"},
        MapCase{"codex", "shell", R"({"command":["bash","-lc","it's"]})",
                R"(run_command command='bash' '-lc' 'it'\''s')"},
        MapCase{"codex", "apply_patch", R"({"command":"*** Add File: x\n+y"})",
                "write_file paths=x"},
        MapCase{"cursor", "Shell", R"({"command":"ls"})", "run_command command=ls"},
        MapCase{"cursor", "Delete", R"({"file_path":"/a"})", "write_file paths=/a"},
        MapCase{"windsurf", "run_command", R"({"command_line":"ls"})", "run_command command=ls"},
        MapCase{"windsurf", "write_code", R"({"file_path":"/a","edits":[{"new_string":"x"}]})",
                "write_file paths=/a"},
        MapCase{"windsurf", "read_code", R"({"file_path":"/d"})", "read_file paths=/d"}),
    case_name);

TEST(MapCall, RefusesMoreTargetsThanItsBound) {
  std::string input = R"({"files":[)";
  for (int i = 0; i < 1025; ++i) input += (i == 0 ? "\"/f" : ",\"/f") + std::to_string(i) + "\"";
  input += "]}";
  json::Document document;
  const auto view = document.parse(input);
  ASSERT_TRUE(view);
  const MappedCall mapped = map_call("vscode_copilot", "editFiles", *view, kCwd);
  EXPECT_EQ(mapped.call.paths.size(), 1024U);
  EXPECT_EQ(mapped.call.undecidable, "the call names too many targets");
}

// Every call of the recorded baseline: tools of the tables are all readable, and no recorded body
// gets through.
TEST(MapCall, ReadsTheRecordedBaseline) {
  LILITH_NEEDS_SHARED(path, "data/claude_code_baseline.ndjson");
  json::Document document;
  std::map<std::string, int> kinds;
  int undecidable = 0;
  const std::string text = test::read_text(path);
  for (const std::string& line : test::lines_of(text)) {
    const auto root = document.parse(line);
    ASSERT_TRUE(root) << line;
    const auto input = root->find("input");
    ASSERT_TRUE(input) << line;
    const MappedCall mapped =
        map_call(root->text("agent"), root->text("tool"), *input, root->text("cwd"));
    ++kinds[std::string(audit::name(mapped.call.kind))];
    if (!mapped.call.undecidable.empty()) ++undecidable;
  }
  EXPECT_EQ(kinds["run_command"], 1808);
  EXPECT_EQ(kinds["read_file"], 2712);
  EXPECT_EQ(kinds["write_file"], 1493);
  EXPECT_EQ(undecidable, 0);
}

}  // namespace
}  // namespace lilith::agents
