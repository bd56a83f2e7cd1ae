// A tool and its arguments as a canonical call. docs/agents.md, "Tools", has the same rows with the
// source of each.

#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "rules/agents/agents.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

namespace lilith::agents {
namespace {

using audit::Call;
using audit::OperationKind;
using json::View;

// How a tool's arguments become a call.
enum class Shape {
  kCommand,      // command, run through a shell
  kTask,         // VS Code: task.command and task.args
  kReadPath,     // one path
  kReadTree,     // one path, the cwd when absent (searches and listings)
  kReadGlob,     // a file pattern below a path: what is read is the directory that it begins in
  kReadGlobs,    // include[]: several of them
  kWritePath,    // one path
  kWritePaths,   // files[], edits and replacements with a path each
  kPatch,        // apply_patch text: every path named in its headers
  kStrReplace,   // command=view reads, everything else writes
  kUrl,          // url, urls[]
  kUrlsInText,   // URLs inside a prompt
  kMonitor,      // command or ws.url
  kMcpResource,  // server and uri
};

struct ToolRow {
  std::string_view tool;
  Shape shape;
  std::string_view key = "";  // kReadGlob: where the pattern is; kCommand: where the command is
};

constexpr std::array kClaudeTools{
    ToolRow{"Bash", Shape::kCommand},          ToolRow{"PowerShell", Shape::kCommand},
    ToolRow{"Monitor", Shape::kMonitor},       ToolRow{"Read", Shape::kReadPath},
    ToolRow{"NotebookRead", Shape::kReadPath}, ToolRow{"LS", Shape::kReadTree},
    ToolRow{"Grep", Shape::kReadTree},         ToolRow{"Glob", Shape::kReadGlob, "pattern"},
    ToolRow{"Write", Shape::kWritePath},       ToolRow{"Edit", Shape::kWritePath},
    ToolRow{"MultiEdit", Shape::kWritePath},   ToolRow{"NotebookEdit", Shape::kWritePath},
    ToolRow{"WebFetch", Shape::kUrl},          ToolRow{"ReadMcpResourceTool", Shape::kMcpResource},
};
constexpr std::array kVsCodeTools{
    ToolRow{"run_in_terminal", Shape::kCommand},
    ToolRow{"runInTerminal", Shape::kCommand},
    ToolRow{"runTerminalCommand", Shape::kCommand},
    ToolRow{"run_notebook_cell", Shape::kCommand},
    ToolRow{"run_vscode_command", Shape::kCommand},
    ToolRow{"create_and_run_task", Shape::kTask},
    ToolRow{"run_task", Shape::kTask},
    ToolRow{"read_file", Shape::kReadPath},
    ToolRow{"readFile", Shape::kReadPath},
    ToolRow{"list_dir", Shape::kReadTree},
    ToolRow{"file_search", Shape::kReadGlob, "query"},
    ToolRow{"grep_search", Shape::kReadGlob, "includePattern"},
    ToolRow{"semantic_search", Shape::kReadTree},
    ToolRow{"create_file", Shape::kWritePath},
    ToolRow{"createFile", Shape::kWritePath},
    ToolRow{"replace_string_in_file", Shape::kWritePath},
    ToolRow{"insert_edit_into_file", Shape::kWritePath},
    ToolRow{"edit_notebook_file", Shape::kWritePath},
    ToolRow{"create_directory", Shape::kWritePath},
    ToolRow{"editFiles", Shape::kWritePaths},
    ToolRow{"multi_replace_string_in_file", Shape::kWritePaths},
    ToolRow{"apply_patch", Shape::kPatch},
    ToolRow{"fetch_webpage", Shape::kUrl},
    ToolRow{"open_simple_browser", Shape::kUrl},
};
constexpr std::array kCopilotTools{
    ToolRow{"bash", Shape::kCommand},
    ToolRow{"powershell", Shape::kCommand},
    ToolRow{"view", Shape::kReadPath},
    ToolRow{"grep", Shape::kReadTree},
    ToolRow{"rg", Shape::kReadTree},
    ToolRow{"glob", Shape::kReadGlob, "pattern"},
    ToolRow{"create", Shape::kWritePath},
    ToolRow{"edit", Shape::kWritePath},
    ToolRow{"str_replace_editor", Shape::kStrReplace},
    ToolRow{"apply_patch", Shape::kPatch},
    ToolRow{"web_fetch", Shape::kUrl},
};
constexpr std::array kGeminiTools{
    ToolRow{"run_shell_command", Shape::kCommand},
    ToolRow{"read_file", Shape::kReadPath},
    ToolRow{"list_directory", Shape::kReadTree},
    ToolRow{"read_many_files", Shape::kReadGlobs},
    ToolRow{"glob", Shape::kReadGlob, "pattern"},
    ToolRow{"grep_search", Shape::kReadTree},
    ToolRow{"search_file_content", Shape::kReadTree},
    ToolRow{"write_file", Shape::kWritePath},
    ToolRow{"replace", Shape::kWritePath},
    ToolRow{"web_fetch", Shape::kUrlsInText},
};
constexpr std::array kCodexTools{
    ToolRow{"Bash", Shape::kCommand},
    ToolRow{"shell", Shape::kCommand},
    ToolRow{"apply_patch", Shape::kPatch},
};
constexpr std::array kCursorTools{
    ToolRow{"Shell", Shape::kCommand},
    ToolRow{"beforeShellExecution", Shape::kCommand},
    ToolRow{"Read", Shape::kReadPath},
    ToolRow{"beforeReadFile", Shape::kReadPath},
    ToolRow{"beforeTabFileRead", Shape::kReadPath},
    ToolRow{"Write", Shape::kWritePath},
    ToolRow{"StrReplace", Shape::kWritePath},
    ToolRow{"Delete", Shape::kWritePath},
};
constexpr std::array kWindsurfTools{
    ToolRow{"run_command", Shape::kCommand, "command_line"},
    ToolRow{"read_code", Shape::kReadPath},
    ToolRow{"write_code", Shape::kWritePaths},
};

const ToolRow* find_in(std::span<const ToolRow> rows, std::string_view tool) {
  for (const ToolRow& row : rows) {
    if (row.tool == tool) return &row;
  }
  return nullptr;
}

const ToolRow* row_of(std::string_view agent, std::string_view tool) {
  if (agent == "gemini_cli") return find_in(kGeminiTools, tool);
  if (agent == "codex") return find_in(kCodexTools, tool);
  if (agent == "cursor") return find_in(kCursorTools, tool);
  if (agent == "windsurf") return find_in(kWindsurfTools, tool);
  if (agent == "vscode_copilot" || agent == "gh_copilot_cli") {
    const ToolRow* row =
        agent == "vscode_copilot" ? find_in(kVsCodeTools, tool) : find_in(kCopilotTools, tool);
    // Copilot CLI's PascalCase events, and VS Code with Claude's hook files, carry Claude's names.
    return row != nullptr ? row : find_in(kClaudeTools, tool);
  }
  return find_in(kClaudeTools, tool);
}

// Arguments that hold a file's text, at any depth: their length and digest are kept, never a part.
constexpr std::array<std::string_view, 15> kBodies{
    "content",     "contents", "new_string", "old_string", "file_text",
    "new_str",     "old_str",  "new_source", "newString",  "oldString",
    "insert_text", "fileText", "newCode",    "patch",      "body"};
constexpr std::array<std::string_view, 12> kPathKeys{
    "file_path", "filePath", "path", "notebook_path", "notebookPath", "absolute_path",
    "dir_path",  "dirPath",  "dir",  "directory",     "uri",          "file"};
constexpr std::array<std::string_view, 4> kPathListKeys{"files", "paths", "filePaths",
                                                        "file_paths"};

void append_without_bodies(json::Writer& writer, View value) {
  if (value.is_array()) {
    writer.begin_array();
    value.each_element([&writer](View item) {
      append_without_bodies(writer, item);
      return true;
    });
    writer.end_array();
    return;
  }
  if (!value.is_object()) {
    writer.raw(value.to_json());
    return;
  }
  writer.begin_object();
  value.each_member([&writer](std::string_view key, View member) {
    const auto text = member.string();
    if (text && std::find(kBodies.begin(), kBodies.end(), key) != kBodies.end()) {
      writer.member(std::string(key) + "_len", static_cast<std::uint64_t>(text->size()));
      writer.member(std::string(key) + "_sha256", sha256_hex(*text));
    } else {
      writer.key(key);
      append_without_bodies(writer, member);
    }
    return true;
  });
  writer.end_object();
}

std::string arguments_of(View input) {
  std::string out;
  json::Writer writer(out);
  append_without_bodies(writer, input);
  return out;
}

void cannot(Call& call, std::string_view why) {
  if (call.undecidable.empty()) call.undecidable = why;
}

void add_text(std::vector<std::string>& out, std::string_view text, Call& call) {
  if (std::find(out.begin(), out.end(), text) != out.end()) return;
  if (out.size() >= limits::kCallTargetsMax) return cannot(call, "the call names too many targets");
  out.emplace_back(text);
}

// Texts at `key`, which may hold one or a list of them; anything else there can't be judged.
void add_texts(View input, std::string_view key, std::vector<std::string>& out, Call& call) {
  const auto member = input.find(key);
  if (!member || member->type() == json::Type::kNull) return;
  if (const auto one = member->string()) {
    if (!one->empty()) add_text(out, *one, call);
    return;
  }
  if (!member->is_array()) {
    cannot(call, "an argument has a type that the tool does not take: " + std::string(key));
    return;
  }
  member->each_element([&](View item) {
    const auto text = item.string();
    if (text && !text->empty()) {
      add_text(out, *text, call);
    } else {
      cannot(call, "a list holds something that is no text: " + std::string(key));
    }
    return true;
  });
}

// Every path that the arguments name: a tool that gets two spellings may use either.
void add_paths(View input, Call& call) {
  for (const std::string_view key : kPathKeys) add_texts(input, key, call.paths, call);
}

void read_path(View input, OperationKind kind, std::string_view fallback, Call& call) {
  call.kind = kind;
  add_paths(input, call);
  for (const std::string_view key : kPathListKeys) add_texts(input, key, call.paths, call);
  if (call.paths.empty() && !fallback.empty()) call.paths.emplace_back(fallback);
  if (call.paths.empty()) cannot(call, "the call names no path");
}

bool has_parent_component(std::string_view text) {
  while (!text.empty()) {
    const std::size_t slash = text.find('/');
    if (text.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) return false;
    text.remove_prefix(slash + 1);
  }
  return false;
}

// The directory (or the file, for a pattern without wildcards) that a glob begins in. A `..` after
// a wildcard leads to a place that can't be told from the text.
std::string glob_root(std::string_view pattern, std::string_view base, Call& call) {
  const std::size_t wild = pattern.find_first_of("*?[{!(\\");
  std::string_view root = pattern;
  if (wild != std::string_view::npos) {
    const std::size_t slash = pattern.rfind('/', wild);
    root = slash == std::string_view::npos ? std::string_view{}
                                           : pattern.substr(0, std::max<std::size_t>(slash, 1));
    if (has_parent_component(pattern.substr(wild))) {
      cannot(call, "the file pattern goes up after a wildcard");
    }
  }
  if (root.starts_with('/') || root.starts_with('~') || base.empty()) return std::string(root);
  if (root.empty()) return std::string(base);
  return std::string(base) + (base.ends_with('/') ? "" : "/") + std::string(root);
}

void read_glob(View input, std::string_view pattern_key, std::string_view cwd, Call& call) {
  read_path(input, OperationKind::kReadFile, cwd, call);
  const auto pattern = input.find(pattern_key);
  if (!pattern || pattern->type() == json::Type::kNull) return;
  const auto text = pattern->string();
  if (!text) return cannot(call, "the file pattern is no text");
  for (std::string& path : call.paths) path = glob_root(*text, path, call);
}

void read_globs(View input, std::string_view cwd, Call& call) {
  call.kind = OperationKind::kReadFile;
  std::vector<std::string> patterns;
  add_texts(input, "include", patterns, call);
  for (const std::string_view key : kPathListKeys) add_texts(input, key, patterns, call);
  for (const std::string& pattern : patterns)
    add_text(call.paths, glob_root(pattern, cwd, call), call);
  if (call.paths.empty()) cannot(call, "the call names no path");
}

// Paths of the headers of OpenAI's patch format: "*** Add File: P", Update, Delete, and "*** Move
// to: P".
void read_patch(View input, Call& call) {
  call.kind = OperationKind::kWriteFile;
  std::string_view text = input.string().value_or(std::string_view{});
  for (const std::string_view key : {"input", "patch", "command", "patchText"}) {
    if (text.empty()) text = input.text(key);
  }
  constexpr std::array<std::string_view, 4> kHeaders{
      "*** Add File:", "*** Update File:", "*** Delete File:", "*** Move to:"};
  constexpr std::array<std::string_view, 3> kMarks{"*** Begin Patch", "*** End Patch",
                                                   "*** End of File"};
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t last = line.find_last_not_of(" \t\r");
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) continue;
    line = line.substr(first, last - first + 1);
    if (!line.starts_with("***")) continue;
    const auto* header = std::find_if(kHeaders.begin(), kHeaders.end(),
                                      [&](std::string_view one) { return line.starts_with(one); });
    if (header != kHeaders.end()) {
      const std::size_t from = line.find_first_not_of(" \t", header->size());
      if (from == std::string_view::npos) return cannot(call, "a patch header names no file");
      add_text(call.paths, line.substr(from), call);
    } else if (std::none_of(kMarks.begin(), kMarks.end(),
                            [&](std::string_view one) { return line.starts_with(one); })) {
      cannot(call, "the patch has a header that is not known");
    }
  }
  if (call.paths.empty()) cannot(call, "the patch names no file");
}

void read_write_paths(View input, Call& call) {
  call.kind = OperationKind::kWriteFile;
  add_paths(input, call);
  for (const std::string_view key : kPathListKeys) add_texts(input, key, call.paths, call);
  const bool whole_named = !call.paths.empty();
  for (const std::string_view key : {"replacements", "edits"}) {
    const auto list = input.find(key);
    if (!list) continue;
    if (!list->is_array()) cannot(call, "the list of edits is no list");
    list->each_element([&](View one) {
      Call inner;
      if (one.is_object()) add_paths(one, inner);
      for (const std::string& path : inner.paths) add_text(call.paths, path, call);
      if (inner.paths.empty() && !whole_named) cannot(call, "an edit names no file");
      if (!inner.undecidable.empty()) cannot(call, inner.undecidable);
      return true;
    });
  }
  if (call.paths.empty()) cannot(call, "the call names no file");
}

void read_urls(View input, Call& call) {
  call.kind = OperationKind::kEgress;
  add_texts(input, "url", call.urls, call);
  add_texts(input, "urls", call.urls, call);
  if (call.urls.empty()) cannot(call, "the call names no URL");
}

void read_urls_in_text(View input, Call& call) {
  call.kind = OperationKind::kEgress;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const std::string_view text = input.text("prompt");
  for (std::size_t at = text.find("://"); at != std::string_view::npos;
       at = text.find("://", at + 3)) {
    std::size_t from = at;
    while (from > 0 && letter(text[from - 1])) --from;
    const std::size_t end = std::min(text.find_first_of(" \t\n\r\"'<>)]`", at), text.size());
    if (from < at) add_text(call.urls, text.substr(from, end - from), call);
  }
  if (call.urls.empty()) cannot(call, "the prompt names no URL");
}

std::string shell_quote(std::string_view word) {
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

void read_command(View input, Call& call, std::string_view key = "command") {
  call.kind = OperationKind::kRunCommand;
  const auto command = input.find(key.empty() ? "command" : key);
  if (command && command->is_array()) {  // Codex: an argv
    command->each_element([&call](View word) {
      const auto text = word.string();
      if (!text) cannot(call, "a word of the command is no text");
      if (text) call.command += (call.command.empty() ? "" : " ") + shell_quote(*text);
      return true;
    });
  } else if (command) {
    call.command = command->string().value_or(std::string_view{});
  }
  if (call.command.find_first_not_of(" \t\r\n") == std::string::npos) {
    cannot(call, "the call names no command");
  }
  // Claude Code: the command runs outside of the agent's own sandbox.
  if (const auto flag = input.find("dangerouslyDisableSandbox"); flag && flag->boolean() == true) {
    call.arguments = R"({"dangerouslyDisableSandbox":true})";
  }
}

// VS Code joins command and arguments into one shell line and quotes by rules of its own; only
// words that no shell would read in another way are joined here.
void read_task(View input, Call& call) {
  const View task = input.find("task").value_or(input);
  if (!task.is_object()) {
    call.kind = OperationKind::kRunCommand;
    return cannot(call, "the call names no command");
  }
  read_command(task, call);
  const auto words = task.find("args");
  if (!words || words->type() == json::Type::kNull) return;
  if (!words->is_array()) return cannot(call, "the task's arguments are no list");
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=@%+,";
  words->each_element([&](View word) {
    const auto text = word.string();
    if (text && !text->empty() && text->find_first_not_of(kPlain) == std::string_view::npos) {
      call.command += " " + std::string(*text);
    } else {
      cannot(call, "an argument of the task would have to be quoted as VS Code does it");
    }
    return true;
  });
}

void read_monitor(View input, Call& call) {
  const auto socket = input.find("ws");
  if (!socket || socket->type() == json::Type::kNull) return read_command(input, call);
  call.kind = OperationKind::kEgress;
  add_texts(*socket, "url", call.urls, call);
  if (call.urls.empty()) cannot(call, "the call names no URL");
  if (!input.text("command").empty()) {
    call.command = input.text("command");
    cannot(call, "a monitor with a command and a socket is two calls in one");
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The path of a file URI (RFC 8089): no authority or "localhost", percent-encoding resolved.
std::optional<std::string> file_uri_path(std::string_view rest) {
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    const std::string authority = ascii_lower(rest.substr(0, rest.find('/')));
    if (!authority.empty() && authority != "localhost") return std::nullopt;
    rest.remove_prefix(authority.size());
  }
  if (!rest.starts_with('/') || rest.find_first_of("?#\\") != std::string_view::npos) {
    return std::nullopt;
  }
  std::string path;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] != '%') {
      path.push_back(rest[i]);
      continue;
    }
    if (i + 2 >= rest.size()) return std::nullopt;
    const int high = hex_digit(rest[i + 1]), low = hex_digit(rest[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    path.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return path;
}

// What a resource's URI names besides the server: a file, or a place to fetch it from. Blanks at
// the ends and control characters are dropped by some readers of URIs and not by others.
void read_resource_uri(std::string_view uri, Call& call) {
  if (std::any_of(uri.begin(), uri.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }) ||
      uri.starts_with(' ') || uri.ends_with(' ')) {
    return cannot(call, "the resource's URI has blanks or control characters");
  }
  const std::size_t colon = std::min(uri.find(':'), uri.size());
  const std::string scheme = ascii_lower(uri.substr(0, colon));
  if (scheme == "file") {
    call.kind = OperationKind::kReadFile;
    if (auto path = file_uri_path(uri.substr(colon + 1))) {
      call.paths.push_back(std::move(*path));
    } else {
      cannot(call, "the resource's file URI can be read in more than one way");
    }
  } else if (scheme == "http" || scheme == "https" || scheme == "ws" || scheme == "wss") {
    call.kind = OperationKind::kEgress;
    call.urls.emplace_back(uri);
  }
}

void read_mcp_resource(View input, MappedCall& mapped) {
  mapped.call.kind = OperationKind::kMcpTool;
  mapped.server = input.text("server");
  mapped.call.arguments = arguments_of(input);
  if (mapped.server.empty()) cannot(mapped.call, "the call names no MCP server");
  read_resource_uri(input.text("uri"), mapped.call);
}

void apply_shape(const ToolRow& row, View input, std::string_view cwd, MappedCall& mapped) {
  Call& call = mapped.call;
  switch (row.shape) {
    case Shape::kCommand:
      return read_command(input, call, row.key);
    case Shape::kTask:
      return read_task(input, call);
    case Shape::kReadPath:
      return read_path(input, OperationKind::kReadFile, {}, call);
    case Shape::kReadTree:
      return read_path(input, OperationKind::kReadFile, cwd, call);
    case Shape::kReadGlob:
      return read_glob(input, row.key, cwd, call);
    case Shape::kReadGlobs:
      return read_globs(input, cwd, call);
    case Shape::kWritePath:
      return read_path(input, OperationKind::kWriteFile, {}, call);
    case Shape::kWritePaths:
      return read_write_paths(input, call);
    case Shape::kPatch:
      return read_patch(input, call);
    case Shape::kStrReplace:
      return read_path(
          input,
          input.text("command") == "view" ? OperationKind::kReadFile : OperationKind::kWriteFile,
          {}, call);
    case Shape::kUrl:
      return read_urls(input, call);
    case Shape::kUrlsInText:
      return read_urls_in_text(input, call);
    case Shape::kMonitor:
      return read_monitor(input, call);
    case Shape::kMcpResource:
      return read_mcp_resource(input, mapped);
  }
}

// A tool that no table knows: what a policy's tool_aliases could make of it is kept. Types that a
// known tool would not take are nothing special here.
void read_unknown(View input, Call& call) {
  call.arguments = arguments_of(input);
  if (!input.is_object()) return;
  Call ignored;
  for (const std::string_view key : kPathKeys) add_texts(input, key, call.paths, ignored);
  for (const std::string_view key : kPathListKeys) add_texts(input, key, call.paths, ignored);
  add_texts(input, "url", call.urls, ignored);
  add_texts(input, "urls", call.urls, ignored);
  call.command = input.text("command");
}

// "mcp__SERVER__TOOL" splits at the first two "__"; empty when the name has no such form.
std::string mcp_server_of(std::string_view tool) {
  constexpr std::string_view kPrefix = "mcp__";
  if (!tool.starts_with(kPrefix)) return {};
  const std::size_t end = tool.find("__", kPrefix.size());
  if (end == std::string_view::npos || end == kPrefix.size()) return {};
  return std::string(tool.substr(kPrefix.size(), end - kPrefix.size()));
}

bool is_mcp_name(std::string_view agent, std::string_view tool) {
  if (tool.starts_with("mcp__")) return true;
  return (agent == "vscode_copilot" || agent == "gemini_cli") && tool.starts_with("mcp_");
}

}  // namespace

MappedCall map_mcp_call(std::string_view server, View input) {
  MappedCall mapped;
  read_unknown(input, mapped.call);
  mapped.call.kind = OperationKind::kMcpTool;
  mapped.server = server;
  return mapped;
}

MappedCall map_call(std::string_view agent_name, std::string_view tool, View input,
                    std::string_view cwd) {
  MappedCall mapped;
  if (is_mcp_name(agent_name, tool)) {
    return map_mcp_call(mcp_server_of(tool), input);
  }
  const ToolRow* row = row_of(agent_name, tool);
  if (row == nullptr) {
    read_unknown(input, mapped.call);
  } else if (!input.is_object() && row->shape != Shape::kPatch) {
    read_unknown(input, mapped.call);
    cannot(mapped.call, "the tool's arguments are no object");
  } else {
    apply_shape(*row, input, cwd, mapped);
  }
  return mapped;
}

}  // namespace lilith::agents
