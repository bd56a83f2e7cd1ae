#include "rules/shell/clients.hpp"

#include "audit/base/text.hpp"
#include "rules/shell/option_forms.hpp"

#include <algorithm>
#include <array>

namespace lilith::rules::shell {
namespace {

std::vector<std::string_view> tokens_of(std::string_view line) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find_first_of(" \t;", at), line.size());
    if (end > at) out.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

std::string unquoted(std::string_view token) {
  std::string out(token);
  std::erase_if(out, [](char c) { return c == '\'' || c == '"'; });
  return out;
}

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

// Whether lower-case SQL calls the function.
bool calls(std::string_view sql, std::string_view function) {
  for (std::size_t at = sql.find(function); at != npos; at = sql.find(function, at + 1)) {
    const std::size_t open = sql.find_first_not_of(" \t\n", at + function.size());
    if (open != npos && sql[open] == '(' && (at == 0 || !is_word(sql[at - 1]))) return true;
  }
  return false;
}

// A command of sqlite3 that begins with a dot, which any unambiguous abbreviation names.
std::string dot_command(std::string_view line, std::vector<std::string>& files) {
  const auto tokens = tokens_of(line);
  if (tokens.empty()) return {};
  const std::string name = ascii_lower(tokens[0]);
  const auto is = [&](std::string_view full, std::size_t least) {
    return name.size() >= least && full.starts_with(name);
  };
  if (is(".shell", 3) || is(".system", 3)) return std::string(tokens[0]);
  if (is(".load", 4) || is(".excel", 4) || is(".www", 3)) return std::string(tokens[0]);
  if (is(".archive", 3)) return std::string(tokens[0]);  // unpacks anywhere
  const bool output = is(".output", 2) || is(".once", 3);
  if ((output || is(".import", 3) || is(".read", 4)) && line.find('|') != npos) {
    return std::string(tokens[0]) + " with a pipe";
  }
  if (output && tokens.size() > 1 && tokens[1].starts_with('-')) {
    return std::string(tokens[0]) + " " + std::string(tokens[1]);
  }
  const bool writes =
      output || is(".backup", 3) || is(".save", 3) || is(".log", 4) || is(".clone", 3);
  if (writes && tokens.size() > 1) files.push_back(unquoted(tokens.back()));
  return {};
}

// ATTACH 'FILE' AS name and VACUUM INTO 'FILE' write that file (sqlite.org/lang_attach.html).
void sql_files(std::string_view text, const std::string& lower, std::vector<std::string>& files) {
  for (const std::string_view word : {"attach", "into"}) {
    for (std::size_t at = lower.find(word); at != npos; at = lower.find(word, at + 1)) {
      std::size_t from = lower.find_first_not_of(" \t\n", at + word.size());
      if (from != npos && word == "attach" && lower.compare(from, 8, "database") == 0) {
        from = lower.find_first_not_of(" \t\n", from + 8);
      }
      if (from == npos || (text[from] != '\'' && text[from] != '"')) continue;
      if (word == "into" && lower.rfind("vacuum", at) == npos) continue;
      const std::size_t end = text.find(text[from], from + 1);
      if (end == npos) continue;
      std::string_view file = text.substr(from + 1, end - from - 1);
      if (file.starts_with("file:")) {
        file.remove_prefix(5);
        while (file.starts_with("//")) file.remove_prefix(1);
        file = file.substr(0, file.find('?'));
      }
      if (!file.empty() && file != ":memory:") files.emplace_back(file);
    }
  }
}

std::string sqlite_runs(std::string_view text, std::vector<std::string>& files) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (!line.starts_with('.')) continue;
    if (std::string runs = dot_command(line, files); !runs.empty()) return runs;
  }
  const std::string lower = ascii_lower(text);
  sql_files(text, lower, files);
  for (const std::string_view function : {"load_extension", "edit", "writefile"}) {
    if (calls(lower, function)) return std::string(function) + "()";
  }
  return {};
}

std::string psql_runs(std::string_view text, std::vector<std::string>& files) {
  constexpr std::array<std::string_view, 6> kRuns{"\\setenv", "\\e",  "\\edit",
                                                  "\\ef",     "\\ev", "\\|"};
  if (text.find("\\!") != npos) return "\\!";
  // Of a command's words, one in backticks is what a program prints (psql(1)).
  if (text.find('\\') != npos && text.find('`') != npos) return "a backtick";
  const std::string lower = ascii_lower(text);
  for (std::size_t at = lower.find("program"); at != npos; at = lower.find("program", at + 1)) {
    const std::string_view before = std::string_view(lower).substr(0, at);
    const std::size_t last = before.find_last_not_of(" \t\n");
    if (last == npos || last + 1 == at) continue;
    const std::string_view head = before.substr(0, last + 1);
    if (!head.ends_with("to") && !head.ends_with("from")) continue;
    const std::size_t next = lower.find_first_not_of(" \t\n", at + 7);
    if (next != npos && (lower[next] == '\'' || lower[next] == '$')) return "PROGRAM";
  }
  const auto tokens = tokens_of(text);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::string_view token = tokens[i];
    if (const std::size_t line = token.rfind('\n'); line != npos) token.remove_prefix(line + 1);
    if (std::find(kRuns.begin(), kRuns.end(), token) != kRuns.end()) return std::string(token);
    for (const std::string_view output : {"\\o", "\\out", "\\g", "\\gx", "\\w", "\\write"}) {
      if (token != output || i + 1 >= tokens.size()) continue;
      const std::string target = unquoted(tokens[i + 1]);
      if (target.starts_with('|')) return std::string(output) + " with a pipe";
      if (!target.starts_with('(') && !target.starts_with('\n')) files.push_back(target);
    }
  }
  return {};
}

std::string mysql_runs(std::string_view text) {
  if (text.find("\\!") != npos) return "\\!";
  const auto tokens = tokens_of(text);
  for (const std::string_view command : {"system", "pager", "edit"}) {
    if (!tokens.empty() && tokens[0] == command) return std::string(command);
  }
  return {};
}

// ed(1), ex and vi (POSIX; vim's :help :!): `!` runs what follows it, but behind a command's name
// it forces (w!, q!). vim's script calls the system by functions.
std::string editor_runs(std::string_view text, bool forces) {
  for (std::size_t at = text.find('!'); at != npos; at = text.find('!', at + 1)) {
    const bool letter = at > 0 && is_word(ascii_lower(text.substr(at - 1, 1))[0]);
    const bool reads = letter && text[at - 1] == 'r' && at + 1 < text.size();
    if (!forces || !letter || reads) return "!";
  }
  if (!forces) return {};
  // A script of another place than the project.
  const auto tokens = tokens_of(text);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    std::string_view command = tokens[i];
    while (command.starts_with(':') || command.starts_with('+')) command.remove_prefix(1);
    if (is_one_of<"source so luafile pyfile py3file rubyfile tclfile perlfile runtime">(command) &&
        tokens[i + 1].find_first_of("/~$") == 0) {
      return std::string(command) + " " + std::string(tokens[i + 1]);
    }
  }
  const std::string lower = ascii_lower(text);
  for (const std::string_view call :
       {"system", "popen", "execute", "jobstart", "job_start", "termopen", "term_start", "libcall",
        "terminal", "makeprg", "grepprg", "equalprg", "formatprg", "keywordprg"}) {
    if (lower.find(call) != npos) return std::string(call);
  }
  return {};
}

// GDB manual, "Shell Commands"; lldb's `platform shell`.
std::string debugger_runs(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const auto tokens = tokens_of(text.substr(at, end - at));
    at = end + 1;
    if (tokens.empty()) continue;
    const std::string_view first = tokens[0];
    const bool shell = first.size() > 2 && std::string_view("shell").starts_with(first);
    const bool pipe = first.size() > 2 && std::string_view("pipe").starts_with(first);
    if (shell || pipe || first[0] == '!' || first[0] == '|' || first == "make") {
      return std::string(first);
    }
    // Another program, or a file of commands, of a place outside of the project.
    const bool loads = is_one_of<"file exec-file source target add-inferior command">(first);
    for (std::size_t i = 1; i < tokens.size(); ++i) {
      if (tokens[i] == "exec-wrapper" || (loads && tokens[i].find_first_of("/~") == 0) ||
          (first == "file" && tokens[i].find('/') == npos)) {
        return std::string(first) + " " + std::string(tokens[i]);
      }
    }
    for (const std::string_view call : {"system", "popen", "execv", "execl", "posix_spawn"}) {
      if (calls(ascii_lower(text), call)) return std::string(call) + "()";
    }
    for (std::size_t i = 1; i < tokens.size(); ++i) {
      if ((first == "platform" && tokens[i] == "shell") ||
          (first == "target" && tokens[i][0] == '|')) {
        return std::string(tokens[i]);
      }
    }
  }
  return {};
}

// GNU dc: `!` but for the comparisons !< !> !=; GNU m4: syscmd, esyscmd.
std::string calculator_runs(std::string_view name, std::string_view text) {
  if (name == "m4") return text.find("syscmd") == npos ? "" : "syscmd";
  for (std::size_t at = text.find('!'); at != npos; at = text.find('!', at + 1)) {
    const char next = at + 1 < text.size() ? text[at + 1] : ' ';
    if (std::string_view("<>=").find(next) == npos) return "!";
  }
  return {};
}

// sftp(1): !COMMAND runs here.
std::string transfer_runs(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    line.remove_prefix(std::min(line.find_first_not_of(" \t-@"), line.size()));
    if (line.starts_with('!')) return "!";
    at = end + 1;
  }
  return text.find(";!") != npos || text.find("; !") != npos ? "!" : "";
}

bool is_vi(std::string_view name) {
  return name == "vi" || name == "vim" || name == "nvim" || name == "view" || name == "ex" ||
         name == "vimdiff";
}

}  // namespace

bool is_script_client(std::string_view name) {
  return is_one_of<"psql sqlite3 mysql mariadb ed red gdb lldb dc m4 sftp">(name) || is_vi(name);
}

std::string client_script_runs(std::string_view name, std::string_view text,
                               std::vector<std::string>& files) {
  if (name == "sqlite3") return sqlite_runs(text, files);
  if (name == "psql") return psql_runs(text, files);
  if (name == "ed" || name == "red" || is_vi(name)) return editor_runs(text, is_vi(name));
  if (name == "gdb" || name == "lldb") return debugger_runs(text);
  if (name == "sftp") return transfer_runs(text);
  if (name == "dc" || name == "m4") return calculator_runs(name, text);
  return mysql_runs(text);
}

}  // namespace lilith::rules::shell
