#include "rules/shell/programs.hpp"

#include "audit/base/byte_set.hpp"
#include "rules/shell/clients.hpp"
#include "rules/shell/option_forms.hpp"
#include "rules/shell/tables.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lilith::rules::shell {
namespace {

// ---- where a script comes from

struct Interpreter {
  std::string_view program;  // without a version: python3.11 is python
  std::string_view script;   // short options whose value is the script, or that print and end
  std::string_view value;    // short options with a value of another kind
  std::string_view longer;   // long options that are a script, name one, or print and end
  std::string_view longer_value;
};
// The programs' manuals; GTFOBins has a page for each.
constexpr std::array kInterpreters{
    Interpreter{"python", "cmVh?", "WX", "version help help-env help-xoptions help-all", ""},
    Interpreter{"pypy", "cmVh?", "WX", "version help", ""},
    Interpreter{"node", "epvhc", "rC", "eval print version help check test run build-sea",
                "require import conditions env-file"},
    Interpreter{"nodejs", "epvh", "rC", "eval print version help test", "require import"},
    Interpreter{"perl", "eEvVh", "IMmx", "", ""},
    Interpreter{"ruby", "evh", "IrCEKW", "version help copyright", "encoding"},
    Interpreter{"php", "rfvihmRBES", "cdzt", "run version help info modules ini file", "define"},
    Interpreter{"lua", "ev", "l", "", ""},
};

constexpr auto kInterpreterPlaces = by_program(kInterpreters);

// What their names begin with.
constexpr ByteSet kInterpreterFirst = [] {
  ByteSet out("");
  for (const Interpreter& row : kInterpreters) out.add(row.program[0]);
  return out;
}();

const Interpreter* interpreter(std::string_view name) {
  name = base_name(name);
  if (name.empty() || !kInterpreterFirst.has(name[0])) return nullptr;
  while (!name.empty() && ((name.back() >= '0' && name.back() <= '9') || name.back() == '.')) {
    name.remove_suffix(1);
  }
  const auto rows = rows_of(kInterpreters, kInterpreterPlaces, name);
  return rows.empty() ? nullptr : &kInterpreters[rows.front()];
}

bool is_standard_input(std::string_view word) {
  return word == "-" || word == "/dev/stdin" || word == "/dev/fd/0" || word == "/proc/self/fd/0";
}

ScriptSource source_of_operand(const Argument& word) {
  if (is_standard_input(word.text)) return ScriptSource::kInput;
  const bool unknown = !word.constant && (word.splits || word.text.starts_with('<') ||
                                          word.text.starts_with("(") || word.text.starts_with('>'));
  return unknown ? ScriptSource::kUnknown : ScriptSource::kGiven;
}

ScriptSource shell_source(const std::vector<Argument>& argv) {
  const ShellCall call = shell_call(argv);
  if (call.prints) return ScriptSource::kNone;
  // fish has a grammar of its own, which is not read.
  if (base_name(argv[0].text) == "fish" && (call.text || call.operand >= argv.size())) {
    return ScriptSource::kForeign;
  }
  const bool operand = call.operand < argv.size();
  if (call.text) return operand ? ScriptSource::kGiven : ScriptSource::kUnknown;
  if (call.input || !operand) return ScriptSource::kInput;
  return source_of_operand(argv[call.operand]);
}

// Of one option: whether it gives the script; `skip` is how many further words are its value.
bool gives_script(const Interpreter& program, const Argument& option, std::size_t& skip) {
  const std::string& word = option.text;
  skip = 0;
  if (word.starts_with("--")) {
    const std::size_t equals = word.find('=');
    const std::string_view name = std::string_view(word).substr(2, equals - 2);
    if (is_word_of(program.longer, name)) return true;
    skip = equals == std::string::npos && is_word_of(program.longer_value, name) ? 1 : 0;
    return false;
  }
  for (std::size_t at = 1; at < word.size(); ++at) {
    if (program.script.find(word[at]) != std::string_view::npos) return true;
    if (program.value.find(word[at]) == std::string_view::npos) continue;
    skip = at + 1 == word.size() ? 1 : 0;
    return false;
  }
  return false;
}

// ---- sed

// A script as sed(1) reads it: addresses, commands, the flags of s. `file` gets what w, W, r and R
// name; `runs` is set by the command e and by the flag e of s.
class SedScript {
 public:
  SedScript(std::string_view text, std::vector<std::pair<std::string, bool>>& files)
      : s_(text), files_(files) {}

  bool runs = false;
  // False: the script is not understood.
  bool read() {
    while (skip_blanks()) {
      if (!address() || !command()) return false;
    }
    return true;
  }

 private:
  bool skip_blanks() {
    while (at_ < s_.size() && std::string_view(" \t\n;").find(s_[at_]) != std::string_view::npos) {
      ++at_;
    }
    return at_ < s_.size();
  }
  void blanks() {
    while (at_ < s_.size() && (s_[at_] == ' ' || s_[at_] == '\t')) ++at_;
  }
  // Over a part that ends in `end`; a class may hold it, and a backslash takes its meaning.
  bool part(char end, bool pattern) {
    for (; at_ < s_.size(); ++at_) {
      if (s_[at_] == '\\') {
        ++at_;
      } else if (s_[at_] == end) {
        ++at_;
        return true;
      } else if (pattern && s_[at_] == '[') {
        std::size_t to = at_ + 1;
        if (to < s_.size() && s_[to] == '^') ++to;
        if (to < s_.size() && s_[to] == ']') ++to;
        to = s_.find(']', to);
        // Without an end it is no class.
        if (to != std::string_view::npos && s_.substr(at_, to - at_).find('\n') == npos) at_ = to;
      }
    }
    return false;
  }
  bool one_address() {
    blanks();
    if (at_ >= s_.size()) return true;
    const char c = s_[at_];
    if (c >= '0' && c <= '9') {
      while (at_ < s_.size() && ((s_[at_] >= '0' && s_[at_] <= '9') || s_[at_] == '~')) ++at_;
    } else if (c == '$') {
      ++at_;
      // A name of more than one letter is a variable of the shell, a number or a pattern.
      std::size_t to = at_;
      while (to < s_.size() && is_variable(s_[to])) ++to;
      if (to > at_ + 1) at_ = to;
    } else if (c == '+' || c == '~') {
      ++at_;
      while (at_ < s_.size() && ((s_[at_] >= '0' && s_[at_] <= '9') || is_variable(s_[at_]))) ++at_;
    } else if (c == '/' || c == '\\') {
      const char end = c == '/' ? '/' : at_ + 1 < s_.size() ? s_[++at_] : '\0';
      ++at_;
      if (!part(end, true)) return false;
      while (at_ < s_.size() && (s_[at_] == 'I' || s_[at_] == 'M')) ++at_;
    }
    return true;
  }
  static bool is_variable(char c) {
    return (c >= 'A' && c <= 'Z') || c == '_' || c == '{' || c == '}';
  }
  bool address() {
    if (!one_address()) return false;
    blanks();
    if (at_ < s_.size() && s_[at_] == ',') {
      ++at_;
      if (!one_address()) return false;
    }
    blanks();
    while (at_ < s_.size() && (s_[at_] == '!' || s_[at_] == ' ')) ++at_;
    return true;
  }
  std::string rest_of_line() {
    blanks();
    const std::size_t end = std::min(s_.find('\n', at_), s_.size());
    std::string out(s_.substr(at_, end - at_));
    at_ = end;
    return out;
  }
  void text() {
    while (at_ < s_.size() && s_[at_] != '\n') at_ += s_[at_] == '\\' ? 2U : 1U;
  }
  bool substitute() {
    if (at_ >= s_.size()) return false;
    const char end = s_[at_++];
    if (!part(end, true) || !part(end, false)) return false;
    for (; at_ < s_.size(); ++at_) {
      const char flag = s_[at_];
      if (flag == 'e') runs = true;
      if (flag == 'w') {
        ++at_;
        files_.emplace_back(rest_of_line(), true);
        return true;
      }
      if (std::string_view("gpiIMme0123456789").find(flag) == std::string_view::npos) break;
    }
    return true;
  }
  bool command() {
    if (at_ >= s_.size()) return true;
    const char c = s_[at_++];
    if (std::string_view("{}=dDgGhHnNpPxzF;\n").find(c) != std::string_view::npos) return true;
    if (c == 's') return substitute();
    if (c == 'y') {
      if (at_ >= s_.size()) return false;
      const char end = s_[at_++];
      return part(end, false) && part(end, false);
    }
    if (c == 'e') {
      runs = true;
      rest_of_line();
      return true;
    }
    if (c == 'w' || c == 'W' || c == 'r' || c == 'R') {
      files_.emplace_back(rest_of_line(), c == 'w' || c == 'W');
      return true;
    }
    if (c == 'a' || c == 'i' || c == 'c') {
      text();
      return true;
    }
    if (c == '#') {
      rest_of_line();
      return true;
    }
    if (c == ':') {  // GNU sed's labels end at a blank or a semicolon
      blanks();
      at_ = std::min(s_.find_first_of("; \t\n", at_), s_.size());
      return true;
    }
    if (std::string_view("btTlLqQv").find(c) == std::string_view::npos) return false;
    while (at_ < s_.size() && s_[at_] != ';' && s_[at_] != '\n' && s_[at_] != '}') ++at_;
    return true;
  }

  static constexpr std::size_t npos = std::string_view::npos;
  std::string_view s_;
  std::vector<std::pair<std::string, bool>>& files_;
  std::size_t at_ = 0;
};

// The words of argv that are scripts: values of the options `letter` and `name`, or the first
// operand when there is none of them.
std::vector<std::size_t> script_words(const std::vector<Argument>& argv, std::string_view letters,
                                      std::string_view value, std::string_view name) {
  std::vector<std::size_t> found;
  std::size_t operand = 0;
  bool from_file = false;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word == "--") {
      if (operand == 0 && i + 1 < argv.size()) operand = i + 1;
      break;
    }
    if (word.size() < 2 || word[0] != '-') {
      if (operand == 0) operand = i;
      continue;
    }
    if (word.starts_with("--")) {
      const std::size_t equals = word.find('=');
      const std::string_view option = std::string_view(word).substr(2, equals - 2);
      if (!name.empty() && option.size() > 1 && name.starts_with(option)) {
        found.push_back(equals == std::string::npos ? ++i : i);
      }
      from_file = from_file || option == "file";
      continue;
    }
    for (std::size_t at = 1; at < word.size(); ++at) {
      const bool script = letters.find(word[at]) != std::string_view::npos;
      if (!script && value.find(word[at]) == std::string_view::npos) continue;
      from_file = from_file || word[at] == 'f';
      if (at + 1 == word.size()) ++i;
      if (script) found.push_back(i);
      break;
    }
  }
  if (found.empty() && operand != 0 && !from_file) found.push_back(operand);
  std::erase_if(found, [&](std::size_t i) { return i >= argv.size(); });
  return found;
}

void sed_use(const std::vector<Argument>& argv, std::size_t offset, ScriptUse& out) {
  for (const std::size_t i : script_words(argv, "e", "fl", "expression")) {
    std::string_view text = argv[i].text;
    if (text.starts_with("--")) text.remove_prefix(text.find('=') + 1);
    if (text.starts_with("-e")) text.remove_prefix(2);
    std::vector<std::pair<std::string, bool>> files;
    SedScript script(text, files);
    // What is not read can only be judged by its letters: e runs, w writes.
    const bool read = script.read();
    if (script.runs) {
      out.hazards.push_back(
          {"command.exec_option", "'sed' would run another program by the command e", offset});
    }
    for (auto& [path, writes] : files) out.files.push_back({i, std::move(path), writes});
    if (!read && argv[i].constant && text.find_first_of("ew") != std::string_view::npos) {
      out.hazards.push_back(
          {"command.exec_option", "a sed script that is not read, and may run a program", offset});
    }
  }
}

// ---- awk

// As much of awk's grammar as tells strings, patterns and comments from the rest.
class AwkScript {
 public:
  explicit AwkScript(std::string_view text) : s_(text) {}

  std::string runs;                                 // what runs a program; empty: nothing
  bool writes_anywhere = false;                     // to a file that the script computes
  std::vector<std::pair<std::string, bool>> files;  // string literals; true: output goes there
  std::vector<std::string> commands;                // whole lines of sh that it pipes to

  void read() {
    while (at_ < s_.size()) step();
  }

 private:
  void step() {
    const char c = s_[at_];
    if (c == ' ' || c == '\t') {
      ++at_;
      return;
    }
    if (c == '#') {
      at_ = std::min(s_.find('\n', at_), s_.size());
      return;
    }
    if (c == '"') return string();
    if (c == '/' && !operand_) return pattern();
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '@') return name();
    if (c == '|') return pipe();
    if (c == '>' && prints_ && parentheses_ == 0) {
      at_ += s_.substr(at_).starts_with(">>") ? 2U : 1U;
      redirects_ = true;
      operand_ = false;
      return;
    }
    if (c == '(') ++parentheses_;
    if (c == ')') --parentheses_;
    if (c == ';' || c == '\n' || c == '{' || c == '}') end_statement();
    operand_ = c == ')' || c == ']' || c == '$' || (c >= '0' && c <= '9');
    if (redirects_) unknown_target();
    ++at_;
  }
  void end_statement() {
    prints_ = redirects_ = false;
    parentheses_ = 0;
  }
  void unknown_target() {
    redirects_ = false;
    writes_anywhere = true;
  }
  void string() {
    std::string text;
    for (++at_; at_ < s_.size() && s_[at_] != '"'; ++at_) {
      if (s_[at_] == '\\' && at_ + 1 < s_.size()) ++at_;
      text.push_back(s_[at_]);
    }
    at_ = std::min(at_ + 1, s_.size());
    files.emplace_back(std::move(text), std::exchange(redirects_, false));
    operand_ = true;
  }
  void pattern() {
    for (++at_; at_ < s_.size() && s_[at_] != '/'; ++at_) {
      if (s_[at_] == '\\') {
        ++at_;
      } else if (s_[at_] == '[') {
        const std::size_t to = s_.find(']', std::min(at_ + 2, s_.size()));
        if (to != std::string_view::npos) at_ = to;
      }
    }
    at_ = std::min(at_ + 1, s_.size());
    operand_ = true;
  }
  void name() {
    const std::size_t from = at_++;
    while (at_ < s_.size() && (is_word(s_[at_]))) ++at_;
    const std::string_view word = s_.substr(from, at_ - from);
    if (redirects_) unknown_target();
    // @name(...) calls the function that a variable names, system among them (gawk manual 9.3).
    if (word == "system" || (word.starts_with('@') && word != "@namespace")) runs = word;
    if (word == "print" || word == "printf") {
      prints_ = true;
      parentheses_ = 0;
    }
    operand_ = word != "print" && word != "printf" && word != "return" && word != "in";
  }
  void pipe() {
    if (s_.substr(at_).starts_with("||")) {
      at_ += 2;
    } else {
      ++at_;
      const bool both = at_ < s_.size() && s_[at_] == '&';
      if (both) ++at_;
      if (both || !prints_ || !constant_command()) runs = "a pipe";
    }
    operand_ = false;
  }
  // `print | "sort -u"`: a string that is all of the command is a line of sh.
  bool constant_command() {
    const std::size_t open = s_.find_first_not_of(" \t", at_);
    if (open == npos || s_[open] != '"') return false;
    const std::size_t close = s_.find_first_of("\"\\\n", open + 1);
    if (close == npos || s_[close] != '"') return false;
    const std::size_t next = s_.find_first_not_of(" \t", close + 1);
    if (next != npos && std::string_view(";}\n").find(s_[next]) == npos) return false;
    commands.emplace_back(s_.substr(open + 1, close - open - 1));
    at_ = close + 1;
    return true;
  }
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
  }

  std::string_view s_;
  std::size_t at_ = 0;
  bool operand_ = false;    // a value stands before: `/` divides
  bool prints_ = false;     // in a print statement, where > writes
  bool redirects_ = false;  // behind that >
  int parentheses_ = 0;
};

void awk_use(const std::vector<Argument>& argv, std::size_t offset, ScriptUse& out) {
  for (const std::size_t i : script_words(argv, "e", "vFfEil", "source")) {
    AwkScript script(argv[i].text);
    script.read();
    if (!script.runs.empty()) {
      out.hazards.push_back({"command.exec_option",
                             "'" + argv[0].text + "' would run another program by " + script.runs,
                             offset});
    }
    if (script.writes_anywhere) {
      out.hazards.push_back({"command.exec_option",
                             "'" + argv[0].text + "' writes to a file that its script computes",
                             offset});
    }
    for (auto& [path, writes] : script.files) out.files.push_back({i, std::move(path), writes});
    for (std::string& line : script.commands) {
      if (argv[i].constant) out.commands.push_back(std::move(line));
    }
    if (!argv[i].constant && !script.commands.empty()) {
      out.hazards.push_back({"command.exec_option",
                             "'" + argv[0].text + "' would run another program by a pipe", offset});
    }
  }
}

// ---- other languages

// What stands in quotes in a script: python3 -c "open('x')".
void literals(const std::string& text, std::size_t argument, ScriptUse& out) {
  constexpr std::size_t kLiteralsMax = 64;
  for (std::size_t at = 0; at < text.size() && out.files.size() < kLiteralsMax;) {
    const std::size_t open = text.find_first_of("'\"`", at);
    if (open == std::string::npos) return;
    const std::size_t close = text.find(text[open], open + 1);
    if (close == std::string::npos) return;
    const std::string inner = text.substr(open + 1, close - open - 1);
    if (!inner.empty() && inner.find_first_of(" \n\t") == std::string::npos) {
      out.files.push_back({argument, inner, false});
    }
    at = close + 1;
  }
}

void interpreter_use(const Interpreter& program, const std::vector<Argument>& argv,
                     ScriptUse& out) {
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (!argv[i].text.starts_with('-') || argv[i].text.size() < 2) return;
    std::size_t skip = 0;
    if (gives_script(program, argv[i], skip)) {
      for (std::size_t at = i; at < std::min(i + 2, argv.size()); ++at) {
        literals(argv[at].text, at, out);
      }
      return;
    }
    i += skip;
  }
}

}  // namespace

namespace {

bool is_awk(std::string_view name) {
  return name == "awk" || name == "gawk" || name == "mawk" || name == "nawk";
}

// <(...) reads as `(...)` here.
bool is_given_as_input(std::string_view file) {
  return is_standard_input(file) || file.starts_with('(');
}

// sed -f - and awk -f <(...): their scripts run programs.
bool script_file_is_input(const std::vector<Argument>& argv) {
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word.starts_with("--file=") && is_given_as_input(word.substr(word.find('=') + 1))) {
      return true;
    }
    const bool takes = word == "--file" ||
                       (word.starts_with('-') && !word.starts_with("--") && word.ends_with('f'));
    if ((word.starts_with("-f") && is_given_as_input(word.substr(2))) ||
        (takes && i + 1 < argv.size() && is_given_as_input(argv[i + 1].text))) {
      return true;
    }
  }
  return false;
}

}  // namespace

ShellCall shell_call(const std::vector<Argument>& argv) {
  ShellCall call;
  std::size_t values = 0;  // words that belong to -o and -O
  std::size_t i = 1;
  for (; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (values > 0) {
      --values;
      continue;
    }
    if (word == "-" || word == "--") {
      ++i;
      break;
    }
    if (!argv[i].constant || word.empty() || (word[0] != '-' && word[0] != '+')) break;
    // zsh -c '- PROGRAM': a text, and no options.
    if (word.find_first_of(" \t\n") != std::string::npos) break;
    if (word.starts_with("--")) {
      call.prints = call.prints || word == "--version" || word == "--help";
      if (word == "--rcfile" || word == "--init-file") ++values;
      continue;
    }
    for (const char letter : std::string_view(word).substr(1)) {
      call.text = call.text || letter == 'c';
      call.input = call.input || letter == 's';
      values += letter == 'o' || letter == 'O' ? 1U : 0U;
    }
  }
  call.operand = std::min(i, argv.size());
  return call;
}

std::size_t module_at(const std::vector<Argument>& argv) {
  const Interpreter* const program = argv.empty() ? nullptr : interpreter(argv[0].text);
  if (program == nullptr || program->program != "python") return npos;
  for (std::size_t i = 1; i < argv.size() && argv[i].text.starts_with('-'); ++i) {
    const std::string& word = argv[i].text;
    if (word.starts_with("--")) continue;
    // The first letter with a value ends the bundle: -Im NAME, -W error -m NAME.
    const std::size_t letter = word.find_first_of("mcWX", 1);
    if (letter == npos) continue;
    if (word[letter] == 'c' || (word[letter] == 'm' && letter + 1 < word.size())) return npos;
    ++i;
    if (word[letter] == 'm') return i < argv.size() && argv[i].constant ? i : npos;
    if (letter + 1 < word.size()) --i;
  }
  return npos;
}

bool is_interpreter(std::string_view name) { return interpreter(name) != nullptr; }

ScriptSource script_source(const std::vector<Argument>& argv) {
  if (argv.empty()) return ScriptSource::kNone;
  if (is_shell(base_name(argv[0].text))) return shell_source(argv);
  if (argv[0].text == "source" || argv[0].text == ".") {
    const std::size_t at = argv.size() > 1 && argv[1].text == "--" ? 2 : 1;
    return at < argv.size() ? source_of_operand(argv[at]) : ScriptSource::kNone;
  }
  if (is_awk(base_name(argv[0].text)) || base_name(argv[0].text) == "sed") {
    return script_file_is_input(argv) ? ScriptSource::kInput : ScriptSource::kNone;
  }
  const Interpreter* const program = interpreter(argv[0].text);
  if (program == nullptr) return ScriptSource::kNone;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word == "--") {
      return i + 1 < argv.size() ? source_of_operand(argv[i + 1]) : ScriptSource::kInput;
    }
    if (!word.starts_with('-') || word == "-") return source_of_operand(argv[i]);
    std::size_t skip = 0;
    if (gives_script(*program, argv[i], skip)) return ScriptSource::kGiven;
    i += skip;
  }
  return ScriptSource::kInput;
}

static void client_use(std::string_view name, std::string_view text, std::size_t offset,
                       ScriptUse& out, std::vector<std::string>& files) {
  const std::string runs = client_script_runs(name, text, files);
  if (runs.empty()) return;
  out.hazards.push_back({"command.exec_option",
                         "'" + std::string(name) + "' would run another program by " + runs,
                         offset});
}

ScriptUse script_use(const std::vector<Argument>& argv, std::size_t offset) {
  ScriptUse out;
  if (argv.empty()) return out;
  const std::string_view name = base_name(argv[0].text);
  if (name == "sed" || name == "gsed") {
    sed_use(argv, offset, out);
  } else if (is_script_client(name)) {
    for (std::size_t i = 1; i < argv.size(); ++i) {
      std::vector<std::string> files;
      client_use(name, argv[i].text, offset, out, files);
      for (std::string& path : files) out.files.push_back({i, std::move(path), true});
      // -o '|PROGRAM' of psql.
      const std::size_t pipe = argv[i].text.find('|');
      if (pipe == 0 || (pipe != std::string::npos && (argv[i].text.starts_with("-o|") ||
                                                      argv[i].text.starts_with("--output=|")))) {
        out.hazards.push_back({"command.exec_option",
                               "'" + argv[0].text + "' would run another program by a pipe",
                               offset});
      }
    }
  } else if (name == "yq") {
    // load("FILE") of mikefarah's yq.
    for (std::size_t i = 1; i < argv.size(); ++i) {
      const std::string& word = argv[i].text;
      if (word.find("load") != std::string::npos) literals(word, i, out);
      // -s EXPRESSION names the files that are written; a field may, a place may not.
      const bool next = word == "-s" || word == "--split-exp";
      if (!next && !word.starts_with("--split-exp=")) continue;
      const std::string& names = next && i + 1 < argv.size() ? argv[i + 1].text : word;
      if (names.find_first_of("/~", next ? 0 : names.find('=')) != std::string::npos) {
        out.hazards.push_back({"command.exec_option",
                               "'" + argv[0].text + "' writes to a file that its script computes",
                               offset});
      }
    }
  } else if (is_awk(name)) {
    awk_use(argv, offset, out);
  } else if (const Interpreter* const program = interpreter(name); program != nullptr) {
    interpreter_use(*program, argv, out);
  }
  return out;
}

}  // namespace lilith::rules::shell
