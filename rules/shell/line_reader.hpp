#pragma once
// The reader of one line, for the files of this folder that it is made of: words.cpp and
// here_documents.cpp say what a word is, grammar.cpp how words make commands, commands.cpp what a
// command means, word_paths.cpp which files its words name.

#include "audit/base/byte_set.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "rules/command.hpp"
#include "rules/shell/programs.hpp"
#include "rules/shell/values.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::rules::shell {

// Leaves the recursion; caught in read_line().
struct Refusal {
  std::string code;
  std::string message;
  std::size_t offset;
};

[[nodiscard]] inline bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
[[nodiscard]] inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] inline bool is_name(char c) { return is_name_start(c) || is_digit(c); }
[[nodiscard]] inline bool is_among(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
[[nodiscard]] inline bool is_blank(char c) { return c == ' ' || c == '\t'; }
[[nodiscard]] inline bool is_meta(char c) {
  return c == ';' || c == '&' || c == '|' || c == '<' || c == '>' || c == '(' || c == ')';
}
[[nodiscard]] inline bool is_integer(std::string_view text) {
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
  bool splits = false;   // an expansion outside of quotes, which may become several words or none
  bool valued = false;   // a variable's value stands in its place
  bool dollars = false;  // a $ or ` in it is no expansion
  bool arithmetic = false;           // is one whole $((...)), so an integer
  std::size_t arithmetic_bytes = 0;  // of `text`, that $((...))
  std::size_t offset = 0;
};

[[nodiscard]] inline bool is_whole_arithmetic(const Word& word) {
  return word.arithmetic && word.text.size() == word.arithmetic_bytes;
}

// $#, $? and ${#NAME}, nothing else beside them.
[[nodiscard]] inline bool is_count(const Word& word) {
  if (word.constant) return false;
  if (word.text == "$#" || word.text == "$?") return true;
  std::string_view text = word.text;
  if (!text.starts_with("${#") || !text.ends_with('}')) return false;
  text = text.substr(3, text.size() - 4);
  if (text.ends_with("[@]") || text.ends_with("[*]")) text.remove_suffix(3);
  return std::all_of(text.begin(), text.end(), is_name);
}

// A text that stays one word, and the same, wherever it stands without quotes: no blank, nothing
// that globs or expands, and no dash or tilde in front.
[[nodiscard]] inline bool is_plain_text(std::string_view text) {
  constexpr std::string_view kPlain = "-_.,:/@+=";
  const auto alphanumeric = [](char c) { return is_name(c) && c != '_'; };
  return !text.empty() && alphanumeric(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return alphanumeric(c) || kPlain.find(c) != std::string_view::npos;
         });
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
  std::string made;    // of one that is not known: where it is below what mktemp made

  friend bool operator==(const Directory&, const Directory&) = default;
};
using Directories = std::vector<Directory>;
inline constexpr std::size_t kDirectoriesMax = 4;

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
  // Functions that run what they are given, behind so many words of it.
  std::map<std::string, std::set<std::size_t>, std::less<>> argument_runners;
  bool trap_moves = false;  // a trap may change the arguments of the function that it interrupts
  std::set<std::string, std::less<>> counters;  // programs whose output was taken for a number
  bool exports_all = false;                     // set -a
  std::set<std::string> exported;               // without a value, of names that say what runs
  std::set<std::string, std::less<>> assigned;  // variables that anything but one `for` may set
  // Variables whose values stand in the line (`for v in a b`) are read as those values. Whether
  // they hold nothing else shows when the whole line is known: where not, it is read once more
  // without.
  bool assumes = true;
  std::set<std::string, std::less<>> looped;                  // variables of `for`
  std::map<std::string, Temporary, std::less<>> temporaries;  // variables set by mktemp alone
  // Of these, those that a function uses which did not set them; and the names that one has for
  // itself.
  std::set<std::string, std::less<>> shared, redeclared;
  std::map<std::string, std::size_t, std::less<>> assumed;  // variables read so, and how often
  bool broken = false;       // something else that an assumption forbids
  std::size_t readings = 0;  // of bodies of loops
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
  std::set<std::string> functions_;       // surely defined at this place
  std::set<std::string> defined_;         // defined anywhere
  std::set<std::string> integers_;        // variables that surely hold integers at this place
  std::vector<std::string> temporaries_;  // those that mktemp has surely set
  std::set<std::string> used_;            // variables that arithmetic has read
  std::set<std::string> lost_;            // variables that got something else than an integer
  std::set<std::string> unsteady_;        // the same, in a function that may be called at any time
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
    if (peek() != '\\' || peek(1) != '\n') return false;
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
  void take_plain(Word& out, const ByteSet& plain);
  void single_quotes(Word& out);
  void double_quotes(Word& out);
  void ansi_c(Word& out);
  bool dollar(Word& out, bool in_quotes);
  void dollar_parenthesis(Word& out);
  bool known_value(Word& out, std::string_view source, bool in_quotes);
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
    std::vector<std::string> temporaries;
    std::size_t shifts = 0;
  };
  [[nodiscard]] Names names() const { return {functions_, integers_, temporaries_, shifts_}; }
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
  void for_clause(bool selects = false);
  void do_group();
  void loop_body(const std::string& name, const std::vector<Word>& words);
  [[nodiscard]] std::vector<std::string> loop_values(const std::vector<Word>& words) const;
  void for_arithmetic();
  void case_clause();
  void function_body(const std::string& name);
  void conditional();
  void simple_command();
  bool assignment(std::vector<Assignment>& out);
  void array_value(const std::string& name);
  bool redirection(Input& input);
  void begin_here_document(const Word& target, std::string_view written, bool strip_tabs);
  void dials(const Word& target);
  void client_text(const std::string& client, const std::string& text, std::size_t offset);
  void read_here_doc(const HereDoc& doc, const std::string& body, std::size_t from);
  void redirections_after();
  void expect(std::string_view reserved);
  [[nodiscard]] std::string_view reserved_word() const;
  [[nodiscard]] bool stops(const std::vector<std::string_view>& until) const;

  // Programs that an entry of what runs them covers: packages behind `npx` and `uv run`, files of
  // the project behind valgrind.
  struct Covered {
    bool packages = false;
    bool files = false;
  };

  // ---- meaning ----
  void simple(std::vector<Word> argv, const std::vector<Assignment>& assignments, std::size_t from,
              bool here_doc_only);
  void note_assignments(const std::vector<Word>& argv, const std::vector<Assignment>& assignments);
  void note_moved_arguments(const std::vector<Word>& argv, bool skips_functions);
  void judge_words(std::vector<Word> argv, CommandUse& use, bool appended, const Covered& covered);
  void script_input(const std::vector<Argument>& argv, CommandUse& use);
  void enter(const Word& target);
  void finish_links();
  void finish_variant(const Dynamic& one, const std::vector<Word>& argv);
  void finish_braces(const Dynamic& one);
  void agent_directory(const Word& word, const std::string& target, bool removes);
  void into_directory(const std::vector<Word>& argv, std::size_t at, const std::string& target);
  void write_paths(const std::vector<Word>& argv, const std::vector<Argument>& args);
  void script_paths(const std::vector<Word>& argv, const ScriptUse& script);
  void script_commands(const std::vector<Word>& argv, const ScriptUse& script);
  bool parallel_jobs(const std::vector<Word>& argv);
  void fd_actions(const std::vector<Word>& argv, CommandUse& use);
  void note_printed(const std::vector<Word>& argv, const std::vector<Argument>& args);
  enum class Binding { kStays, kAppends, kForOneCommand };
  void note_assignment(const std::string& name, const Word& value, std::size_t offset,
                       Binding binding = Binding::kStays);
  void note_exported(const std::string& name, const Word& value, std::size_t offset);
  void named_values(const std::vector<Word>& argv, CommandUse& use, const Covered& covered);
  void export_name(const std::string& name, const CommandUse& use);
  void line_value(const Word& text);
  void code_value(const Word& word, std::string text, std::vector<Hazard>& hazards);
  void evaluates_subscript(const std::vector<Word>& argv, CommandUse& use);
  void wrapped_text(const std::vector<Word>& argv, CommandUse& use, const Covered& inner);
  bool xargs_replacement(const std::vector<Word>& argv, std::size_t at, CommandUse& use);
  bool builtin(const std::vector<Word>& argv, CommandUse& use);
  void declares(const std::vector<Word>& argv, CommandUse& use);
  void unsets(const std::vector<Word>& argv, CommandUse& use);
  bool sets(const std::vector<Word>& argv);
  void prints(const std::vector<Word>& argv, CommandUse& use);
  void change_directory(const std::vector<Word>& argv);
  void note_shift(const std::vector<Word>& argv);
  void run_arguments(const std::vector<Word>& argv);
  void wrapper(const std::vector<Word>& argv, CommandUse& use, bool appended, bool package);
  void wrapper_words(const std::vector<Word>& argv, std::size_t to, CommandUse& use);
  void runner_words(const std::vector<Word>& argv, CommandUse& use, bool appended);
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
  void plain_path(const Word& word, bool is_git);
  void add_path(const Word& word, std::string text, PathAccess access);
  bool add_made_path(const Word& word, PathAccess access);
  [[nodiscard]] const Temporary* temporary_at(std::string_view text, std::size_t& bytes);
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
  Input input_;                    // of the simple command that is read
  std::optional<Input> piped_;     // what the command behind a pipe will find
  std::optional<Input> printed_;   // what the last simple command surely prints
  std::vector<Word> piped_words_;  // of echo and printf in front of the pipe
  Directories pushed_;             // by pushd
  bool posix_ = false;             // text of sh: where bash's own forms mean something else
  bool captured_ = false;          // in $(...) or `...`: what is printed becomes a word
  bool appended_ = false;          // the next simple command is xargs's, which appends words
  // Of the function whose body is read.
  struct Body {
    bool inside = false;
    std::set<std::size_t> runs;    // "$@" is a command of it, behind so many shifted words
    bool moves_arguments = false;  // set --, shift where it may not run, ...
    std::size_t shifts = 0;        // commands so far, and the words that they take away
    std::size_t shifted = 0;
    std::size_t loops = 0;                 // around this place
    std::vector<std::string> temporaries;  // that it did not set itself
  };
  Body body_;
  std::size_t shifts_ = 0;       // those of the body that have surely run at this place
  bool runs_arguments_ = false;  // the command is what a function is called with
  Covered next_covered_;         // the next simple command
  Covered covered_;              // all of this text
  // Variables of the loops around this place, with the value of this reading.
  std::map<std::string, std::string, std::less<>> loop_values_;
  std::vector<Word> found_;       // $1 is what find found below these
  std::vector<Word> next_found_;  // of the next shell
  bool reads_loops_ = true;       // false: text of a shell with variables that are bound to others
  std::vector<std::size_t> function_uses_;  // indexes of paths used in function bodies
  bool look_through_ = false;
  bool in_substitution_ = false;  // of the forms $( and <(
  bool here_doc_behind_ = false;  // the body of one was read in this substitution
  bool subscript_seen_ = false;   // a quoted NAME[$(...)] stands in the line
  bool skips_functions_ =
      false;  // the next simple command is found in PATH, whatever functions say
};

// The words as they stand in CommandUse::argv.
[[nodiscard]] std::vector<Argument> arguments_of(const std::vector<Word>& words);
[[nodiscard]] inline bool short_option_has(std::string_view word, char letter) {
  return word.starts_with('-') && !word.starts_with("--") &&
         word.find(letter) != std::string_view::npos;
}

}  // namespace lilith::rules::shell
