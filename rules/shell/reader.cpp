#include "rules/shell/reader.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "rules/shell/braces.hpp"
#include "rules/shell/clients.hpp"
#include "rules/shell/network.hpp"
#include "rules/shell/programs.hpp"
#include "rules/shell/tables.hpp"
#include "rules/shell/values.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

namespace lilith::rules::shell {
namespace {

// Leaves the recursion; caught in read_line().
struct Refusal {
  std::string code;
  std::string message;
  std::size_t offset;
};

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) { return is_name_start(c) || is_digit(c); }
bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_meta(char c) {
  return c == ';' || c == '&' || c == '|' || c == '<' || c == '>' || c == '(' || c == ')';
}
bool is_integer(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.size() < 19 && std::all_of(text.begin(), text.end(), is_digit);
}

// One word after quote removal.
struct Word {
  std::string text;  // expansions as their source text
  bool constant = true;
  bool quoted = false;  // any quoting character was there
  bool glob = false;    // an unquoted * ? or [
  bool brace = false;   // an unquoted {
  bool tilde = false;   // begins with an unquoted ~
  bool home = false;    // begins with $HOME or ${HOME}; home_bytes of `text` are that expansion
  std::size_t home_bytes = 0;
  bool splits = false;  // an expansion outside of quotes, which may become several words or none
  bool arithmetic = false;           // is one whole $((...)), so an integer
  std::size_t arithmetic_bytes = 0;  // of `text`, that $((...))
  std::size_t offset = 0;
};

bool is_whole_arithmetic(const Word& word) {
  return word.arithmetic && word.text.size() == word.arithmetic_bytes;
}

// $#, $? and ${#NAME}, nothing else beside them.
bool is_count(const Word& word) {
  if (word.constant) return false;
  if (word.text == "$#" || word.text == "$?") return true;
  std::string_view text = word.text;
  if (!text.starts_with("${#") || !text.ends_with('}')) return false;
  text = text.substr(3, text.size() - 4);
  if (text.ends_with("[@]") || text.ends_with("[*]")) text.remove_suffix(3);
  return std::all_of(text.begin(), text.end(), is_name);
}

struct Assignment {
  std::string name;
  bool append = false;  // NAME+=VALUE
  Word value;
};

// A directory that relative paths may be relative to.
struct Directory {
  bool known = true;
  bool home = false;
  bool tilde = false;  // begins with ~NAME
  std::string text;    // relative to the call's cwd when neither home nor absolute

  friend bool operator==(const Directory&, const Directory&) = default;
};
using Directories = std::vector<Directory>;
constexpr std::size_t kDirectoriesMax = 4;

struct HereDoc {
  std::string delimiter;
  bool quoted = false;
  bool strip_tabs = false;
  std::string script;  // the shell that reads it as its script
  bool names = false;  // xargs reads it as words of argv
  std::string client;  // the database client that reads it
  bool look_through = false;
  Directories directories;  // of that program
};

// What a program finds on its standard input, as far as it matters whose words those are.
struct Input {
  enum class Kind { kInherited, kNull, kFile, kHereDoc, kText } kind = Kind::kInherited;
  std::size_t here_doc = 0;  // kHereDoc: index of those not read yet
  Word text;                 // kText
};

// What is looked at again when the whole line is known, because its words are not.
struct Dynamic {
  static constexpr std::size_t kNoCommand = static_cast<std::size_t>(-1);
  std::vector<Word> argv;
  Directories directories;
  std::size_t command = kNoCommand;  // index in CommandAnalysis::commands
  bool appended = false;             // xargs puts words behind them
};

// One for the line, shared by the readers of its parts.
struct Line {
  LineValues values;
  std::vector<Dynamic> dynamic;
  struct Link {
    Word name;
    Word target;
  };
  std::vector<Link> links;    // of ln
  std::vector<Word> printed;  // words of echo and printf that may go on into a pipe
};

class Reader {
 public:
  Reader(std::string_view text, CommandAnalysis& out, Line& line, std::size_t base,
         std::size_t depth)
      : s_(text), out_(out), line_(line), base_(base), depth_(depth) {}

  void run() {
    list({});
    if (at_ < s_.size()) refuse("command.unparsable", "unexpected '" + near() + "'");
    if (!here_docs_.empty()) refuse("command.unparsable", "a here-document has no end");
    if (saw_cd_) forget_directories(function_uses_);
  }
  // Behind run() of the outermost reader: what depends on values that stand anywhere in the line.
  void finish();

  // State that nested readers share with the outer one.
  Directories directories_{Directory{}};
  std::set<std::string> functions_;  // surely defined at this place
  std::set<std::string> defined_;    // defined anywhere
  std::set<std::string> integers_;   // variables that surely hold integers at this place
  std::set<std::string> used_;       // variables that arithmetic has read
  std::set<std::string> lost_;       // variables that got something else than an integer
  std::set<std::string> unsteady_;   // the same, in a function that may be called at any time
  std::size_t steps_ = 0;

 private:
  // ---- characters ----
  [[noreturn]] void refuse(std::string code, std::string message) const {
    throw Refusal{std::move(code), std::move(message), base_ + std::min(at_, s_.size())};
  }
  void step() {
    if (++steps_ > limits::kShellStepsMax)
      refuse("command.too_complex", "the line takes too long to read");
  }
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < s_.size() ? s_[at_ + ahead] : '\0';
  }
  [[nodiscard]] bool end() const { return at_ >= s_.size(); }
  [[nodiscard]] bool starts(std::string_view text) const {
    return s_.substr(at_).starts_with(text);
  }
  [[nodiscard]] std::string near() const { return printable(utf8_prefix(s_.substr(at_), 12)); }
  bool continuation() {
    if (!starts("\\\n")) return false;
    at_ += 2;
    return true;
  }
  void blanks() {
    for (;;) {
      step();
      if (!end() && is_blank(peek())) {
        ++at_;
      } else if (peek() == '#') {
        while (!end() && peek() != '\n') ++at_;
      } else if (!continuation()) {
        return;
      }
    }
  }
  void newline() {
    ++at_;
    read_here_docs();
  }
  void newlines() {
    for (;;) {
      blanks();
      if (end() || peek() != '\n') return;
      newline();
    }
  }

  class Deeper {
   public:
    explicit Deeper(Reader& reader) : reader_(reader) {
      if (++reader_.depth_ > limits::kShellDepthMax) {
        reader_.refuse("command.too_complex", "the line is nested too deeply");
      }
    }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    ~Deeper() { --reader_.depth_; }

   private:
    Reader& reader_;
  };

  // ---- words ----
  bool word(Word& out);
  void word_part(Word& out);
  void single_quotes(Word& out);
  void double_quotes(Word& out);
  void ansi_c(Word& out);
  void dollar(Word& out, bool in_quotes);
  void parameter(Word& out, bool in_quotes);
  void parameter_word(bool in_quotes, std::string_view name, bool assigns);
  void backticks(Word& out, bool in_quotes);
  void substitution(Word& out);
  void arithmetic(std::string_view close);
  void expand_here_doc(std::string_view body, std::size_t offset);
  void read_here_docs();
  std::string here_doc_line(bool quoted);
  [[nodiscard]] bool at_word_end() const {
    return end() || is_blank(peek()) || peek() == '\n' || is_meta(peek());
  }

  // ---- what is known where ----
  struct Names {
    std::set<std::string> functions, integers;
  };
  [[nodiscard]] Names names() const { return {functions_, integers_}; }
  void meet(const Names& before);
  void inherit(const Reader& outer);
  void give_back(const Reader& nested, bool same_shell);
  struct Repeated {
    std::set<std::string> used, lost;
    std::size_t first_path;
    Directories directories;
  };
  [[nodiscard]] Repeated begin_repeated();
  void end_repeated(Repeated& before, const Names& start);

  // ---- grammar ----
  void list(const std::vector<std::string_view>& until);
  void items(const std::vector<std::string_view>& until);
  void and_or(const std::vector<std::string_view>& until);
  void pipeline();
  void command();
  bool compound(std::string_view reserved);
  void if_clause();
  void while_clause();
  void for_clause();
  void case_clause();
  void function_body(const std::string& name);
  void conditional();
  void simple_command();
  bool assignment(std::vector<Assignment>& out);
  void array_value(const std::string& name);
  bool redirection(Input& input);
  void client_text(const std::string& client, const std::string& text, std::size_t offset);
  void read_here_doc(const HereDoc& doc, const std::string& body, std::size_t from);
  void redirections_after();
  void expect(std::string_view reserved);
  [[nodiscard]] std::string_view reserved_word() const;
  [[nodiscard]] bool stops(const std::vector<std::string_view>& until) const;

  // ---- meaning ----
  void simple(std::vector<Word> argv, const std::vector<Assignment>& assignments, std::size_t from,
              bool here_doc_only);
  void script_input(const std::vector<Argument>& argv, CommandUse& use);
  void enter(const Word& target);
  void finish_links();
  void finish_variant(const Dynamic& one, const std::vector<Word>& argv);
  void finish_braces(const Dynamic& one);
  void into_directory(const std::vector<Word>& argv, std::size_t at, const std::string& target);
  void write_paths(const std::vector<Word>& argv, const std::vector<Argument>& args);
  void script_paths(const std::vector<Word>& argv, const ScriptUse& script);
  void note_printed(const std::vector<Word>& argv, const std::vector<Argument>& args);
  enum class Binding { kStays, kAppends, kForOneCommand };
  void note_assignment(const std::string& name, const Word& value, std::size_t offset,
                       Binding binding = Binding::kStays);
  void evaluates_subscript(const std::vector<Word>& argv, CommandUse& use);
  bool xargs_replacement(const std::vector<Word>& argv, std::size_t at, CommandUse& use);
  bool builtin(const std::vector<Word>& argv, CommandUse& use);
  void change_directory(const std::vector<Word>& argv);
  void wrapper(const std::vector<Word>& argv, CommandUse& use, bool appended);
  void find_actions(const std::vector<Word>& argv, CommandUse& use);
  void shell_text(const std::vector<Word>& argv, CommandUse& use);
  void trap_text(const std::vector<Word>& argv);
  void nested_text(const Word& text, bool look_through, bool same_shell,
                   std::string_view shell = {});
  void bash_only(std::string_view what) const {
    if (posix_) refuse("command.unparsable", std::string(what) + " in the text of sh");
  }
  void argument_paths(const std::vector<Word>& argv);
  void plain_paths(const std::vector<Word>& argv);
  void add_path(const Word& word, std::string text, PathAccess access);
  void line_hazard(std::string code, std::string message, std::size_t offset) {
    out_.hazards.push_back({std::move(code), std::move(message), offset});
  }
  void forget_directories(const std::vector<std::size_t>& uses);
  void merge(const Directories& other);

  std::string_view s_;
  CommandAnalysis& out_;
  Line& line_;
  std::size_t at_ = 0;
  std::size_t base_;
  std::size_t depth_;
  std::vector<HereDoc> here_docs_;
  bool saw_cd_ = false;
  bool in_function_ = false;
  bool last_here_doc_quoted_ = false;
  Input input_;                   // of the simple command that is read
  std::optional<Input> piped_;    // what the command behind a pipe will find
  std::optional<Input> printed_;  // what the last simple command surely prints
  Directories pushed_;            // by pushd
  bool posix_ = false;            // text of sh: where bash's own forms mean something else
  bool captured_ = false;         // in $(...) or `...`: what is printed becomes a word
  bool appended_ = false;         // the next simple command is xargs's, which appends words
  bool package_ = false;          // the next simple command is one of `npx` or `uv run`
  std::vector<std::size_t> function_uses_;  // indexes of paths used in function bodies
  bool look_through_ = false;
  bool in_substitution_ = false;  // of the forms $( and <(
  bool here_doc_behind_ = false;  // the body of one was read in this substitution
  bool subscript_seen_ = false;   // a quoted NAME[$(...)] stands in the line
  bool skips_functions_ =
      false;  // the next simple command is found in PATH, whatever functions say

  friend void lilith::rules::shell::read_line(std::string_view, CommandAnalysis&);
};

// ---- words

bool Reader::word(Word& out) {
  out = Word();
  out.offset = base_ + at_;
  bool any = false;
  while (true) {
    step();
    if (continuation()) continue;
    // <( and >( begin a process substitution, which is part of a word.
    if (starts("<(") || starts(">(")) {
      bash_only("<(...)");
      at_ += 2;
      substitution(out);
      any = true;
      continue;
    }
    if (at_word_end()) break;
    word_part(out);
    any = true;
  }
  // {} alone is no brace expansion (bash manual 3.5.1).
  out.brace = out.brace &&
              (out.text.find(',') != std::string::npos || out.text.find("..") != std::string::npos);
  if (any && peek() == '(' && !end()) {
    refuse("command.unparsable",
           "a '(' after a word (extended globs and functions of this form are not read)");
  }
  return any;
}

void Reader::word_part(Word& out) {
  const char c = peek();
  const auto byte = static_cast<unsigned char>(c);
  if (byte < 0x20 || byte == 0x7F)
    refuse("command.control_byte", "a control character outside quotes");
  switch (c) {
    case '\'':
      return single_quotes(out);
    case '"':
      return double_quotes(out);
    case '`':
      out.splits = true;
      return backticks(out, false);
    case '$':
      out.splits = out.splits || (peek(1) != '\'' && !starts("$(("));
      return dollar(out, false);
    case '\\':
      ++at_;
      if (end()) refuse("command.unparsable", "the line ends in a backslash");
      out.quoted = true;
      out.text.push_back(peek());
      ++at_;
      return;
    case '*':
    case '?':
    case '[':
      out.glob = true;
      break;
    case '{':
      out.brace = true;
      break;
    case '~':
      if (out.text.empty() && !out.quoted) out.tilde = true;
      break;
    default:
      break;
  }
  out.text.push_back(c);
  ++at_;
}

void Reader::single_quotes(Word& out) {
  const std::size_t close = s_.find('\'', at_ + 1);
  if (close == std::string_view::npos) refuse("command.unparsable", "a ' is not closed");
  const std::string_view inner = s_.substr(at_, close - at_);
  if (const std::size_t open = inner.find('['); open != std::string_view::npos) {
    subscript_seen_ = subscript_seen_ || inner.find("$(", open) != std::string_view::npos ||
                      inner.find('`', open) != std::string_view::npos;
  }
  out.quoted = true;
  out.text += s_.substr(at_ + 1, close - at_ - 1);
  steps_ += close - at_;
  at_ = close + 1;
}

void Reader::double_quotes(Word& out) {
  const Deeper deeper(*this);
  ++at_;
  out.quoted = true;
  for (;;) {
    step();
    if (end()) refuse("command.unparsable", "a \" is not closed");
    const char c = peek();
    if (c == '"') {
      ++at_;
      return;
    }
    if (c == '\\') {
      const char next = peek(1);
      if (next == '\n') {
        at_ += 2;
        continue;
      }
      if (next == '$' || next == '`' || next == '"' || next == '\\') ++at_;
      out.text.push_back(peek());
      ++at_;
    } else if (c == '$') {
      dollar(out, true);
    } else if (c == '`') {
      backticks(out, true);
    } else {
      out.text.push_back(c);
      ++at_;
    }
  }
}

void append_utf8(std::string& out, std::uint32_t cp) {
  if (cp < 0x80) {
    out.push_back(static_cast<char>(cp));
  } else if (cp < 0x800) {
    out.push_back(static_cast<char>(0xC0 | cp >> 6));
    out.push_back(static_cast<char>(0x80 | (cp & 0x3F)));
  } else if (cp < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | cp >> 12));
    out.push_back(static_cast<char>(0x80 | (cp >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (cp & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | cp >> 18));
    out.push_back(static_cast<char>(0x80 | (cp >> 12 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (cp >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (cp & 0x3F)));
  }
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// $'...': bash manual 3.1.2.4.
void Reader::ansi_c(Word& out) {
  at_ += 2;
  out.quoted = true;
  for (;;) {
    step();
    if (end()) refuse("command.unparsable", "a $' is not closed");
    char c = peek();
    ++at_;
    if (c == '\'') return;
    if (c != '\\') {
      out.text.push_back(c);
      continue;
    }
    if (end()) refuse("command.unparsable", "a $' is not closed");
    c = peek();
    ++at_;
    constexpr std::string_view kFrom = "abeEfnrtv\\'\"?", kTo = "\a\b\033\033\f\n\r\t\v\\'\"?";
    if (const std::size_t i = kFrom.find(c); i != std::string_view::npos) {
      out.text.push_back(kTo[i]);
      continue;
    }
    std::uint32_t value = 0;
    if (c >= '0' && c <= '7') {
      value = static_cast<std::uint32_t>(c - '0');
      for (int i = 0; i < 2 && peek() >= '0' && peek() <= '7'; ++i, ++at_) {
        value = value * 8 + static_cast<std::uint32_t>(peek() - '0');
      }
      value &= 0xFF;
      if (value == 0) refuse("command.control_byte", "a NUL in $'...'");
      out.text.push_back(static_cast<char>(value));
      continue;
    }
    if (c != 'x' && c != 'u' && c != 'U')
      refuse("command.unparsable", "an escape in $'...' that is not read");
    const int digits_max = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    int digits = 0;
    for (; digits < digits_max && hex_value(peek()) >= 0 && !end(); ++digits, ++at_) {
      value = value * 16 + static_cast<std::uint32_t>(hex_value(peek()));
    }
    if (digits == 0 || value == 0 || value > 0x10FFFF) {
      refuse("command.control_byte", "an escape in $'...' that gives no character");
    }
    if (c == 'x') {
      out.text.push_back(static_cast<char>(value));
    } else {
      append_utf8(out.text, value);
    }
  }
}

// At a '$'.
void Reader::dollar(Word& out, bool in_quotes) {
  const char next = peek(1);
  if (next == '\\' && peek(2) == '\n') {
    // bash joins the lines first, so that this may be any expansion.
    refuse("command.unparsable", "a '$' at the end of a continued line");
  }
  if (next == '\'' && !in_quotes) {
    bash_only("$'...'");
    return ansi_c(out);
  }
  if (next == '"' && !in_quotes) {
    // $"...": translation by the locale; without a catalogue the text itself.
    refuse("command.unparsable", "$\"...\" (translated by the locale) is not read");
  }
  const std::size_t from = at_;
  if (next == '(') {
    out.constant = false;
    if (peek(2) == '(') {
      // `$((` may also be `$( (`; bash tries arithmetic first, and so does this, strictly.
      const bool first = out.text.empty();
      at_ += 3;
      arithmetic("))");
      out.text += s_.substr(from, at_ - from);
      out.arithmetic = first;
      out.arithmetic_bytes = out.text.size();
      return;
    }
    at_ += 2;
    Word inner;
    substitution(inner);
    out.text += s_.substr(from, at_ - from);
    out.arithmetic = false;
    return;
  }
  if (next == '[') refuse("command.arithmetic", "$[...] is not read");
  if (next == '{') {
    at_ += 2;
    parameter(out, in_quotes);
    const std::string_view source = s_.substr(from, at_ - from);
    if (out.text.empty() && source == "${HOME}") {
      out.home = true;
      out.home_bytes = source.size();
    }
    out.text += source;
    out.constant = false;
    out.arithmetic = false;
    return;
  }
  if (is_name_start(next) || is_digit(next) ||
      std::string_view("@*#?-$!").find(next) != std::string_view::npos) {
    if (next == '\0') {
      out.text.push_back('$');
      ++at_;
      return;
    }
    ++at_;
    if (is_name_start(next)) {
      while (!end() && is_name(peek())) ++at_;
    } else {
      ++at_;
    }
    const std::string_view source = s_.substr(from, at_ - from);
    if (out.text.empty() && source == "$HOME") {
      out.home = true;
      out.home_bytes = source.size();
    }
    out.text += source;
    out.constant = false;
    return;
  }
  out.text.push_back('$');
  ++at_;
}

// Behind "${", up to and over the closing brace.
void Reader::parameter(Word&, bool in_quotes) {
  const Deeper deeper(*this);
  if (peek() == '!') refuse("command.indirect", "${!...} names a variable by another's value");
  if (peek() == '#' && peek(1) != '}') ++at_;  // length
  const std::size_t from = at_;
  if (is_name_start(peek())) {
    while (!end() && is_name(peek())) ++at_;
  } else if (is_digit(peek())) {
    while (!end() && is_digit(peek())) ++at_;
  } else if (std::string_view("@*#?-$!").find(peek()) != std::string_view::npos && !end()) {
    ++at_;
  } else {
    refuse("command.unparsable", "a ${...} that is not read");
  }
  const std::string name(s_.substr(from, at_ - from));
  if (peek() == '[') {
    // A subscript is evaluated as arithmetic, and arithmetic can run commands (a[$(cmd)]).
    const std::size_t close = s_.find(']', at_);
    if (close == std::string_view::npos) refuse("command.unparsable", "a subscript is not closed");
    const std::string_view index = s_.substr(at_ + 1, close - at_ - 1);
    if (index != "@" && index != "*" && !is_integer(index)) {
      refuse("command.arithmetic", "the subscript [" + printable(index) + "] is not a number");
    }
    at_ = close + 1;
  }
  const char c = peek();
  if (end()) refuse("command.unparsable", "a ${ is not closed");
  if (c == '}') {
    ++at_;
    return;
  }
  if (c == '@') refuse("command.indirect", "${...@...} can evaluate its value");
  if (c == ':' && std::string_view("-=?+").find(peek(1)) == std::string_view::npos) {
    // ${name:offset:length}: arithmetic.
    ++at_;
    while (!end() && peek() != '}') {
      if (!is_digit(peek()) && peek() != ':' && peek() != ' ' && peek() != '-') {
        refuse("command.arithmetic", "an offset in ${" + name + ":...} is not a number");
      }
      ++at_;
    }
    if (end()) refuse("command.unparsable", "a ${ is not closed");
    ++at_;
    return;
  }
  if (c == ':') ++at_;
  const char op = peek();
  if (std::string_view("-=?+#%/^,").find(op) == std::string_view::npos) {
    refuse("command.unparsable", "a ${...} operator that is not read");
  }
  ++at_;
  parameter_word(in_quotes, name, op == '=');
}

void Reader::parameter_word(bool in_quotes, std::string_view name, bool assigns) {
  Word value;
  value.offset = base_ + at_;
  for (;;) {
    step();
    if (end()) refuse("command.unparsable", "a ${ is not closed");
    const char c = peek();
    if (c == '}') {
      ++at_;
      break;
    }
    if (in_quotes && c == '\'') {
      // Whether it quotes depends on the operator; an expansion could hide behind the difference.
      refuse("command.unparsable", "a ' inside \"${...}\"");
    }
    if (c == '\\') {
      ++at_;
      if (end()) refuse("command.unparsable", "a ${ is not closed");
      value.text.push_back(peek());
      ++at_;
    } else if (c == '"') {
      double_quotes(value);
    } else if (c == '\'') {
      single_quotes(value);
    } else if (c == '$') {
      dollar(value, in_quotes);
    } else if (c == '`') {
      backticks(value, in_quotes);
    } else if (!in_quotes && (starts("<(") || starts(">("))) {
      at_ += 2;
      substitution(value);
    } else {
      value.text.push_back(c);
      ++at_;
    }
  }
  // Only where the variable was not set: what it holds afterwards may still be the old value.
  if (assigns) note_assignment(std::string(name), value, value.offset, Binding::kForOneCommand);
}

// POSIX 2.6.3: within backquotes a backslash before $ ` \ (and " inside double quotes) is taken
// away before the text is read as a line of its own.
void Reader::backticks(Word& out, bool in_quotes) {
  const Deeper deeper(*this);
  const std::size_t from = at_;
  ++at_;
  std::string inner;
  for (;;) {
    step();
    if (end()) refuse("command.unparsable", "a ` is not closed");
    const char c = peek();
    if (c == '`') break;
    if (c == '\\' &&
        (peek(1) == '$' || peek(1) == '`' || peek(1) == '\\' || (in_quotes && peek(1) == '"'))) {
      ++at_;
    }
    inner.push_back(peek());
    ++at_;
  }
  ++at_;
  Reader nested(inner, out_, line_, base_ + from, depth_);
  nested.inherit(*this);
  nested.captured_ = true;
  nested.run();
  give_back(nested, false);
  out.constant = false;
  out.text += s_.substr(from, at_ - from);
}

// Behind "$(", "<(" or ">(", up to and over the closing parenthesis.
void Reader::substitution(Word& out) {
  const Deeper deeper(*this);
  const std::size_t from = at_;
  const Directories saved = directories_;
  std::vector<HereDoc> outer;
  outer.swap(here_docs_);
  const bool was_in_substitution = std::exchange(in_substitution_, true);
  const bool was_captured = std::exchange(captured_, true);
  const Input input = std::exchange(input_, {});
  const std::optional<Input> piped = std::exchange(piped_, std::nullopt);
  const bool was_behind = std::exchange(here_doc_behind_, false);
  list({")"});
  in_substitution_ = was_in_substitution;
  captured_ = was_captured;
  input_ = input;
  piped_ = piped;
  here_doc_behind_ = was_behind;
  if (peek() != ')' || end()) refuse("command.unparsable", "a ( is not closed");
  if (!here_docs_.empty()) refuse("command.unparsable", "a here-document has no end");
  ++at_;
  here_docs_.swap(outer);
  directories_ = saved;
  out.constant = false;
  out.text += "(" + std::string(s_.substr(from, at_ - from));
}

// Behind "$((" or "((": numbers, operators, and variables that this line is known to keep integers
// in. Everything else can run commands: bash evaluates a variable's value as an expression again.
void Reader::arithmetic(std::string_view close) {
  int open = 0;
  for (;;) {
    step();
    if (end()) refuse("command.unparsable", "(( is not closed");
    if (open == 0 && starts(close)) {
      at_ += close.size();
      return;
    }
    const char c = peek();
    if (c == '(') ++open;
    if (c == ')' && --open < 0) refuse("command.unparsable", "$(( is not arithmetic");
    if (c == '$' || is_name_start(c)) {
      if (c == '$') ++at_;
      const bool brace = peek() == '{';
      if (brace) ++at_;
      if (brace && peek() == '#') ++at_;
      const std::size_t from = at_;
      while (!end() && is_name(peek())) ++at_;
      if (at_ == from && (peek() == '#' || peek() == '?')) ++at_;
      const std::string name(s_.substr(from, at_ - from));
      if (brace) {
        if (peek() != '}')
          refuse("command.arithmetic", "an expansion in arithmetic that is not read");
        ++at_;
      }
      if (name.empty() || (!integers_.contains(name) && name != "#" && name != "?")) {
        refuse("command.arithmetic",
               "the variable '" + name + "' in arithmetic is not known to be a number");
      }
      used_.insert(name);
      continue;
    }
    if (!is_digit(c) &&
        std::string_view("+-*/%<>=!&|^~?:,() \t\n").find(c) == std::string_view::npos) {
      refuse("command.arithmetic",
             "arithmetic with '" + printable(s_.substr(at_, 1)) + "' is not read");
    }
    ++at_;
  }
}

void Reader::read_here_docs() {
  std::vector<HereDoc> pending;
  pending.swap(here_docs_);
  here_doc_behind_ = here_doc_behind_ || !pending.empty();
  for (const HereDoc& doc : pending) {
    const std::size_t from = at_;
    std::string body;
    for (;;) {
      if (end()) {
        refuse("command.unparsable",
               "the here-document has no line '" + printable(doc.delimiter) + "'");
      }
      std::string line = here_doc_line(doc.quoted);
      if (doc.strip_tabs) line.erase(0, std::min(line.find_first_not_of('\t'), line.size()));
      if (line == doc.delimiter) break;
      body += line;
      body.push_back('\n');
    }
    read_here_doc(doc, body, from);
  }
}

// What a database client would be told by its standard input.
void Reader::client_text(const std::string& client, const std::string& text, std::size_t offset) {
  std::vector<std::string> files;
  const std::string runs = client_script_runs(client, text, files);
  if (!runs.empty()) {
    line_hazard("command.exec_option", "'" + client + "' would run another program by " + runs,
                offset);
  }
  for (const std::string& file : files) {
    Word word;
    word.text = file;
    word.offset = offset;
    word.tilde = file.starts_with("~/");
    add_path(word, file, PathAccess::kWriteArgument);
  }
}

void Reader::read_here_doc(const HereDoc& doc, const std::string& body, std::size_t from) {
  const bool constant = doc.quoted || body.find_first_of("$`\\") == std::string::npos;
  if (!doc.quoted) expand_here_doc(body, from);
  if (doc.names) {
    const Directories directories = std::exchange(directories_, doc.directories);
    for (std::size_t at = 0; at < body.size();) {
      const std::size_t end = std::min(body.find_first_of(" \t\n", at), body.size());
      Word word;
      word.text = body.substr(at, end - at);
      word.offset = base_ + from;
      if (!word.text.empty() && word.text.size() <= limits::kPathBytesMax) {
        add_path(word, word.text, PathAccess::kArgument);
      }
      at = end + 1;
    }
    directories_ = directories;
  }
  if (!doc.client.empty()) client_text(doc.client, body, base_ + from);
  if (doc.script.empty()) return;
  Word text;
  text.text = body;
  text.constant = constant;
  text.offset = base_ + from;
  const Directories directories = std::exchange(directories_, doc.directories);
  nested_text(text, doc.look_through, false, doc.script);
  directories_ = directories;
}

// One line of a here-document. In an unquoted one a backslash joins lines before anything else, the
// look for the delimiter too (bash, read_secondary_line).
std::string Reader::here_doc_line(bool quoted) {
  std::string line;
  for (;;) {
    step();
    const std::size_t stop = std::min(s_.find('\n', at_), s_.size());
    line += s_.substr(at_, stop - at_);
    steps_ += stop - at_;
    at_ = std::min(stop + 1, s_.size());
    std::size_t slashes = 0;
    while (slashes < line.size() && line[line.size() - 1 - slashes] == '\\') ++slashes;
    if (quoted || slashes % 2 == 0 || stop == s_.size()) return line;
    line.pop_back();
  }
}

// The expansions of an unquoted body run; quotes in it mean nothing.
void Reader::expand_here_doc(std::string_view body, std::size_t offset) {
  Reader nested(body, out_, line_, base_ + offset, depth_);
  nested.inherit(*this);
  Word sink;
  while (!nested.end()) {
    nested.step();
    const char c = nested.peek();
    if (c == '\\') {
      nested.at_ = std::min(nested.at_ + 2, body.size());
    } else if (c == '$') {
      nested.dollar(sink, true);
    } else if (c == '`') {
      nested.backticks(sink, true);
    } else {
      ++nested.at_;
    }
  }
  if (!nested.here_docs_.empty())
    refuse("command.unparsable", "a here-document inside another has no end");
  give_back(nested, true);  // ${x:=y} in a body sets x for good
}

// ---- grammar

constexpr std::array<std::string_view, 21> kReserved{
    "if",  "then", "else",     "elif",   "fi",   "do",     "done", "case", "esac", "while", "until",
    "for", "in",   "function", "select", "time", "coproc", "{",    "}",    "!",    "[["};

// The reserved word at the current place, as the source spells it; empty when there is none.
std::string_view Reader::reserved_word() const {
  std::size_t to = at_;
  while (to < s_.size() && !is_blank(s_[to]) && s_[to] != '\n' && !is_meta(s_[to])) ++to;
  const std::string_view text = s_.substr(at_, to - at_);
  return std::find(kReserved.begin(), kReserved.end(), text) == kReserved.end() ? std::string_view()
                                                                                : text;
}

bool Reader::stops(const std::vector<std::string_view>& until) const {
  if (end()) return true;
  const std::string_view reserved = reserved_word();
  for (const std::string_view one : until) {
    if (one == ")" || one == ";;") {
      if (starts(one) || (one == ";;" && starts(";&"))) return true;
    } else if (reserved == one) {
      return true;
    }
  }
  return false;
}

// What was known before and still is: behind something that may not have run, or ran in a shell of
// its own.
void Reader::meet(const Names& before) {
  std::erase_if(functions_,
                [&](const std::string& name) { return !before.functions.contains(name); });
  std::erase_if(integers_,
                [&](const std::string& name) { return !before.integers.contains(name); });
}

void Reader::inherit(const Reader& outer) {
  directories_ = outer.directories_;
  functions_ = outer.functions_;
  integers_ = outer.integers_;
  unsteady_ = outer.unsteady_;
  steps_ = outer.steps_;
  in_function_ = outer.in_function_;
  look_through_ = outer.look_through_;
  subscript_seen_ = outer.subscript_seen_;
  captured_ = outer.captured_;
  posix_ = outer.posix_;
}

void Reader::give_back(const Reader& nested, bool same_shell) {
  steps_ = nested.steps_;
  defined_.insert(nested.defined_.begin(), nested.defined_.end());
  used_.insert(nested.used_.begin(), nested.used_.end());
  if (!same_shell) return;
  lost_.insert(nested.lost_.begin(), nested.lost_.end());
  unsteady_.insert(nested.unsteady_.begin(), nested.unsteady_.end());
  meet({functions_, nested.integers_});
}

Reader::Repeated Reader::begin_repeated() {
  Repeated before{std::move(used_), std::move(lost_), out_.paths.size(), directories_};
  used_.clear();
  lost_.clear();
  return before;
}

// A body that runs again begins with what it left behind: its directory, and its variables.
void Reader::end_repeated(Repeated& before, const Names& start) {
  for (const std::string& name : lost_) {
    if (start.integers.contains(name) && used_.contains(name)) {
      refuse("command.arithmetic", "the variable '" + name +
                                       "' is a number in one turn of a loop " +
                                       "and perhaps not in the next");
    }
    integers_.erase(name);
  }
  used_.merge(before.used);
  lost_.merge(before.lost);
  meet(start);
  if (directories_ != before.directories) {
    std::vector<std::size_t> uses;
    for (std::size_t i = before.first_path; i < out_.paths.size(); ++i) uses.push_back(i);
    forget_directories(uses);
    directories_ = {Directory{.known = false, .text = {}}};
  }
}

// Only the outermost list and { ...; } surely run to their end in the shell of what follows.
void Reader::list(const std::vector<std::string_view>& until) {
  const Names before = names();
  items(until);
  if (!until.empty() && until[0] != "}") meet(before);
}

void Reader::items(const std::vector<std::string_view>& until) {
  const Deeper deeper(*this);
  for (;;) {
    newlines();
    if (stops(until)) return;
    const Names before = names();
    and_or(until);
    blanks();
    if (end()) return;
    if (starts(";;") || starts(";&")) {
      if (stops(until)) return;
      refuse("command.unparsable", "unexpected '" + near() + "'");
    }
    if (peek() == ';' || peek() == '&') {
      if (peek() == '&') meet(before);
      ++at_;
    } else if (peek() != '\n') {
      if (stops(until)) return;
      refuse("command.unparsable", "unexpected '" + near() + "'");
    }
  }
}

void Reader::and_or(const std::vector<std::string_view>& until) {
  const Directories start = directories_;
  pipeline();
  const Names sure = names();
  for (;;) {
    blanks();
    const bool is_and = starts("&&");
    if (!is_and && !starts("||")) break;
    at_ += 2;
    newlines();
    if (stops(until)) refuse("command.unparsable", "nothing follows && or ||");
    // What follows || runs when something before failed, a cd perhaps.
    if (is_and) {
      pipeline();
      continue;
    }
    merge(start);
    meet(sure);
    // `a || f() { ...; } && f`: what stands behind || may have been left out.
    const Names before = names();
    const Directories left_out = directories_;
    pipeline();
    meet(before);
    merge(left_out);
  }
  meet(sure);
  merge(start);
}

void Reader::pipeline() {
  blanks();
  for (;;) {
    const std::string_view reserved = reserved_word();
    if (reserved == "!") {
      ++at_;
    } else if (reserved == "time") {
      if (posix_) break;  // the program of that name
      at_ += 4;
      blanks();
      if (starts("-p") && (is_blank(peek(2)))) {
        at_ += 2;
        blanks();
      }
      if (starts("--") && (is_blank(peek(2)))) at_ += 2;
    } else {
      break;
    }
    blanks();
  }
  const Directories start = directories_;
  const Names before = names();
  piped_.reset();
  const std::size_t printed = line_.printed.size();
  command();
  blanks();
  bool piped = false;
  while (peek() == '|' && peek(1) != '|' && !end()) {
    piped = true;
    meet(before);
    if (peek(1) == '&') bash_only("|&");
    at_ += peek(1) == '&' ? 2U : 1U;
    std::optional<Input> text = std::exchange(printed_, std::nullopt);
    newlines();
    // A here-document that was read just now is not the next command's script any more.
    if (text && text->kind == Input::Kind::kHereDoc && text->here_doc >= here_docs_.size()) {
      text.reset();
    }
    directories_ = start;  // every part of a pipeline has a shell of its own
    if (end()) refuse("command.unparsable", "nothing follows |");
    // What echo prints into a pipe may name files: echo FILE | xargs cat.
    for (; line_.printed.size() > printed; line_.printed.pop_back()) {
      const Word& word = line_.printed.back();
      add_path(word, word.text, PathAccess::kArgument);
    }
    piped_ = std::move(text);
    command();
    blanks();
  }
  piped_.reset();
  if (piped) {
    directories_ = start;
    meet(before);
  }
}

void Reader::command() {
  const Deeper deeper(*this);
  step();
  blanks();
  input_ = piped_.value_or(Input());
  piped_.reset();
  printed_.reset();
  if (end()) refuse("command.unparsable", "a command is missing");
  if (in_substitution_ && here_doc_behind_) {
    // bash 5.2 prints a $(...) from its tree and reads that again, and loses the `;` between
    // commands behind a here-document: `case a in (curl)` then runs curl.
    refuse("command.unparsable", "a command behind a here-document inside $(...)");
  }
  if (starts("((")) {
    bash_only("((...))");
    at_ += 2;
    arithmetic("))");
    return redirections_after();
  }
  const Input input = input_;
  if (peek() == '(' || !reserved_word().empty()) input_ = Input();
  if (peek() == '(') {
    ++at_;
    const Directories saved = directories_;
    list({")"});
    if (end() || peek() != ')') refuse("command.unparsable", "a ( is not closed");
    ++at_;
    directories_ = saved;
    printed_.reset();
    return redirections_after();
  }
  if (const std::string_view reserved = reserved_word();
      !reserved.empty() && !(posix_ && reserved == "time")) {
    if (!compound(reserved)) {
      refuse("command.unparsable", "unexpected '" + std::string(reserved) + "'");
    }
    printed_.reset();
    return;
  }
  input_ = input;
  simple_command();
}

bool Reader::compound(std::string_view reserved) {
  if (reserved == "{") {
    ++at_;
    list({"}"});
    expect("}");
  } else if (reserved == "if") {
    if_clause();
  } else if (reserved == "while" || reserved == "until") {
    while_clause();
  } else if (reserved == "for") {
    for_clause();
  } else if (reserved == "case") {
    case_clause();
  } else if (reserved == "[[") {
    bash_only("[[");
    conditional();
  } else if (reserved == "function") {
    bash_only("function");
    at_ += reserved.size();
    blanks();
    const std::size_t from = at_;
    while (!at_word_end()) ++at_;
    const std::string name(s_.substr(from, at_ - from));
    blanks();
    if (starts("()")) at_ += 2;
    function_body(name);
    return true;
  } else if (reserved == "coproc" || reserved == "select") {
    refuse("command.unparsable", "'" + std::string(reserved) + "' is not read");
  } else {
    return false;
  }
  redirections_after();
  return true;
}

void Reader::expect(std::string_view reserved) {
  newlines();
  if (reserved_word() != reserved) {
    refuse("command.unparsable", "'" + std::string(reserved) + "' is missing");
  }
  at_ += reserved.size();
}

void Reader::if_clause() {
  at_ += 2;
  list({"then"});
  expect("then");
  const Directories before = directories_;
  list({"elif", "else", "fi"});
  for (;;) {
    const Directories after = directories_;
    directories_ = before;
    const std::string_view next = reserved_word();
    if (next == "elif") {
      at_ += 4;
      list({"then"});
      expect("then");
      list({"elif", "else", "fi"});
    } else if (next == "else") {
      at_ += 4;
      list({"fi"});
    } else {
      expect("fi");
      merge(after);
      return;
    }
    merge(after);
  }
}

// A body that changes its directory runs again in the changed one.
void Reader::while_clause() {
  at_ += 5;
  const Names start = names();
  Repeated before = begin_repeated();
  list({"do"});
  expect("do");
  list({"done"});
  expect("done");
  end_repeated(before, start);
}

void Reader::for_clause() {
  at_ += 3;
  blanks();
  if (starts("((")) refuse("command.arithmetic", "for ((...)) is not read");
  const std::size_t from = at_;
  while (!end() && is_name(peek())) ++at_;
  const std::string name(s_.substr(from, at_ - from));
  if (name.empty() || is_digit(name[0])) refuse("command.unparsable", "for without a name");
  newlines();
  bool integers = true;
  std::vector<Word> values;
  if (reserved_word() == "in") {
    at_ += 2;
    for (;;) {
      blanks();
      Word value;
      if (!word(value)) break;
      integers = integers && value.constant && is_integer(value.text);
      values.push_back(value);
    }
  } else {
    integers = false;
  }
  Word unknown;
  unknown.constant = false;
  unknown.text = "$" + name;
  note_assignment(name, unknown, base_ + from);
  if (integers && !values.empty() && !in_function_ && !unsteady_.contains(name)) {
    integers_.insert(name);
  }
  for (const Word& one : values) line_.values.note(name, one.text, one.constant, true);
  if (values.empty()) line_.values.note(name, {}, false, true);
  argument_paths(values);
  line_.dynamic.push_back({values, directories_});
  blanks();
  if (peek() == ';' && !end()) ++at_;
  newlines();
  const Names start = names();
  Repeated before = begin_repeated();
  if (reserved_word() == "{") {
    ++at_;
    list({"}"});
    expect("}");
  } else {
    expect("do");
    list({"done"});
    expect("done");
  }
  end_repeated(before, start);
}

void Reader::case_clause() {
  at_ += 4;
  blanks();
  Word subject;
  if (!word(subject)) refuse("command.unparsable", "case without a word");
  expect("in");
  const Directories before = directories_;
  Directories all = directories_;
  for (;;) {
    newlines();
    if (reserved_word() == "esac") break;
    if (end()) refuse("command.unparsable", "'esac' is missing");
    if (peek() == '(') ++at_;
    for (;;) {
      blanks();
      Word pattern;
      if (!word(pattern)) refuse("command.unparsable", "a pattern of case is missing");
      blanks();
      if (peek() != '|' || end()) break;
      ++at_;
    }
    if (end() || peek() != ')') refuse("command.unparsable", "a pattern of case has no )");
    ++at_;
    directories_ = before;
    list({";;", "esac"});
    for (const Directory& one : directories_) {
      if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
    }
    if (starts(";;&")) {
      at_ += 3;
    } else if (starts(";;") || starts(";&")) {
      at_ += 2;
    }
  }
  at_ += 4;
  directories_ = before;
  merge(all);
}

void Reader::function_body(const std::string& name) {
  if (name.empty() ||
      !std::all_of(name.begin(), name.end(), [](char c) { return is_name(c) || c == '-'; })) {
    refuse("command.unparsable", "a function with the name '" + printable(name) + "'");
  }
  newlines();
  const bool was_in_function = std::exchange(in_function_, true);
  const std::size_t first = out_.paths.size();
  const Directories before = directories_;
  // What the body keeps in variables is not known where it is called.
  functions_.insert(name);
  defined_.insert(name);
  const Names known = names();
  integers_.clear();
  const std::set<std::string> lost = std::exchange(lost_, {});
  command();
  integers_ = known.integers;
  meet(known);
  in_function_ = was_in_function;
  for (const std::string& one : lost_) {
    if (used_.contains(one)) {
      refuse("command.arithmetic",
             "the function '" + name + "' may change '" + one + "', which arithmetic reads");
    }
    integers_.erase(one);
  }
  unsteady_.insert(lost_.begin(), lost_.end());
  lost_.insert(lost.begin(), lost.end());
  for (std::size_t i = first; i < out_.paths.size(); ++i) function_uses_.push_back(i);
  if (directories_ != before) {
    saw_cd_ = true;
    directories_ = {Directory{.known = false, .text = {}}};
  }
}

// [[ ... ]]: words and operators; -eq and its like evaluate both sides as arithmetic, -v evaluates
// subscripts.
void Reader::conditional() {
  at_ += 2;
  constexpr std::array<std::string_view, 6> kNumeric{"-eq", "-ne", "-lt", "-le", "-gt", "-ge"};
  std::vector<Word> words;
  bool pattern_next = false;
  const auto check = [&](const Word& one) {
    const bool variable = one.text.starts_with('$') && integers_.contains(one.text.substr(1));
    const bool whole = is_whole_arithmetic(one);
    if (!(one.constant && is_integer(one.text)) && !(variable && !one.constant) && !is_count(one) &&
        !whole) {
      refuse("command.arithmetic", "[[ compares '" + printable(one.text) + "' as arithmetic");
    }
    if (variable) used_.insert(one.text.substr(1));
  };
  for (;;) {
    newlines();
    if (end()) refuse("command.unparsable", "[[ is not closed");
    if (starts("&&") || starts("||")) {
      at_ += 2;
      continue;
    }
    if (!pattern_next &&
        (peek() == '(' || peek() == ')' || ((peek() == '<' || peek() == '>') && peek(1) != '('))) {
      ++at_;
      continue;
    }
    Word one;
    one.offset = base_ + at_;
    const std::size_t from = at_;
    while (!end() && !is_blank(peek()) && peek() != '\n') {
      if (!pattern_next && (is_meta(peek()))) break;
      if (continuation()) continue;
      if (pattern_next && is_meta(peek())) {
        one.text.push_back(peek());
        ++at_;
        continue;
      }
      word_part(one);
    }
    if (at_ == from) refuse("command.unparsable", "unexpected '" + near() + "' in [[");
    pattern_next = false;
    if (!one.quoted && one.text == "]]") break;
    if (one.text == "=~" && !one.quoted) pattern_next = true;
    if (!words.empty() && words.back().text == "-v" && !words.back().quoted &&
        (!one.constant || one.text.find('[') != std::string::npos)) {
      refuse("command.arithmetic", "[[ -v evaluates a subscript");
    }
    if (words.size() > 1 && !words.back().quoted &&
        std::find(kNumeric.begin(), kNumeric.end(), words.back().text) != kNumeric.end()) {
      check(words[words.size() - 2]);
      check(one);
    }
    words.push_back(std::move(one));
  }
  argument_paths(words);
}

// NAME=VALUE, NAME+=VALUE, NAME=(...) at the current place.
bool Reader::assignment(std::vector<Assignment>& out) {
  if (!is_name_start(peek())) return false;
  std::size_t to = at_;
  while (to < s_.size() && is_name(s_[to])) ++to;
  const std::string name(s_.substr(at_, to - at_));
  if (to < s_.size() && s_[to] == '[') {
    const std::size_t close = s_.find(']', to);
    const bool assigns = close != std::string_view::npos && close + 1 < s_.size() &&
                         (s_[close + 1] == '=' || s_.substr(close + 1).starts_with("+="));
    if (!assigns) return false;
    if (!is_integer(s_.substr(to + 1, close - to - 1))) {
      refuse("command.arithmetic", "the subscript of " + name + "[...] is not a number");
    }
    to = close + 1;
  }
  const bool append = s_.substr(to).starts_with("+=");
  if (append) {
    bash_only("+=");
    ++to;
  }
  if (to >= s_.size() || s_[to] != '=') return false;
  at_ = to + 1;
  Assignment one{name, append, {}};
  one.value.offset = base_ + at_;
  if (peek() == '(' && !end()) {
    bash_only("an array");
    array_value(name);
    one.value.constant = false;
    one.value.text = "(...)";
  } else {
    word(one.value);
  }
  out.push_back(std::move(one));
  return true;
}

void Reader::array_value(const std::string& name) {
  ++at_;
  std::vector<Word> values;
  for (;;) {
    newlines();
    if (end()) refuse("command.unparsable", "an array is not closed");
    if (peek() == ')') break;
    Word value;
    if (!word(value)) refuse("command.unparsable", "an array that is not read");
    if (value.text.starts_with('[') && value.text.find("]=") != std::string::npos) {
      refuse("command.arithmetic", "an array with subscripts is not read");
    }
    values.push_back(std::move(value));
  }
  ++at_;
  if (!at_word_end()) refuse("command.unparsable", "text right after the ) of an array");
  for (const Word& value : values) {
    line_.values.note(name, value.text, value.constant);
    add_path(value, value.text, PathAccess::kArgument);
  }
}

// One redirection at the current place, if there is one. `input` becomes what it makes of the
// standard input.
bool Reader::redirection(Input& input) {
  std::size_t to = at_;
  while (to < s_.size() && is_digit(s_[to])) ++to;
  const std::string_view rest = s_.substr(to);
  if (rest.empty() || (rest[0] != '<' && rest[0] != '>' && !(to == at_ && rest.starts_with("&>"))))
    return false;
  if (to == at_ && (rest.starts_with("<(") || rest.starts_with(">("))) return false;
  constexpr std::array<std::string_view, 12> kOperators{"&>>", "<<<", "<<-", "&>", "<<", "<>",
                                                        "<&",  ">&",  ">>",  ">|", "<",  ">"};
  const auto op = std::find_if(kOperators.begin(), kOperators.end(),
                               [&](std::string_view one) { return rest.starts_with(one); });
  if (op == kOperators.end()) return false;
  const std::string_view number = s_.substr(at_, to - at_);
  const bool is_input = (*op)[0] == '<' ? number.empty() || number == "0" : number == "0";
  at_ = to + op->size();
  blanks();
  Word target;
  const std::size_t from = at_;
  if (!word(target)) refuse("command.unparsable", "a redirection names nothing");
  if (*op == "<<" || *op == "<<-") {
    // The delimiter is taken without expansion; one with expansions in it is not worth a guess.
    if (!target.constant || s_.substr(from, at_ - from).find('$') != std::string_view::npos) {
      refuse("command.unparsable", "a here-document with '$' in its delimiter");
    }
    HereDoc doc;
    doc.delimiter = target.text;
    doc.quoted = target.quoted;
    doc.strip_tabs = *op == "<<-";
    here_docs_.push_back(std::move(doc));
    last_here_doc_quoted_ = target.quoted;
    if (is_input) input = {Input::Kind::kHereDoc, here_docs_.size() - 1, {}};
    return true;
  }
  if (*op == "<<<" || op->starts_with("&>") || (*op == ">&" && !target.constant)) {
    bash_only(*op);
  }
  if (*op == "<<<") {
    if (target.text.size() <= limits::kPathBytesMax) {
      add_path(target, target.text, PathAccess::kArgument);
    }
    if (is_input) input = {Input::Kind::kText, 0, std::move(target)};
    return true;
  }
  if (is_input) {
    input = {};
    input.kind = target.text == "/dev/null" ? Input::Kind::kNull : Input::Kind::kFile;
  }
  if (*op == "<&" || *op == ">&") {
    const bool descriptor =
        target.constant &&
        (target.text == "-" || is_integer(target.text) ||
         (target.text.ends_with('-') && is_integer(target.text.substr(0, target.text.size() - 1))));
    if (descriptor) return true;
    if (*op == "<&") refuse("command.unparsable", "<& with something that is no descriptor");
  }
  if (target.text.starts_with("/dev/tcp/") || target.text.starts_with("/dev/udp/")) {
    const std::string rest_text = target.text.substr(9);
    const std::size_t slash = rest_text.find('/');
    const std::string port = slash == std::string::npos ? "" : rest_text.substr(slash + 1);
    if (!target.constant || !is_integer(port) || port.size() > 5) {
      refuse("command.dynamic_host", "/dev/tcp with a host or port that is not known");
    }
    out_.hosts.push_back({rest_text.substr(0, slash), std::stoi(port), "tcp", "", target.offset});
    return true;
  }
  const bool reads = *op == "<";
  if (*op == "<>") add_path(target, target.text, PathAccess::kRead);
  add_path(target, target.text, reads ? PathAccess::kRead : PathAccess::kWrite);
  return true;
}

void Reader::redirections_after() {
  Input ignored;
  for (;;) {
    blanks();
    if (!redirection(ignored)) return;
  }
}

void Reader::simple_command() {
  const std::size_t from = at_;
  std::vector<Word> argv;
  std::vector<Assignment> assignments;
  Input input = std::exchange(input_, {});
  for (;;) {
    blanks();
    if (end() || peek() == '\n') break;
    if (redirection(input)) continue;
    if (is_meta(peek()) && !starts("<(") && !starts(">(")) {
      if (peek() == '(' && argv.size() == 1 && assignments.empty()) {
        const std::size_t open = at_;
        ++at_;
        blanks();
        if (peek() == ')' && !end() && argv[0].constant && !argv[0].quoted) {
          ++at_;
          return function_body(argv[0].text);
        }
        at_ = open;
      }
      break;
    }
    if (argv.empty() && assignment(assignments)) continue;
    Word next;
    const std::size_t word_at = at_;
    // `name()` without a blank: the word ends at the parenthesis.
    std::size_t to = at_;
    while (to < s_.size() && (is_name(s_[to]) || s_[to] == '-')) ++to;
    if (argv.empty() && to > at_ && s_.substr(to).starts_with("()")) {
      const std::string name(s_.substr(at_, to - at_));
      at_ = to + 2;
      return function_body(name);
    }
    // export, declare and the like take assignments as words, arrays among them.
    if (!argv.empty() && argv[0].constant &&
        (argv[0].text == "declare" || argv[0].text == "local" || argv[0].text == "export" ||
         argv[0].text == "readonly" || argv[0].text == "typeset")) {
      std::vector<Assignment> declared;
      if (assignment(declared)) {
        note_assignment(declared[0].name, declared[0].value, base_ + word_at,
                        declared[0].append ? Binding::kAppends : Binding::kStays);
        continue;
      }
    }
    if (!word(next)) refuse("command.unparsable", "unexpected '" + near() + "'");
    argv.push_back(std::move(next));
  }
  if (at_ == from) refuse("command.unparsable", "a command is missing at '" + near() + "'");
  const bool only_here_doc =
      input.kind == Input::Kind::kHereDoc && argv.size() == 1 && last_here_doc_quoted_;
  input_ = std::move(input);
  simple(std::move(argv), assignments, from, only_here_doc);
}

// ---- meaning

void Reader::merge(const Directories& other) {
  if (other == directories_) return;
  for (const Directory& one : other) {
    if (std::find(directories_.begin(), directories_.end(), one) == directories_.end())
      directories_.push_back(one);
  }
  if (directories_.size() > kDirectoriesMax) directories_ = {Directory{.known = false, .text = {}}};
}

void Reader::forget_directories(const std::vector<std::size_t>& uses) {
  for (const std::size_t index : uses) {
    if (out_.paths[index].base == PathUse::Base::kCwd)
      out_.paths[index].base = PathUse::Base::kUnknown;
  }
}

void Reader::add_path(const Word& word, std::string text, PathAccess access) {
  PathUse use;
  use.access = access;
  use.offset = word.offset;
  use.text = std::move(text);
  use.glob = word.glob || word.brace;
  const bool whole = use.text.size() == word.text.size();
  const bool operand = access == PathAccess::kWriteArgument || access == PathAccess::kTouchArgument;
  const bool fixed = !use.glob || operand;
  // --output=$HOME/x, of=~/x: some of these the shell expands, others the program.
  std::size_t home = word.home && whole ? word.home_bytes : 0;
  if (!whole || (!word.home && !word.constant)) {
    for (const std::string_view prefix : {"$HOME/", "${HOME}/", "~/"}) {
      if (use.text.starts_with(prefix)) home = prefix.size() - 1;
    }
  }
  if (home > 0) {
    const std::string rest = use.text.substr(home);
    const bool known = rest.find('$') == std::string::npos && rest.find('`') == std::string::npos &&
                       (rest.empty() || rest.starts_with('/'));
    use.base = known && fixed ? PathUse::Base::kHome : PathUse::Base::kUnknown;
    use.text = rest.starts_with('/') ? rest.substr(1) : rest;
  } else if (word.tilde && whole && (use.text == "~" || use.text.starts_with("~/"))) {
    use.base = word.constant && fixed ? PathUse::Base::kHome : PathUse::Base::kUnknown;
    use.text = use.text.size() > 2 ? use.text.substr(2) : "";
  } else if (!word.constant || (word.tilde && whole) ||
             (use.glob && access != PathAccess::kArgument && !operand)) {
    use.base = PathUse::Base::kUnknown;
    use.tilde = word.tilde && whole && word.constant;
  } else if (use.text.starts_with('/')) {
    use.base = PathUse::Base::kAbsolute;
  } else {
    for (const Directory& directory : directories_) {
      PathUse one = use;
      one.base = directory.known ? PathUse::Base::kCwd : PathUse::Base::kUnknown;
      one.directory = directory.text;
      one.directory_is_home = directory.home;
      one.directory_tilde = directory.tilde;
      out_.paths.push_back(std::move(one));
    }
    return;
  }
  out_.paths.push_back(std::move(use));
}

void Reader::note_assignment(const std::string& name, const Word& value, std::size_t offset,
                             Binding binding) {
  const bool itself = value.text == "$" + name;  // of a loop: its words are noted one by one
  if (is_dangerous_assignment(name, itself ? "$(unknown)" : value.text, value.constant)) {
    line_hazard("command.environment",
                "setting " + name + " changes what later commands run or where they connect",
                offset);
  }
  // Modules are read from there, so read_file says whether they may be.
  for (std::size_t at = 0; name == "PYTHONPATH" && at < value.text.size();) {
    const std::size_t end = std::min(value.text.find(':', at), value.text.size());
    const std::string one = value.text.substr(at, end - at);
    if (one.starts_with('/') || one.starts_with('~')) add_path(value, one, PathAccess::kRead);
    at = end + 1;
  }
  if (!itself && binding == Binding::kAppends) {
    line_.values.append(name, value.text, value.constant);
  } else if (!itself) {
    line_.values.note(name, value.text, value.constant);
  }
  if (!itself && !value.text.empty() && value.text.size() <= limits::kPathBytesMax &&
      !is_integer(value.text) && value.text.find('\n') == std::string::npos) {
    add_path(value, value.text, PathAccess::kArgument);
  }
  const bool integer =
      is_whole_arithmetic(value) || (value.constant && is_integer(value.text)) || is_count(value);
  if (!integer) {
    integers_.erase(name);
    lost_.insert(name);
  } else if (in_function_) {
    integers_.erase(name);
  } else if (binding == Binding::kStays && !unsteady_.contains(name)) {
    integers_.insert(name);
  }
}

std::vector<Argument> arguments_of(const std::vector<Word>& words) {
  std::vector<Argument> out;
  out.reserve(words.size());
  for (const Word& word : words)
    out.push_back({word.text, word.constant && !word.glob && !word.brace, word.splits});
  return out;
}

bool short_option_has(std::string_view word, char letter) {
  return word.starts_with('-') && !word.starts_with("--") &&
         word.find(letter) != std::string_view::npos;
}

void Reader::simple(std::vector<Word> argv, const std::vector<Assignment>& assignments,
                    std::size_t from, bool here_doc_only) {
  const bool skips_functions = std::exchange(skips_functions_, false);
  const bool appended = std::exchange(appended_, false);
  const bool package = std::exchange(package_, false);
  for (const Assignment& one : assignments) {
    // `IFS= read` splits its own line by it and nothing else.
    if (one.name == "IFS" && !argv.empty() && argv[0].text == "read" && argv[0].constant &&
        !functions_.contains("read")) {
      continue;
    }
    note_assignment(one.name, one.value, one.value.offset,
                    !argv.empty() ? Binding::kForOneCommand
                    : one.append  ? Binding::kAppends
                                  : Binding::kStays);
  }
  if (argv.empty()) return;
  const Word& first = argv[0];
  const bool is_test = first.text == "[";  // no glob: the class is not closed
  if (!first.constant || (first.glob && !is_test) || first.brace || first.tilde) {
    throw Refusal{
        "command.dynamic_name",
        "the name of the command '" + printable(first.text) + "' is not known before the line runs",
        first.offset};
  }
  if (first.text.empty()) refuse("command.unparsable", "the command's name is empty");
  if (functions_.contains(first.text) && !skips_functions) {
    argument_paths(argv);
    line_.dynamic.push_back({std::move(argv), directories_});
    return;
  }
  CommandUse use;
  use.name = first.text;
  use.argv = arguments_of(argv);
  use.offset = base_ + from;
  use.look_through = look_through_;
  std::string_view text = s_.substr(from, at_ - from);
  while (!text.empty() && (is_blank(text.back()) || text.back() == '\n')) text.remove_suffix(1);
  use.text = utf8_prefix(text, limits::kEventValueBytesMax);
  // $(cat <<'EOF' ... EOF) reads nothing but its own text.
  if (here_doc_only && use.name == "cat") {
    use.needs_entry = false;
    out_.commands.push_back(std::move(use));
    printed_ = input_;
    return;
  }
  if (builtin(argv, use)) {
    use.needs_entry = false;
  } else if (is_transparent_wrapper(use.name) ||
             (package && !is_system_program(use.name) &&
              (use.name.starts_with('@') || use.name.find('/') == std::string::npos))) {
    use.needs_entry = false;
  }
  const std::size_t index = out_.commands.size();
  std::vector<Argument> argv_seen = use.argv;
  if (appended) argv_seen.push_back({"$(xargs)", false, true});
  const std::vector<Hazard> options = exec_hazards(argv_seen, use.offset);
  use.hazards.insert(use.hazards.end(), options.begin(), options.end());
  const ScriptUse script = script_use(use.argv, use.offset);
  use.hazards.insert(use.hazards.end(), script.hazards.begin(), script.hazards.end());
  out_.commands.push_back(use);
  CommandUse& kept = use;
  script_input(argv_seen, kept);
  if (is_wrapper(use.argv)) wrapper(argv, kept, appended);
  if (use.name == "find") find_actions(argv, kept);
  if (is_shell(use.name.substr(use.name.rfind('/') + 1)) || use.name == "eval")
    shell_text(argv, kept);
  if (use.name == "trap") trap_text(argv);
  out_.commands[index].hazards = kept.hazards;
  argument_paths(argv);
  write_paths(argv, use.argv);
  script_paths(argv, script);
  for (HostUse& one : dialled_hosts(use.argv, use.offset)) out_.hosts.push_back(std::move(one));
  note_printed(argv, use.argv);
  const bool fixed = std::all_of(argv.begin(), argv.end(), [](const Word& one) {
    return one.constant && !one.splits && !one.brace;
  });
  if (!fixed || appended) {
    line_.dynamic.push_back({std::move(argv), directories_, index, appended});
  }
}

// A script that comes in by standard input is read where the line holds it.
void Reader::script_input(const std::vector<Argument>& argv, CommandUse& use) {
  if (is_database_client(use.name)) {
    for (const Word& word : line_.printed) client_text(use.name, word.text, use.offset);
    if (input_.kind == Input::Kind::kText) client_text(use.name, input_.text.text, use.offset);
    if (input_.kind == Input::Kind::kHereDoc && input_.here_doc < here_docs_.size()) {
      here_docs_[input_.here_doc].client = use.name;
    }
  }
  // git add --pathspec-from-file=-
  const bool lists = std::any_of(argv.begin(), argv.end(), [](const Argument& one) {
    return one.text.starts_with("--pathspec-from");
  });
  if (lists && input_.kind == Input::Kind::kHereDoc && input_.here_doc < here_docs_.size()) {
    here_docs_[input_.here_doc].names = true;
    here_docs_[input_.here_doc].directories = directories_;
  }
  const ScriptSource source = script_source(argv);
  const auto hazard = [&](std::string_view what) {
    use.hazards.push_back(
        {"command.dynamic_text", "'" + use.name + "' would run " + std::string(what), use.offset});
  };
  const bool shell = is_shell(use.name.substr(use.name.rfind('/') + 1));
  if (source == ScriptSource::kInput && (use.name == "." || use.name == "source" || !shell) &&
      !is_interpreter(use.name)) {
    return hazard("what comes in by its standard input");
  }
  if (source == ScriptSource::kForeign) return hazard("text of a grammar that is not read");
  if (source == ScriptSource::kUnknown) {
    const bool pipe = std::any_of(argv.begin(), argv.end(),
                                  [](const Argument& one) { return one.text.starts_with('('); });
    // Of $X the whole line tells more: finish().
    if (pipe) hazard("a script that is not known before the line runs");
    return;
  }
  if (source != ScriptSource::kInput) return;
  switch (input_.kind) {
    case Input::Kind::kNull:
      return;
    case Input::Kind::kInherited:
      return hazard("whatever comes in by its standard input");
    case Input::Kind::kFile:
      if (shell) hazard("what a file holds, by its standard input");
      return;
    case Input::Kind::kText:
      if (shell) nested_text(input_.text, look_through_, false, use.name);
      return;
    case Input::Kind::kHereDoc:
      if (!shell) return;
      if (input_.here_doc >= here_docs_.size()) return hazard("a here-document that is not known");
      here_docs_[input_.here_doc].script = use.name;
      here_docs_[input_.here_doc].look_through = look_through_;
      here_docs_[input_.here_doc].directories = directories_;
      return;
  }
}

// Words that name what the program writes.
void Reader::write_paths(const std::vector<Word>& argv, const std::vector<Argument>& args) {
  if (args[0].text == "ln" && argv.size() > 2) {
    line_.links.push_back({argv[argv.size() - 1], argv[argv.size() - 2]});
  }
  for (const WriteOperand& one : write_operands(args)) {
    const Word& word = argv[one.argument];
    const PathAccess access = one.touches ? PathAccess::kTouchArgument : PathAccess::kWriteArgument;
    const Directories here = directories_;
    if (one.base == WriteOperand::kUnknownBase) {
      directories_ = {Directory{.known = false, .text = {}}};
    } else if (one.base != 0) {
      enter(argv[one.base]);
    }
    const std::string target = word.text.substr(one.from);
    add_path(word, target, access);
    into_directory(argv, one.argument, target);
    directories_ = here;
  }
}

// Copied into a directory, a file keeps its name: `cp x/settings.json .claude/`.
void Reader::into_directory(const std::vector<Word>& argv, std::size_t at,
                            const std::string& target) {
  constexpr std::array<std::string_view, 6> kCopies{"cp", "mv", "ln", "install", "rsync", "scp"};
  constexpr std::array<std::string_view, 9> kDirectories{".git",     ".claude", ".vscode",
                                                         ".cursor",  ".github", ".gemini",
                                                         ".copilot", ".cargo",  ".config"};
  const std::string& name = argv[0].text;
  const std::string last = target.substr(target.rfind('/') + 1);
  const bool directory =
      last.empty() || last == "." || last == ".." || argv[at].text.starts_with('-') ||
      std::find(kDirectories.begin(), kDirectories.end(), last) != kDirectories.end();
  // With an agent's directory its settings and hooks are gone.
  if (name == "rm" || name == "mv" || name == "shred") {
    const std::string whole = target.substr(0, target.find_last_not_of('/') + 1);
    for (const std::string_view agent : {".claude", ".cursor", ".gemini", ".copilot"}) {
      if (whole.substr(whole.rfind('/') + 1) != agent) continue;
      for (const std::string_view file : {"/settings.json", "/hooks.json"}) {
        add_path(argv[at], whole + std::string(file), PathAccess::kTouchArgument);
      }
    }
  }
  if (std::find(kCopies.begin(), kCopies.end(), name) == kCopies.end()) return;
  if (!directory || (name == "mv" && at + 1 != argv.size())) return;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    std::string source = argv[i].text;
    while (source.ends_with('/')) source.pop_back();
    source.erase(0, source.rfind('/') + 1);
    if (i == at || argv[i].text.starts_with('-') || source.empty() || source == ".") continue;
    add_path(argv[at], target + "/" + source, PathAccess::kTouchArgument);
  }
}

// What the scripts of sed and awk, and string literals in others, name.
void Reader::script_paths(const std::vector<Word>& argv, const ScriptUse& script) {
  for (const ScriptFile& one : script.files) {
    if (one.path.empty() || one.path.size() > limits::kPathBytesMax) continue;
    Word word;
    word.text = one.path;
    word.offset = argv[one.argument].offset;
    word.constant = one.path.find('$') == std::string::npos;
    word.tilde = one.path.starts_with("~/");  // os.path.expanduser
    add_path(word, word.text, one.writes ? PathAccess::kWriteArgument : PathAccess::kArgument);
  }
}

// echo TEXT and printf TEXT with constant words: what a pipe behind them carries.
void Reader::note_printed(const std::vector<Word>& argv, const std::vector<Argument>& args) {
  printed_.reset();
  const std::string& name = args[0].text;
  if ((name != "echo" && name != "printf") || functions_.contains(name)) return;
  Word text;
  text.offset = argv[0].offset;
  for (std::size_t i = 1; i < args.size(); ++i) {
    const std::string& word = args[i].text;
    if (!args[i].constant || word.find('\\') != std::string::npos ||
        (i == 1 && word.starts_with('-') && word != "-n") ||
        (name == "printf" && (args.size() != 2 || word.find('%') != std::string::npos))) {
      return;
    }
    if (i == 1 && word == "-n") continue;
    if (!text.text.empty()) text.text.push_back(' ');
    text.text += word;
  }
  printed_ = Input{Input::Kind::kText, 0, std::move(text)};
}

// Builtins that need no entry; their effect on the rest of the line is taken into account here.
bool Reader::builtin(const std::vector<Word>& argv, CommandUse& use) {
  const std::string& name = use.name;
  const auto hazard = [&](std::string code, std::string message) {
    use.hazards.push_back({std::move(code), std::move(message), use.offset});
  };
  if (name == "cd" || name == "pushd" || name == "popd") {
    change_directory(argv);
    return true;
  }
  if (name == "export" || name == "declare" || name == "local" || name == "readonly" ||
      name == "typeset") {
    for (std::size_t i = 1; i < argv.size(); ++i) {
      const std::size_t equals = argv[i].text.find('=');
      const bool option = argv[i].text.starts_with('-');
      if (option && argv[i].text.find_first_of("fniI") != std::string::npos) {
        line_hazard("command.environment",
                    name + " " + argv[i].text + " changes how names are read", use.offset);
      }
      if (option) continue;
      if (!argv[i].constant && (equals == std::string::npos || argv[i].text.find('$') < equals)) {
        refuse("command.dynamic_name", name + " of a name that is not known");
      }
      Word value = argv[i];
      value.text = equals == std::string::npos ? "" : argv[i].text.substr(equals + 1);
      const std::string variable = argv[i].text.substr(0, equals);
      if (variable.find('[') != std::string::npos)
        refuse("command.arithmetic", name + " with a subscript");
      // `export PATH` alone hands on what is there.
      if (equals != std::string::npos) note_assignment(variable, value, use.offset);
    }
    return true;
  }
  if (name == "unset" || name == "read" || name == "getopts") {
    for (std::size_t i = 1; i < argv.size(); ++i) {
      if (name == "unset" &&
          (functions_.contains(argv[i].text) || short_option_has(argv[i].text, 'f'))) {
        refuse("command.unparsable", "unset of a function");
      }
      if (argv[i].text.starts_with('-')) continue;
      if (!argv[i].constant || argv[i].text.find('[') != std::string::npos) {
        refuse("command.dynamic_name", name + " of a name that is not known");
      }
      Word unknown;
      unknown.constant = false;
      note_assignment(argv[i].text, unknown, use.offset);
    }
    return true;
  }
  if (name == "set") {
    for (std::size_t i = 1; i < argv.size(); ++i) {
      const std::string& word = argv[i].text;
      const bool known =
          argv[i].constant &&
          (word == "pipefail" || word == "errexit" || word == "nounset" || word == "xtrace" ||
           ((word.starts_with('-') || word.starts_with('+')) &&
            word.find_first_not_of("+-eux o") == std::string::npos));
      if (word == "--") break;
      if (!known) return false;
    }
    return true;
  }
  if (name == "printf" || name == "test" || name == "[" || name == "echo") {
    // -v NAME[SUBSCRIPT] (and test -R) evaluates the subscript, which can run commands; the option
    // itself may come out of an expansion, so that the subscript alone is enough.
    for (std::size_t i = 1; i < argv.size(); ++i) {
      const std::string& word = argv[i].text;
      const std::size_t open = word.find('[');
      const bool evaluates =
          open != std::string::npos &&
          (word.find("$(", open) != std::string::npos || word.find('`', open) != std::string::npos);
      if (evaluates && argv[i].constant && name != "echo") {
        hazard("command.arithmetic",
               name + " may evaluate the subscript in '" + printable(word) + "'");
      }
      if (name != "printf" || !word.starts_with("-v")) continue;
      const bool glued = word.size() > 2;
      if (!glued && i + 1 >= argv.size()) continue;
      Word unknown;
      unknown.constant = false;
      const std::string variable = glued ? word.substr(2) : argv[i + 1].text;
      if (variable.find('[') != std::string::npos || !argv[glued ? i : i + 1].constant) {
        hazard("command.arithmetic", "printf -v evaluates a subscript");
      }
      note_assignment(variable, unknown, use.offset);
    }
    evaluates_subscript(argv, use);
    return true;
  }
  if (name == "alias" || name == "enable" || name == "hash" || name == "bind" ||
      name == "complete" || name == "shopt" || name == "trap" || name == "mapfile" ||
      name == "readarray" || name == "source" || name == "." || name == "let") {
    if (name == "let") refuse("command.arithmetic", "let is not read");
    return false;
  }
  return is_harmless_builtin(name);
}

// test -v NAME, printf -v NAME: the same where the option or the name comes out of an expansion.
void Reader::evaluates_subscript(const std::vector<Word>& argv, CommandUse& use) {
  const auto hazard = [&](const Word& word) {
    use.hazards.push_back({"command.arithmetic",
                           use.name + " may evaluate '" + printable(word.text) + "' as a subscript",
                           use.offset});
  };
  const auto number = [&](const Word& word) {
    return is_whole_arithmetic(word) || is_count(word) ||
           (word.text.starts_with('$') && integers_.contains(word.text.substr(1)));
  };
  if (use.name == "printf" && argv.size() > 1) {
    const Word& format = argv[1];
    if (!format.constant && format.text.starts_with('$') && !number(format) &&
        (format.splits || argv.size() > 3)) {
      hazard(format);
    }
    return;
  }
  if (use.name != "test" && use.name != "[") return;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (argv[i].constant) continue;
    const Word& previous = argv[i - 1];
    const bool operator_unknown = i > 1 && !previous.constant && previous.text.starts_with('$');
    if (operator_unknown || previous.text == "-v" || previous.text == "-R") hazard(argv[i]);
    // Without quotes a value may bring its own -v; only one that this line wrote can be meant so.
    if (argv[i].splits && !number(argv[i]) && subscript_seen_) hazard(argv[i]);
  }
}

void Reader::change_directory(const std::vector<Word>& argv) {
  saw_cd_ = true;
  std::vector<const Word*> operands;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    if (!argv[i].text.starts_with('-') || argv[i].text == "-") operands.push_back(&argv[i]);
  }
  const Directory unknown{.known = false, .text = {}};
  if (argv[0].text == "popd") {
    // A popd that finds nothing leaves the directory as it is, and a pushd may have failed.
    Directories seen = std::exchange(pushed_, {});
    for (const Directory& one : std::exchange(directories_, {})) seen.push_back(one);
    merge(seen);
    return;
  }
  const bool pushes = argv[0].text == "pushd";
  if (operands.size() != 1 && (pushes || !operands.empty())) {
    directories_ = {unknown};
    return;
  }
  if (pushes && operands[0]->text.find_first_of("+-") == 0) {
    directories_ = {unknown};
    return;
  }
  if (pushes) pushed_.insert(pushed_.end(), directories_.begin(), directories_.end());
  if (operands.empty()) {
    directories_ = {Directory{.home = true, .text = {}}};
    return;
  }
  enter(*operands[0]);
}

// What relative paths are relative to behind `cd TARGET`.
void Reader::enter(const Word& target) {
  const Directory unknown{.known = false, .text = {}};
  std::string text = target.text;
  Directories next;
  if (target.home && text.find('$', target.home_bytes) == std::string::npos && !target.glob) {
    text = text.substr(target.home_bytes);
    next = {Directory{.home = true, .text = text.starts_with('/') ? text.substr(1) : text}};
  } else if (target.tilde && target.constant && (text == "~" || text.starts_with("~/"))) {
    next = {Directory{.home = true, .text = text.size() > 2 ? text.substr(2) : ""}};
  } else if (target.tilde && target.constant && !target.glob && !target.brace && text.size() > 1 &&
             is_name_start(text[1])) {
    next = {Directory{.tilde = true, .text = text}};
  } else if (!target.constant || target.glob || target.brace || target.tilde || text == "-" ||
             text.empty()) {
    next = {unknown};
  } else if (text.starts_with('/')) {
    next = {Directory{.text = text}};
  } else {
    for (const Directory& from : directories_) {
      Directory to = from;
      if (!to.text.empty()) to.text += '/';
      to.text += text;
      next.push_back(std::move(to));
    }
  }
  directories_ = std::move(next);
}

// The words of a wrapped command, as a command of its own.
void Reader::wrapper(const std::vector<Word>& argv, CommandUse& use, bool appended) {
  // Behind an assignment `time` is the program, whose -o writes a file.
  if (use.name == "time" && argv.size() > 1 && argv[1].text.starts_with('-') &&
      argv[1].text != "-p") {
    use.hazards.push_back(
        {"command.wrapper", "time with options of the program of that name", use.offset});
  }
  std::vector<std::string> assignments;
  const std::size_t at = wrapped_at(use.argv, assignments);
  for (const std::string& text : assignments) {
    const std::size_t equals = text.find('=');
    Word value;
    value.text = text.substr(equals + 1);
    value.constant = value.text.find('$') == std::string::npos;
    note_assignment(text.substr(0, equals), value, use.offset, Binding::kForOneCommand);
  }
  for (std::size_t i = 1; i < std::min(at, argv.size()); ++i) {
    if (argv[i].splits || argv[i].glob || argv[i].brace) {
      use.hazards.push_back({"command.wrapper",
                             "'" + printable(argv[i].text) + "' may become several words of '" +
                                 use.name + "', the program among them",
                             use.offset});
    }
  }
  if (at == static_cast<std::size_t>(-1)) {
    use.hazards.push_back(
        {"command.wrapper", "what '" + use.name + "' would run can't be told", use.offset});
    return;
  }
  if (at >= argv.size()) {
    // `xargs env`: the program stands among the words that xargs appends.
    if (appended) {
      use.hazards.push_back({"command.wrapper",
                             "what '" + use.name + "' would run behind xargs can't be told",
                             use.offset});
    }
    return;
  }
  const bool outer = look_through_;
  look_through_ = outer || !is_transparent_wrapper(use.name);
  appended_ = appended;
  if (use.name == "xargs") {
    const bool replaces = xargs_replacement(argv, at, use);
    appended_ = !replaces;
    // The command itself reads nothing (POSIX xargs).
    if (input_.kind == Input::Kind::kHereDoc && input_.here_doc < here_docs_.size()) {
      here_docs_[input_.here_doc].names = true;
      here_docs_[input_.here_doc].directories = directories_;
    }
    input_ = {Input::Kind::kNull, 0, {}};
  }
  if (use.name == "xargs" && !argv[at].constant) {
    use.hazards.push_back({"command.wrapper", "what xargs would run can't be told", use.offset});
    appended_ = false;
  } else {
    skips_functions_ = true;
    package_ = runs_own_programs(use.argv);
    simple({argv.begin() + static_cast<std::ptrdiff_t>(at), argv.end()}, {},
           argv[at].offset - base_, false);
  }
  look_through_ = outer;
}

// Whether a wrapper that puts what it found in the place of `name` would do so in the text of a
// shell: sh -c 'cat {}'. As a word of its own behind the text it is data.
bool reaches_shell_text(const std::vector<Word>& argv, std::string_view name) {
  bool shell = false;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    const bool text = shell && short_option_has(argv[i - 1].text, 'c');
    if (shell && word.find(name) != std::string::npos && (text || word != name)) return true;
    shell = shell || is_shell(word.substr(word.rfind('/') + 1)) || word == "eval";
  }
  return false;
}

// xargs -I NAME puts what it reads in the place of NAME, in the name of the program too.
bool Reader::xargs_replacement(const std::vector<Word>& argv, std::size_t at, CommandUse& use) {
  bool replaces = false;
  for (std::size_t i = 1; i < at; ++i) {
    const std::string& word = argv[i].text;
    std::string name;
    if (word == "-I" || word == "--replace") {
      name = i + 1 < at && word == "-I" ? argv[i + 1].text : "{}";
    } else if (word.starts_with("-I") || word.starts_with("-i")) {
      name = word.size() > 2 ? word.substr(2) : "{}";
    } else if (word.starts_with("--replace=")) {
      name = word.substr(word.find('=') + 1);
    }
    replaces = replaces || !name.empty();
    if (!name.empty() &&
        (argv[at].text.find(name) != std::string::npos ||
         reaches_shell_text({argv.begin() + static_cast<std::ptrdiff_t>(at), argv.end()}, name))) {
      use.hazards.push_back({"command.wrapper", "what xargs would run can't be told", use.offset});
    }
  }
  return replaces;
}

void Reader::find_actions(const std::vector<Word>& argv, CommandUse& use) {
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word == "-fprint" || word == "-fprintf" || word == "-fls" || word == "-fprint0") {
      if (i + 1 < argv.size()) add_path(argv[i + 1], argv[i + 1].text, PathAccess::kWrite);
    }
    if (word != "-exec" && word != "-execdir" && word != "-ok" && word != "-okdir") continue;
    std::size_t to = i + 1;
    while (to < argv.size() && argv[to].text != ";" &&
           !(argv[to].text == "+" && argv[to - 1].text == "{}")) {
      ++to;
    }
    if (to == i + 1) continue;
    const std::vector<Word> wrapped{argv.begin() + static_cast<std::ptrdiff_t>(i + 1),
                                    argv.begin() + static_cast<std::ptrdiff_t>(to)};
    if (!argv[i + 1].constant || argv[i + 1].text.find("{}") != std::string::npos ||
        reaches_shell_text(wrapped, "{}")) {
      use.hazards.push_back(
          {"command.wrapper", "what find " + word + " would run can't be told", use.offset});
      continue;
    }
    const bool outer = std::exchange(look_through_, true);
    skips_functions_ = true;
    simple({argv.begin() + static_cast<std::ptrdiff_t>(i + 1),
            argv.begin() + static_cast<std::ptrdiff_t>(to)},
           {}, argv[i + 1].offset - base_, false);
    look_through_ = outer;
  }
}

// `shell`: the program that reads it; empty: this one.
void Reader::nested_text(const Word& text, bool look_through, bool same_shell,
                         std::string_view shell) {
  if (!text.constant) {
    throw Refusal{"command.dynamic_text",
                  "the text that a shell would run is not known before the line runs", text.offset};
  }
  const Deeper deeper(*this);
  Reader nested(text.text, out_, line_, text.offset, depth_);
  nested.inherit(*this);
  nested.look_through_ = look_through;
  if (!shell.empty()) nested.posix_ = !shell.ends_with("bash");
  if (!same_shell) {
    nested.functions_.clear();
    nested.integers_.clear();
  }
  nested.run();
  give_back(nested, same_shell);
}

// sh -c TEXT, bash -lc TEXT, eval TEXT...
void Reader::shell_text(const std::vector<Word>& argv, CommandUse& use) {
  if (use.name == "eval") {
    Word joined;
    joined.offset = argv[0].offset;
    const std::size_t from = argv.size() > 1 && argv[1].text == "--" ? 2 : 1;
    for (std::size_t i = from; i < argv.size(); ++i) {
      if (i > from) joined.text.push_back(' ');
      joined.text += argv[i].text;
      joined.constant = joined.constant && argv[i].constant && !argv[i].glob && !argv[i].brace;
    }
    directories_ = {Directory{.known = false, .text = {}}};
    return nested_text(joined, look_through_, true);
  }
  for (const Word& word : argv) {
    if (word.text == "--rcfile" || word.text == "--init-file") {
      use.hazards.push_back({"command.exec_option", word.text, use.offset});
    }
  }
  const ShellCall call = shell_call(arguments_of(argv));
  if (call.text && call.operand < argv.size()) {
    nested_text(argv[call.operand], true, false, use.name);
  }
}

// trap TEXT SIGNAL...: runs at any time, like a function that is called everywhere.
void Reader::trap_text(const std::vector<Word>& argv) {
  std::size_t at = 1;
  while (at < argv.size() && argv[at].text.size() > 1 && argv[at].text.starts_with('-') &&
         argv[at].constant) {
    if (argv[at].text != "--") return;  // -l and -p print
    ++at;
  }
  if (at + 1 >= argv.size() || argv[at].text.empty() ||
      (argv[at].constant && (argv[at].text == "-" || is_integer(argv[at].text)))) {
    return;
  }
  const Directories directories =
      std::exchange(directories_, Directories{Directory{.known = false, .text = {}}});
  const bool was_in_function = std::exchange(in_function_, true);
  const std::set<std::string> functions = std::exchange(functions_, {});
  const std::set<std::string> integers = std::exchange(integers_, {});
  const std::set<std::string> lost = std::exchange(lost_, {});
  nested_text(argv[at], look_through_, true);
  integers_ = integers;
  functions_ = functions;
  in_function_ = was_in_function;
  directories_ = directories;
  for (const std::string& name : lost_) {
    if (used_.contains(name)) {
      refuse("command.arithmetic", "a trap may change '" + name + "', which arithmetic reads");
    }
    integers_.erase(name);
  }
  unsteady_.insert(lost_.begin(), lost_.end());
  lost_.insert(lost.begin(), lost.end());
}

void Reader::argument_paths(const std::vector<Word>& argv) {
  if (argv.empty()) return;
  plain_paths(argv);
  // tar -C DIR NAME, git -C DIR add NAME: also as that directory's.
  if (argv[0].text != "tar" && argv[0].text != "git" && argv[0].text != "make") return;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    Word target = argv[i];
    if ((target.text == "-C" || target.text == "--directory") && i + 1 < argv.size()) {
      target = argv[i + 1];
    } else if (target.text.starts_with("--directory=") || target.text.starts_with("--work-tree=")) {
      target.text.erase(0, target.text.find('=') + 1);
    } else {
      continue;
    }
    const Directories here = directories_;
    enter(target);
    plain_paths(argv);
    directories_ = here;
    return;
  }
}

void Reader::plain_paths(const std::vector<Word>& argv) {
  const std::string& name = argv[0].text;
  if ((name == "echo" || name == "printf") && !captured_) {
    line_.printed.insert(line_.printed.end(), argv.begin() + 1, argv.end());
    return;
  }
  bool skip_pattern = takes_pattern_first(name);
  const bool is_git = name == "git";
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const Word& word = argv[i];
    const std::string& text = word.text;
    const bool option = text.starts_with('-') && text.size() > 1;
    if (option && (text == "--regexp" || text == "--file" ||
                   (!text.starts_with("--") && text.find_first_of("ef") != std::string::npos))) {
      skip_pattern = false;
    }
    if (option && (text == "-e" || text == "--regexp")) {
      ++i;
      continue;
    }
    if (is_git && (text == "-m" || text == "--message")) {
      ++i;
      continue;
    }
    if (!option && skip_pattern) {
      skip_pattern = false;
      continue;
    }
    if (const std::size_t scheme = text.find("://"); scheme != std::string::npos) {
      if (word.constant) out_.mentioned_urls.push_back(text);
      const std::size_t path = text.find('/', scheme + 3);
      if (scheme >= 4 && ascii_lower(text.substr(scheme - 4, 4)) == "file" &&
          path != std::string::npos) {
        add_path(word, text.substr(path), PathAccess::kArgument);
      }
      continue;
    }
    if (text.empty() || text.size() > limits::kPathBytesMax || text.find('\n') != std::string::npos)
      continue;
    if (is_integer(text)) continue;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos && equals + 1 < text.size()) {
      // curl -F name=@FILE, name=<FILE
      const bool file = text[equals + 1] == '@' || text[equals + 1] == '<';
      add_path(word, text.substr(equals + (file ? 2 : 1)), PathAccess::kArgument);
    }
    // SOURCE:TARGET of docker -v and its like.
    if (const std::size_t colon = text.find(':'); colon != std::string::npos && colon > 0) {
      add_path(word, text.substr(0, colon), PathAccess::kArgument);
      // COMMIT:PATH
      if (is_git && !option && colon + 1 < text.size()) {
        add_path(word, text.substr(colon + 1), PathAccess::kArgument);
      }
    }
    for (const std::string_view key : {"source=", "src="}) {  // of docker --mount
      const std::size_t at = text.find(key);
      if (at == std::string::npos || text.find(',') == std::string::npos) continue;
      const std::size_t from = at + key.size();
      add_path(word, text.substr(from, text.find(',', from) - from), PathAccess::kArgument);
    }
    if (option) {
      // -o/etc/x: a value glued to its option.
      const std::size_t slash = text.find_first_of("/~");
      if (slash != std::string::npos && equals == std::string::npos) {
        add_path(word, text.substr(slash), PathAccess::kArgument);
      }
      continue;
    }
    if (text.starts_with('@')) add_path(word, text.substr(1), PathAccess::kArgument);
    add_path(word, text, PathAccess::kArgument);
  }
}

// A word as it is read where a value stands in its place.
Word word_of_value(const Word& from, std::string text) {
  Word word;
  word.offset = from.offset;
  word.constant = text.find_first_of("$`") == std::string::npos;
  word.tilde = text.starts_with('~');
  word.glob = text.find_first_of("*?[") != std::string::npos && (from.splits || from.glob);
  word.brace = from.brace;
  word.text = std::move(text);
  return word;
}

// Through a link that the line itself makes: ln -s / r; cat r/etc/x; ln -s ~/.bashrc x; echo > x.
void Reader::finish_links() {
  const std::size_t paths = out_.paths.size();
  for (const auto& [name, target] : line_.links) {
    for (std::size_t i = 0; i < paths; ++i) {
      step();
      const std::string text = out_.paths[i].text;
      if (name.text.empty() || out_.paths[i].offset <= name.offset) continue;
      if (text != name.text && !text.starts_with(name.text + "/")) continue;
      const bool writes = out_.paths[i].access == PathAccess::kWrite ||
                          out_.paths[i].access == PathAccess::kWriteArgument;
      directories_ = {Directory{}};
      add_path(target, target.text + text.substr(name.text.size()),
               writes ? PathAccess::kWriteArgument : PathAccess::kArgument);
    }
  }
}

void Reader::finish() {
  for (std::size_t at = 0; at < line_.dynamic.size(); ++at) {
    const Dynamic one = line_.dynamic[at];
    std::vector<std::vector<std::string>> values;
    std::size_t variants = 0;
    for (const Word& word : one.argv) {
      values.push_back(word.constant ? std::vector<std::string>() : line_.values.words(word.text));
      variants = std::max(variants, values.back().size());
    }
    for (std::size_t variant = 0; variant < variants; ++variant) {
      step();
      std::vector<Word> argv;
      for (std::size_t i = 0; i < one.argv.size(); ++i) {
        const Word& word = one.argv[i];
        if (values[i].empty()) {
          argv.push_back(word);
          continue;
        }
        const std::string& text = values[i][std::min(variant, values[i].size() - 1)];
        if (!word.splits) {
          argv.push_back(word_of_value(word, text));
          continue;
        }
        for (std::size_t from = 0; from < text.size();) {
          const std::size_t end = std::min(text.find_first_of(" \t\n", from), text.size());
          if (end > from) argv.push_back(word_of_value(word, text.substr(from, end - from)));
          from = end + 1;
        }
      }
      finish_variant(one, argv);
    }
    finish_braces(one);
    if (one.command == Dynamic::kNoCommand) continue;
    CommandUse& use = out_.commands[one.command];
    std::vector<bool> begins, nothing;
    for (const Word& word : one.argv) {
      const bool whole = word.text.starts_with('$') || word.text.starts_with('`');
      const auto doubtful = [&](LineValues::Doubt doubt) {
        return !word.constant && word.splits && line_.values.doubtful(word.text, doubt);
      };
      begins.push_back(doubtful(whole ? LineValues::Doubt::kBegins : LineValues::Doubt::kBlank));
      nothing.push_back(whole ? doubtful(LineValues::Doubt::kNothing) : begins.back());
    }
    std::vector<Argument> argv = arguments_of(one.argv);
    if (one.appended) {
      argv.push_back({"$(xargs)", false, true});
      begins.push_back(false);
      nothing.push_back(true);
    }
    for (Hazard& hazard : unknown_option_hazards(argv, nothing, begins, use.offset)) {
      use.hazards.push_back(std::move(hazard));
    }
  }
  finish_links();
}

// {a,b} in the place of one word gives several: git -c {core.pager=x,log}.
void Reader::finish_braces(const Dynamic& one) {
  constexpr std::size_t kBraceWordsMax = 64;
  if (std::none_of(one.argv.begin(), one.argv.end(), [](const Word& word) { return word.brace; })) {
    return;
  }
  std::vector<Word> argv;
  for (const Word& word : one.argv) {
    if (!word.brace) {
      argv.push_back(word);
      continue;
    }
    for (std::string& text : expand_braces(word.text, kBraceWordsMax)) {
      Word part = word;
      part.brace = false;
      part.tilde = text.starts_with('~');
      part.glob = word.glob || text.find('*') != std::string::npos;
      part.text = std::move(text);
      argv.push_back(std::move(part));
    }
  }
  finish_variant(one, argv);
}

// The line's own values in the place of its variables: what the words are then must be as good.
void Reader::finish_variant(const Dynamic& one, const std::vector<Word>& argv) {
  if (argv.empty()) return;
  directories_ = one.directories;
  argument_paths(argv);
  if (one.command == Dynamic::kNoCommand || !argv[0].constant) return;
  const std::vector<Argument> args = arguments_of(argv);
  write_paths(argv, args);
  const ScriptUse script = script_use(args, argv[0].offset);
  script_paths(argv, script);
  for (HostUse& host : dialled_hosts(args, argv[0].offset)) {
    out_.hosts.push_back(std::move(host));
  }
  std::vector<Hazard> hazards = exec_hazards(args, argv[0].offset);
  if (is_shell(args[0].text.substr(args[0].text.rfind('/') + 1))) {
    CommandUse use = out_.commands[one.command];
    shell_text(argv, use);
    if (script_source(args) == ScriptSource::kInput) {
      hazards.push_back({"command.dynamic_text",
                         "'" + use.name + "' would run what comes in by its standard input",
                         use.offset});
    }
  }
  hazards.insert(hazards.end(), script.hazards.begin(), script.hazards.end());
  for (Hazard& hazard : hazards) {
    std::vector<Hazard>& known = out_.commands[one.command].hazards;
    const bool seen = std::any_of(known.begin(), known.end(), [&](const Hazard& other) {
      return other.code == hazard.code && other.message == hazard.message;
    });
    if (!seen) known.push_back(std::move(hazard));
  }
}

}  // namespace

void read_line(std::string_view text, CommandAnalysis& out) {
  if (text.size() > limits::kShellInputBytesMax) {
    out.undecidable = Hazard{
        "command.too_long",
        "the line is longer than " + std::to_string(limits::kShellInputBytesMax) + " bytes", 0};
    return;
  }
  if (text.find('\0') != std::string_view::npos || !is_valid_utf8(text)) {
    out.undecidable = Hazard{"command.control_byte", "the line has a NUL or is not UTF-8", 0};
    return;
  }
  try {
    Line line;
    Reader reader(text, out, line, 0, 0);
    reader.run();
    reader.finish();
    // Defined functions take the place of programs of the same name; a shadowed name says another
    // thing than it does.
    for (const std::string& name : reader.defined_) {
      if (is_harmless_builtin(name) || is_transparent_wrapper(name) || is_listed_wrapper(name) ||
          is_shell(name)) {
        out.hazards.push_back(
            {"command.function_shadowing", "a function takes the name '" + name + "'", 0});
      }
    }
  } catch (const Refusal& refusal) {
    out = CommandAnalysis();
    out.undecidable =
        Hazard{refusal.code, refusal.message + " (at byte " + std::to_string(refusal.offset) + ")",
               refusal.offset};
  }
}

}  // namespace lilith::rules::shell
