#include "rules/shell/line_reader.hpp"

#include <cstdint>

namespace lilith::rules::shell {
namespace {

// Bytes that stand for themselves in a word outside of quotes, and end nothing.
constexpr ByteSet kPlainInWord(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+");
// The same between double quotes (bash manual 3.1.2.3).
constexpr ByteSet kPlainInDoubleQuotes = ByteSet("\"\\$`").others();

}  // namespace

// Such bytes at the current place, each of them a step; none of them when that many steps are not
// left, so that the limit is met where it is.
void Reader::take_plain(Word& out, const ByteSet& plain) {
  std::size_t to = at_;
  while (to < s_.size() && plain.has(s_[to])) ++to;
  const std::size_t bytes = to - at_;
  if (steps_ + bytes > limits::kShellStepsMax) return;
  out.text.append(s_.data() + at_, bytes);
  at_ += bytes;
  steps_ += bytes;
}

bool Reader::word(Word& out) {
  out = Word();
  out.offset = base_ + at_;
  bool any = false;
  while (true) {
    const std::size_t from = at_;
    take_plain(out, kPlainInWord);
    any = any || at_ > from;
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
  // What a variable brings is no part of a tilde-prefix or a brace expansion.
  if (out.valued && (out.brace || out.tilde)) out.constant = false;
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
    case '$': {
      const bool one = peek(1) == '\'' || starts("$((");
      const bool known = dollar(out, false);
      out.splits = out.splits || !(one || known);
      return;
    }
    case '\\':
      ++at_;
      if (end()) refuse("command.unparsable", "the line ends in a backslash");
      out.quoted = true;
      out.dollars = out.dollars || peek() == '$' || peek() == '`';
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
  out.dollars = out.dollars || inner.find_first_of("$`") != std::string_view::npos;
  out.text += s_.substr(at_ + 1, close - at_ - 1);
  steps_ += close - at_;
  at_ = close + 1;
}

void Reader::double_quotes(Word& out) {
  const Deeper deeper(*this);
  ++at_;
  out.quoted = true;
  for (;;) {
    take_plain(out, kPlainInDoubleQuotes);
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
      out.dollars = out.dollars || peek() == '$' || peek() == '`';
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

namespace {

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

}  // namespace

// $'...': bash manual 3.1.2.4.
void Reader::ansi_c(Word& out) {
  at_ += 2;
  out.quoted = out.dollars = true;  // perhaps
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

// $NAME, ${NAME} and ${NAME%CUT} of a loop whose words stand in the line.
bool Reader::known_value(Word& out, std::string_view source, bool in_quotes) {
  if (loop_values_.empty()) return false;
  const bool braces = source[1] == '{';
  const std::string_view rest = braces ? source.substr(2, source.size() - 3) : source.substr(1);
  const std::size_t bytes =
      static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_name) - rest.begin());
  const auto found = loop_values_.find(rest.substr(0, bytes));
  if (found == loop_values_.end()) return false;
  const std::string value =
      bytes == rest.size() ? found->second : trimmed(found->second, rest.substr(bytes));
  // Without quotes blanks make it several words, and nothing none.
  if (value.empty() || (!in_quotes && value.find(' ') != std::string::npos)) return false;
  out.text += value;
  out.valued = true;
  out.arithmetic = false;
  ++line_.assumed[found->first];
  return true;
}

// At "$(".
void Reader::dollar_parenthesis(Word& out) {
  const std::size_t from = at_;
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
}

// At a '$'. Whether it gives one word's text that is known.
bool Reader::dollar(Word& out, bool in_quotes) {
  const char next = peek(1);
  if (next == '\\' && peek(2) == '\n') {
    // bash joins the lines first, so that this may be any expansion.
    refuse("command.unparsable", "a '$' at the end of a continued line");
  }
  if (next == '\'' && !in_quotes) {
    bash_only("$'...'");
    ansi_c(out);
    return true;
  }
  if (next == '"' && !in_quotes) {
    // $"...": translation by the locale; without a catalogue the text itself.
    refuse("command.unparsable", "$\"...\" (translated by the locale) is not read");
  }
  const std::size_t from = at_;
  if (next == '(') {
    dollar_parenthesis(out);
    return false;
  }
  if (next == '[') refuse("command.arithmetic", "$[...] is not read");
  if (next == '{') {
    at_ += 2;
    parameter(out, in_quotes);
    const std::string_view source = s_.substr(from, at_ - from);
    if (known_value(out, source, in_quotes)) return true;
    if (out.text.empty() && source == "${HOME}") {
      out.home = true;
      out.home_bytes = source.size();
    }
    out.text += source;
    out.constant = false;
    out.arithmetic = false;
    return false;
  }
  if (is_name_start(next) || is_digit(next) ||
      std::string_view("@*#?-$!").find(next) != std::string_view::npos) {
    if (next == '\0') {
      out.dollars = true;
      out.text.push_back('$');
      ++at_;
      return false;
    }
    ++at_;
    if (is_name_start(next)) {
      while (!end() && is_name(peek())) ++at_;
    } else {
      ++at_;
    }
    const std::string_view source = s_.substr(from, at_ - from);
    if (known_value(out, source, in_quotes)) return true;
    if (out.text.empty() && source == "$HOME") {
      out.home = true;
      out.home_bytes = source.size();
    }
    out.text += source;
    out.constant = false;
    return false;
  }
  out.dollars = true;
  out.text.push_back('$');
  ++at_;
  return false;
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
    // A number that this line keeps in a variable: ${a[i]}, ${a[$i]}.
    const std::string counter(index.substr(index.starts_with('$') ? 1 : 0));
    const bool counts = integers_.contains(counter);
    if (counts) used_.insert(counter);
    if (index != "@" && index != "*" && !is_integer(index) && !counts) {
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
  const std::size_t from_all = at_;
  std::vector<std::string> names;
  for (;;) {
    step();
    if (end()) refuse("command.unparsable", "(( is not closed");
    if (open == 0 && starts(close)) {
      const std::string_view text = s_.substr(from_all, at_ - from_all);
      const bool assigns = text.find('=') != std::string_view::npos ||
                           text.find("++") != std::string_view::npos ||
                           text.find("--") != std::string_view::npos;  // v=1, v++
      if (assigns) line_.assigned.insert(names.begin(), names.end());
      at_ += close.size();
      return;
    }
    const char c = peek();
    if (c == '(') ++open;
    if (c == ')' && --open < 0) refuse("command.unparsable", "$(( is not arithmetic");
    if (c == '$' && peek(1) == '(') {
      // $(wc -l < x), and $((...)) once more.
      Word inner;
      word_part(inner);
      const std::string_view counter = number_program(inner.text);
      if (!is_whole_arithmetic(inner) && counter.empty()) {
        refuse("command.arithmetic",
               "a substitution in arithmetic that is not known to be a number");
      }
      if (!counter.empty()) line_.counters.emplace(counter);
      continue;
    }
    if (c == '$' || is_name_start(c)) {
      if (c == '$') ++at_;
      const bool brace = peek() == '{';
      if (brace) ++at_;
      const bool length = brace && peek() == '#';
      if (length) ++at_;
      const std::size_t from = at_;
      while (!end() && is_name(peek())) ++at_;
      if (at_ == from && (peek() == '#' || peek() == '?')) ++at_;
      const std::string name(s_.substr(from, at_ - from));
      if (length && (starts("[@]") || starts("[*]"))) at_ += 3;
      if (brace) {
        if (peek() != '}')
          refuse("command.arithmetic", "an expansion in arithmetic that is not read");
        ++at_;
      }
      if (length && !name.empty()) continue;
      if (name.empty() || (!integers_.contains(name) && name != "#" && name != "?")) {
        refuse("command.arithmetic",
               "the variable '" + name + "' in arithmetic is not known to be a number");
      }
      used_.insert(name);
      names.push_back(name);
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

}  // namespace lilith::rules::shell
