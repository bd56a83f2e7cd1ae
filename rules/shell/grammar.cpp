#include "rules/shell/braces.hpp"
#include "rules/shell/line_reader.hpp"
#include "rules/shell/network.hpp"
#include "rules/shell/option_forms.hpp"
#include "rules/shell/tables.hpp"

#include <array>

namespace lilith::rules::shell {

namespace {

constexpr std::string_view kReserved =
    "if then else elif fi do done case esac while until for in function select time coproc {"
    " } ! [[";
// Builtins whose words may be assignments.
constexpr std::string_view kDeclarations = "declare local export readonly typeset";
// What reserved words begin with: most words are told from them by their first byte.
constexpr ByteSet kReservedFirst = [] {
  ByteSet out("");
  for (std::size_t at = 0; at < kReserved.size(); ++at) {
    if (at == 0 || kReserved[at - 1] == ' ') out.add(kReserved[at]);
  }
  return out;
}();

}  // namespace

// The reserved word at the current place, as the source spells it; empty when there is none.
std::string_view Reader::reserved_word() const {
  if (end() || !kReservedFirst.has(s_[at_])) return {};
  std::size_t to = at_;
  constexpr std::size_t kLongest = std::string_view("function").size();
  while (to < s_.size() && to - at_ <= kLongest && !is_blank(s_[to]) && s_[to] != '\n' &&
         !is_meta(s_[to])) {
    ++to;
  }
  const std::string_view text = s_.substr(at_, to - at_);
  return is_one_of<kReserved>(text) ? text : std::string_view();
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
  std::erase_if(temporaries_,
                [&](const std::string& name) { return !is_among(before.temporaries, name); });
  shifts_ = std::min(shifts_, before.shifts);
}

void Reader::inherit(const Reader& outer) {
  directories_ = outer.directories_;
  functions_ = outer.functions_;
  integers_ = outer.integers_;
  temporaries_ = outer.temporaries_;
  body_.temporaries = outer.body_.temporaries;
  unsteady_ = outer.unsteady_;
  steps_ = outer.steps_;
  in_function_ = outer.in_function_;
  look_through_ = outer.look_through_;
  subscript_seen_ = outer.subscript_seen_;
  captured_ = outer.captured_;
  piped_words_ = outer.piped_words_;
  posix_ = outer.posix_;
  covered_ = outer.covered_;
  loop_values_ = outer.loop_values_;
  found_ = outer.found_;
  reads_loops_ = outer.reads_loops_;
}

void Reader::give_back(const Reader& nested, bool same_shell) {
  steps_ = nested.steps_;
  defined_.insert(nested.defined_.begin(), nested.defined_.end());
  used_.insert(nested.used_.begin(), nested.used_.end());
  if (!same_shell) return;
  lost_.insert(nested.lost_.begin(), nested.lost_.end());
  unsteady_.insert(nested.unsteady_.begin(), nested.unsteady_.end());
  meet({functions_, nested.integers_, nested.temporaries_, shifts_});
}

Reader::Repeated Reader::begin_repeated() {
  Repeated before{std::move(used_), std::move(lost_), out_.paths.size(), directories_};
  used_.clear();
  lost_.clear();
  ++body_.loops;
  return before;
}

// A body that runs again begins with what it left behind: its directory, and its variables.
void Reader::end_repeated(Repeated& before, const Names& start) {
  --body_.loops;
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
  const std::size_t words_before = piped_words_.size();
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
      piped_words_.push_back(word);
    }
    piped_ = std::move(text);
    command();
    blanks();
  }
  piped_.reset();
  piped_words_.resize(words_before);
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
  } else if (reserved == "select") {
    bash_only("select");
    at_ += std::string_view("select").size() - std::string_view("for").size();
    Word reply;
    reply.constant = false;
    note_assignment("REPLY", reply, base_ + at_);
    for_clause(true);
  } else if (reserved == "coproc") {
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

void Reader::for_clause(bool selects) {
  at_ += 3;
  blanks();
  if (starts("((")) return for_arithmetic();
  const std::size_t from = at_;
  while (!end() && is_name(peek())) ++at_;
  const std::string name(s_.substr(from, at_ - from));
  if (name.empty() || is_digit(name[0])) refuse("command.unparsable", "for without a name");
  newlines();
  bool integers = !selects;
  // What is chosen may be nothing.
  if (selects) line_.assigned.insert(name);
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
  line_.looped.insert(name);
  // In a loop around this one, or a function that one calls, the variable changes.
  if (in_function_ || loop_values_.contains(name)) line_.assigned.insert(name);
  argument_paths(values);
  line_.dynamic.push_back({values, directories_});
  blanks();
  if (peek() == ';' && !end()) ++at_;
  newlines();
  const Names start = names();
  Repeated before = begin_repeated();
  loop_body(name, selects ? std::vector<Word>() : values);
  end_repeated(before, start);
}

// The values that a loop over these words surely gives its variable; none: not known.
std::vector<std::string> Reader::loop_values(const std::vector<Word>& words) const {
  std::vector<std::string> out;
  for (const Word& word : words) {
    const std::vector<std::string> some =
        word.constant && !word.splits && !word.brace ? std::vector<std::string>{word.text}
        : posix_                                     ? std::vector<std::string>()
        : word.splits                   ? numbers_of_seq(word.text, limits::kShellLoopValuesMax)
        : word.constant && !word.quoted ? expand_sequences(word.text, limits::kShellLoopValuesMax)
                                        : std::vector<std::string>();
    if (some.empty() || word.glob || word.tilde) return {};
    if (word.splits) line_.counters.emplace("seq");
    out.insert(out.end(), some.begin(), some.end());
    if (out.size() > limits::kShellLoopValuesMax ||
        !std::all_of(some.begin(), some.end(), is_literal_text)) {
      return {};
    }
  }
  return out;
}

// do LIST done, or { LIST }, which for and select take as well.
void Reader::do_group() {
  const bool braces = reserved_word() == "{";
  if (braces) {
    ++at_;
  } else {
    expect("do");
  }
  list({braces ? "}" : "done"});
  expect(braces ? "}" : "done");
}

// Once for each value that stands in the line, or once with a variable that is not known.
void Reader::loop_body(const std::string& name, const std::vector<Word>& words) {
  std::vector<std::string> values;
  // Names in capitals may be the shell's own, or of the environment. The text of a here-document
  // that is still to come would be read with the body.
  if (line_.assumes && reads_loops_ && !in_function_ && here_docs_.empty() && name[0] >= 'a' &&
      name[0] <= 'z') {
    values = loop_values(words);
  }
  const auto outer = loop_values_.find(name) == loop_values_.end()
                         ? std::optional<std::string>()
                         : std::optional(loop_values_.find(name)->second);
  loop_values_.erase(name);
  if (values.empty() || line_.readings + values.size() > limits::kShellLoopReadingsMax) {
    do_group();
  } else {
    const auto uses = [&] {
      const auto found = line_.assumed.find(name);
      return found == line_.assumed.end() ? 0 : found->second;
    };
    const std::size_t from = at_, before = uses();
    const bool behind = here_doc_behind_;
    for (std::string& value : values) {
      at_ = from;
      here_doc_behind_ = behind;
      loop_values_.insert_or_assign(name, std::move(value));
      do_group();
      ++line_.readings;
      line_.broken = line_.broken || (!here_docs_.empty() && uses() > before) ||
                     out_.commands.size() > limits::kShellLoopCommandsMax ||
                     out_.paths.size() > limits::kShellLoopPathsMax;
      // A body that does not use it is the same each time.
      if (line_.broken || uses() == before) break;
    }
    loop_values_.erase(name);
  }
  if (outer) loop_values_.emplace(name, *outer);
}

// for ((i = 0; i < 5; i++)): numbers that the line itself sets.
void Reader::for_arithmetic() {
  bash_only("for ((");
  const std::size_t from = at_;
  at_ += 2;
  blanks();
  std::size_t to = at_;
  while (to < s_.size() && is_name(s_[to])) ++to;
  const std::string name(s_.substr(at_, to - at_));
  std::size_t value = to;
  while (value < s_.size() && (is_blank(s_[value]) || s_[value] == '=')) ++value;
  std::size_t behind = value;
  while (behind < s_.size() && is_digit(s_[behind])) ++behind;
  const bool number =
      behind > value && std::count(s_.begin() + static_cast<std::ptrdiff_t>(to),
                                   s_.begin() + static_cast<std::ptrdiff_t>(value), '=') == 1;
  if (!name.empty() && is_name_start(name[0]) && number) {
    Word start;
    start.text = std::string(s_.substr(value, behind - value));
    note_assignment(name, start, base_ + from);
    at_ = behind;
  }
  arithmetic(";");
  const Names start = names();
  Repeated before = begin_repeated();
  arithmetic(";");
  arithmetic("))");
  blanks();
  if (peek() == ';' && !end()) ++at_;
  newlines();
  do_group();
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
  const bool again = functions_.contains(name) || defined_.contains(name);
  functions_.insert(name);
  defined_.insert(name);
  const Names known = names();
  const auto values = std::exchange(loop_values_, {});  // it may be called anywhere
  const auto found = std::exchange(found_, {});
  line_.broken = line_.broken || !values.empty();
  integers_.clear();
  const std::set<std::string> lost = std::exchange(lost_, {});
  const Body outer = std::exchange(body_, Body{.inside = true, .temporaries = temporaries_});
  const std::size_t shifts = std::exchange(shifts_, 0);
  command();
  shifts_ = shifts;
  if (const Body body = std::exchange(body_, outer); !body.runs.empty()) {
    // What an earlier function of that name was called with, this one might run.
    if (again || body.moves_arguments || directories_ != before) {
      refuse("command.dynamic_name",
             "the name of the command '$@' is not known before the line runs");
    }
    line_.argument_runners.emplace(name, body.runs);
  }
  integers_ = known.integers;
  loop_values_ = values;
  found_ = found;
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
  static constexpr std::string_view kNumeric = "-eq -ne -lt -le -gt -ge";
  std::vector<Word> words;
  bool pattern_next = false;
  const auto check = [&](const Word& one) {
    const bool variable = one.text.starts_with('$') && integers_.contains(one.text.substr(1));
    const bool whole = is_whole_arithmetic(one);
    const std::string_view counter = number_program(one.text);
    if (!counter.empty()) line_.counters.emplace(counter);
    if (!(one.constant && is_integer(one.text)) && !(variable && !one.constant) && !is_count(one) &&
        !whole && counter.empty()) {
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
    if (words.size() > 1 && !words.back().quoted && is_one_of<kNumeric>(words.back().text)) {
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

// `written`: the delimiter as it stands in the line.
void Reader::begin_here_document(const Word& target, std::string_view written, bool strip_tabs) {
  // The delimiter is taken without expansion; one with expansions in it is not worth a guess.
  if (!target.constant || written.find('$') != std::string_view::npos) {
    refuse("command.unparsable", "a here-document with '$' in its delimiter");
  }
  HereDoc doc;
  doc.delimiter = target.text;
  doc.quoted = target.quoted;
  doc.strip_tabs = strip_tabs;
  here_docs_.push_back(std::move(doc));
  last_here_doc_quoted_ = target.quoted;
}

// /dev/tcp/HOST/PORT.
void Reader::dials(const Word& target) {
  const std::string rest = target.text.substr(9);
  const std::size_t slash = rest.find('/');
  const std::string port = slash == std::string::npos ? "" : rest.substr(slash + 1);
  if (!target.constant || !is_integer(port) || port.size() > 5) {
    refuse("command.dynamic_host", "/dev/tcp with a host or port that is not known");
  }
  out_.hosts.push_back({rest.substr(0, slash), std::stoi(port), "tcp", "", target.offset});
}

// One redirection at the current place, if there is one. `input` becomes what it makes of the
// standard input.
bool Reader::redirection(Input& input) {
  std::size_t to = at_;
  while (to < s_.size() && is_digit(s_[to])) ++to;
  const std::string_view rest = s_.substr(to);
  if (rest.empty() || (rest[0] != '<' && rest[0] != '>' &&
                       !(to == at_ && rest[0] == '&' && rest.starts_with("&>")))) {
    return false;
  }
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
  const bool substitutes = s_.substr(from).starts_with("<(") || s_.substr(from).starts_with(">(");
  if (!word(target)) refuse("command.unparsable", "a redirection names nothing");
  if (*op == "<<" || *op == "<<-") {
    begin_here_document(target, s_.substr(from, at_ - from), *op == "<<-");
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
  // < <(...), > >(...): a pipe, whose commands were read; what comes out of it is not known.
  if (substitutes && (*op == "<" || *op == ">" || *op == ">>") &&
      target.text.size() + 1 == at_ - from) {
    if (is_input) input = {};
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
    dials(target);
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
    while (argv.empty() && to < s_.size() && (is_name(s_[to]) || s_[to] == '-')) ++to;
    if (to > at_ && s_.substr(to).starts_with("()")) {
      const std::string name(s_.substr(at_, to - at_));
      at_ = to + 2;
      return function_body(name);
    }
    // export, declare and the like take assignments as words, arrays among them.
    // In quotes or out of a variable the name is no such word: what stands behind it is split.
    if (!argv.empty() && argv[0].constant && !argv[0].quoted && !argv[0].valued &&
        is_one_of<kDeclarations>(argv[0].text)) {
      std::vector<Assignment> declared;
      if (assignment(declared)) {
        // declare -a NAME=$X expands what $X holds as an array, once more.
        const bool arrays = std::any_of(argv.begin(), argv.end(), [](const Word& one) {
          return one.text.starts_with('-') && one.text.find_first_of("aA") != std::string::npos;
        });
        if (arrays && !declared[0].value.constant && declared[0].value.text != "(...)") {
          refuse("command.arithmetic", argv[0].text + " of an array whose text is not known");
        }
        note_assignment(declared[0].name, declared[0].value, base_ + word_at,
                        declared[0].append ? Binding::kAppends : Binding::kStays);
        const bool exports =
            argv[0].text == "export" || std::any_of(argv.begin(), argv.end(), [](const Word& one) {
              return one.text.starts_with('-') && one.text.find('x') != npos;
            });
        if (exports) note_exported(declared[0].name, declared[0].value, base_ + word_at);
        continue;
      }
    }
    if (!word(next)) refuse("command.unparsable", "unexpected '" + near() + "'");
    // {NAME}> FILE sets the variable.
    if (next.text.starts_with('{') && (peek() == '<' || peek() == '>')) {
      line_.assigned.insert(next.text.substr(1, next.text.find('}') - 1));
      line_.broken = line_.broken || next.text.find('[') != std::string::npos;
    }
    argv.push_back(std::move(next));
  }
  if (at_ == from) refuse("command.unparsable", "a command is missing at '" + near() + "'");
  const bool only_here_doc =
      input.kind == Input::Kind::kHereDoc && argv.size() == 1 && last_here_doc_quoted_;
  input_ = std::move(input);
  simple(std::move(argv), assignments, from, only_here_doc);
}

}  // namespace lilith::rules::shell
