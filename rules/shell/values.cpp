#include "rules/shell/values.hpp"

#include "audit/base/limits.hpp"
#include "rules/shell/braces.hpp"
#include "rules/shell/option_forms.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lilith::rules::shell {

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(" \t\n", at), text.size());
    if (end > at) out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

namespace {

constexpr std::size_t kTextsMax = 16;
constexpr int kNestedMax = 4;
constexpr std::size_t kTemporaryBytesMax = 100;  // a longer name mktemp may refuse
constexpr int kExpansionsMax = 256;

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

// One expansion at a '$': its source is rest.substr(0, bytes).
struct Expansion {
  std::string_view name;      // empty: no variable
  std::string_view op;        // of ${NAME#x} and the like, what stands behind the name: "#x"
  std::string_view fallback;  // of ${NAME:-fallback}, ${NAME:=fallback}
  bool has_fallback = false;
  bool plain = false;  // gives the value itself, not a part of it
  bool cuts = false;   // may begin with what stands inside of the value
  std::size_t bytes = 1;
};

// Where the substitution ends that begins at `open`, a parenthesis or a brace.
std::size_t end_of(std::string_view text, std::size_t open) {
  const char opens = text[open];
  const char closes = opens == '(' ? ')' : '}';
  int depth = 0;
  for (std::size_t at = open; at < text.size(); ++at) {
    if (text[at] == opens) ++depth;
    if (text[at] == closes && --depth == 0) return at + 1;
  }
  return text.size();
}

Expansion expansion_at(std::string_view rest) {
  Expansion out;
  if (rest.size() < 2) return out;
  if (is_name_start(rest[1])) {
    std::size_t to = 1;
    while (to < rest.size() && is_name(rest[to])) ++to;
    out.name = rest.substr(1, to - 1);
    out.plain = true;
    out.bytes = to;
  } else if (rest[1] == '(') {
    out.bytes = end_of(rest, 1);
  } else if (rest[1] == '{') {
    out.bytes = end_of(rest, 1);
    std::size_t to = 2;
    while (to < rest.size() && is_name(rest[to])) ++to;
    if (to == 2 || !is_name_start(rest[2])) return out;
    out.name = rest.substr(2, to - 2);
    std::string_view op = rest.substr(to, out.bytes - to);
    if (op.starts_with("[@]") || op.starts_with("[*]")) op.remove_prefix(3);
    out.plain = op == "}";
    if (!out.plain && op.ends_with('}')) out.op = op.substr(0, op.size() - 1);
    out.cuts = op.starts_with('#') || op.starts_with('/') ||
               (op.starts_with(':') && op.size() > 1 && op[1] >= '0' && op[1] <= '9');
    if (op.starts_with(':')) op.remove_prefix(1);
    if (op.starts_with('-') || op.starts_with('=')) {
      out.has_fallback = out.plain = true;
      out.fallback = op.substr(1, op.size() - 2);
    }
  } else {
    out.bytes = 2;  // $1, $@, $?
  }
  return out;
}

// The literal text of a pattern; false: it is one.
bool literal(std::string_view pattern, std::string& out) {
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (std::string_view("*?[$`(").find(pattern[at]) != npos) return false;
    if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
    if (pattern[at] != '"' && pattern[at] != '\'') out.push_back(pattern[at]);
  }
  return true;
}

std::string replaced(std::string text, std::string_view op) {
  const bool all = op.starts_with("//");
  op.remove_prefix(all ? 2 : 1);
  const std::size_t slash = std::min(op.find('/'), op.size());
  std::string from, to;
  if (!literal(op.substr(0, slash), from) || from.empty()) return {};
  if (slash < op.size() && !literal(op.substr(slash + 1), to)) return {};
  for (std::size_t at = text.find(from); at != npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
    if (!all || text.size() > limits::kPathBytesMax) break;
  }
  return text;
}

// What an operator makes of a value (bash manual 3.5.3), where both are plain text; empty: not
// known.
std::string operated(const std::string& text, std::string_view op) {
  if (op.empty() || text.find_first_of("$`") != npos) return {};
  const char first = op[0];
  if (op == "," || op == ",," || op == "^" || op == "^^") {
    std::string out = text;
    for (std::size_t at = 0;
         at < (op.size() == 2 ? out.size() : std::min<std::size_t>(1, out.size())); ++at) {
      const char lower =
          out[at] >= 'A' && out[at] <= 'Z' ? static_cast<char>(out[at] + 32) : out[at];
      const char upper =
          out[at] >= 'a' && out[at] <= 'z' ? static_cast<char>(out[at] - 32) : out[at];
      out[at] = first == ',' ? lower : upper;
    }
    return out;
  }
  if (first == '/') return replaced(text, op);
  if (first == '#' || first == '%') {
    std::string cut;
    if (!literal(op.substr(op.size() > 1 && op[1] == first ? 2 : 1), cut)) return {};
    if (first == '#') return text.starts_with(cut) ? text.substr(cut.size()) : text;
    return text.ends_with(cut) ? text.substr(0, text.size() - cut.size()) : text;
  }
  if (first != ':') return {};
  const std::size_t second = std::min(op.find(':', 1), op.size());
  const auto number = [](std::string_view digits) {
    const bool is =
        !digits.empty() && digits.size() < 5 && digits.find_first_not_of("0123456789") == npos;
    return is ? static_cast<std::size_t>(std::stoul(std::string(digits))) : npos;
  };
  const std::size_t from = number(op.substr(1, second - 1));
  const std::size_t size = second < op.size() ? number(op.substr(second + 1)) : text.size();
  return from == npos || size == npos || from > text.size() ? std::string()
                                                            : text.substr(from, size);
}

// Programs whose output has a shape of its own. A row with options allows only those, or words
// without a dash where `words` is set.
struct Tame {
  std::string_view program;
  std::string_view options;  // each option word that may stand there
  bool words;                // and words that are no options
};
constexpr std::array kTame{
    Tame{"git rev-parse", "--short --verify --show-toplevel --abbrev-ref -q --git-dir", true},
    Tame{"git merge-base", "--all --fork-point", true},
    Tame{"git symbolic-ref", "--short -q", true},
    Tame{"git branch", "--show-current", false},
    Tame{"git rev-list", "--max-count --max-parents=0 --all --count -n -1 -n1 --reverse", true},
    Tame{"git describe", "--tags --abbrev=0 --always --long --all", true},
    Tame{"git log",
         "--format=%H --format=%h --pretty=%H --pretty=%h --pretty=format:%H"
         " --pretty=format:%h --format=format:%H --oneline -1 -n -2 -3 -5 -10 -20 --all --reverse",
         true},
    Tame{"git tag", "-l --list --sort=-creatordate --sort=-v:refname --points-at", true},
    Tame{"git stash", "", true},
    Tame{"pwd", "-P -L", false},
    Tame{"nproc", "--all", false},
    Tame{"whoami", "", false},
    Tame{"hostname", "-s -f", false},
    Tame{"uname", "-a -s -m -r -n", false},
    Tame{"mktemp", "-d", false},
    Tame{"id", "-u -g -un -gn", false},
    Tame{"which", "", true},
    Tame{"wc", "-l -c -w", true},
    Tame{"date", "-u -I", false},
    Tame{"head", "-1 -n -n1 -2 -3 -5 -10 -20", true},
    Tame{"tail", "-1 -n -n1 -2 -3 -5 -10 -20", true},
    Tame{"sort", "-u -r -n -V", false},
    Tame{"uniq", "-c", false},
};

// One command of a pipe. `filters`: behind another command, whose lines it passes on.
bool is_tame_command(std::string_view text, bool filters) {
  std::vector<std::string_view> words = words_of(text);
  if (!words.empty() && words.back() == "2>/dev/null") words.pop_back();
  if (words.empty()) return false;
  if (filters && (words[0] == "awk" || words[0] == "cut")) {
    const std::string_view rest = text.substr(text.find(words[0]) + words[0].size());
    return rest.find("'{print $1}'") != std::string_view::npos ||
           rest.find("-f1") != std::string_view::npos || rest.find("-c1") != std::string_view::npos;
  }
  std::size_t from = 1;
  std::string program(words[0]);
  if (program == "git") {
    if (words.size() > 3 && words[1] == "-C") from = 3;
    if (from >= words.size()) return false;
    program += " " + std::string(words[from++]);
  }
  const auto* const row = std::find_if(kTame.begin(), kTame.end(),
                                       [&](const Tame& one) { return one.program == program; });
  if (row == kTame.end()) return false;
  // These pass on what they read.
  const bool passes =
      program == "head" || program == "tail" || program == "sort" || program == "uniq";
  if (passes && !filters) return false;
  // `git log` prints messages unless it is told a format, and a hash at first with --oneline.
  bool shaped = program != "git log";
  for (std::size_t i = from; i < words.size(); ++i) {
    std::string word(words[i]);
    std::erase_if(word, [](char c) { return c == '"' || c == '\''; });
    if (word.starts_with("+%") && program == "date") continue;
    if (word.starts_with('-') ? !is_word_of(row->options, word) : !row->words) return false;
    shaped = shaped || word.starts_with("--format=") || word.starts_with("--pretty=") ||
             word == "--oneline";
  }
  return shaped;
}

}  // namespace

bool is_tame_substitution(std::string_view text) {
  if (text.find_first_of(";&<`(){}\\\n$") != std::string_view::npos) {
    // What remains of the shell's grammar here is the pipe, 2>/dev/null and awk's '{print $1}'.
    std::string plain(text);
    for (const std::string_view known : {"'{print $1}'"}) {
      const std::size_t at = plain.find(known);
      if (at != std::string::npos) plain.erase(at, known.size());
    }
    if (plain.find_first_of(";&<`(){}\\\n$") != std::string::npos) return false;
  }
  bool filters = false;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('|', at), text.size());
    if (!is_tame_command(text.substr(at, end - at), filters)) return false;
    filters = true;
    at = end + 1;
  }
  return true;
}

// wc -l < FILE, COMMAND | wc -l
static bool counts_lines(std::string_view text) {
  if (text.find("wc") == npos || text.find_first_of(";&>`(){}\\\n$\"'") != npos) return false;
  const std::size_t pipe = text.rfind('|');
  const bool piped = pipe != npos;
  if (piped && pipe > 0 && text[pipe - 1] == '|') return false;  // ||
  const std::vector<std::string_view> words = words_of(piped ? text.substr(pipe + 1) : text);
  if (words.size() < 2 || words[0] != "wc" || !is_one_of<"-l -c -w -m">(words[1])) return false;
  if (piped) return words.size() == 2;
  return words.size() == 4 ? words[2] == "<" : words.size() == 3 && words[2].starts_with('<');
}

std::string_view number_program(std::string_view word) {
  if (!word.starts_with("$(") || word.starts_with("$((") || end_of(word, 1) != word.size())
    return {};
  const std::string_view text = word.substr(2, word.size() - 3);
  if (counts_lines(text)) return "wc";
  if (text.find_first_of(";&|<>`(){}\\\n$\"'*?[~") != std::string_view::npos) return {};
  const std::vector<std::string_view> words = words_of(text);
  if (words.size() == 1 && words[0] == "nproc") return "nproc";
  if (words.size() == 2 && words[0] == "id" && (words[1] == "-u" || words[1] == "-g")) return "id";
  if (words.size() == 2 && words[0] == "date" && words[1].starts_with('+') && words[1].size() > 1) {
    for (std::size_t at = 1; at + 1 < words[1].size(); at += 2) {
      if (words[1][at] != '%' || std::string_view("sNYmdHMSj").find(words[1][at + 1]) == npos) {
        return {};
      }
    }
    return words[1].size() % 2 == 1 ? "date" : "";
  }
  if (words.size() == 4 && words[0] == "git" && words[1] == "rev-list" && words[2] == "--count" &&
      !words[3].starts_with('-')) {
    return "git";
  }
  return {};
}

std::vector<std::string> numbers_of_seq(std::string_view word, std::size_t words_max) {
  if (!word.starts_with("$(seq ") || !word.ends_with(')')) return {};
  word = word.substr(2, word.size() - 3);
  if (word.find_first_not_of("seq 0123456789") != npos) return {};
  const std::vector<std::string_view> words = words_of(word);
  if (words.size() != 2 && words.size() != 3) return {};
  return numbers_between(words.size() == 2 ? "1" : words[1], words.back(), words_max);
}

std::size_t expansion_bytes(std::string_view rest) {
  return rest[0] == '$' ? expansion_at(rest).bytes : 1;
}

bool is_date_stamp(std::string_view text) {
  std::vector<std::string_view> words = words_of(text);
  if (words.size() == 3 && words[1] == "-u") words.erase(words.begin() + 1);
  if (words.size() != 2 || words[0] != "date") return false;
  std::string_view format = words[1];
  const char quote = format.empty() ? '\0' : format[0];
  if ((quote == '"' || quote == '\'') && format.size() > 2 && format.back() == quote) {
    format = format.substr(1, format.size() - 2);
  }
  if (!format.starts_with("+%")) return false;
  for (std::size_t at = 1; at < format.size(); ++at) {
    if (format[at] == '%') {
      ++at;
      if (at == format.size() || std::string_view("YmdHMSjFTsNyuVU").find(format[at]) == npos) {
        return false;
      }
    } else if (std::string_view("-_:T").find(format[at]) == npos) {
      return false;
    }
  }
  return true;
}

// mktemp(1), GNU coreutils; `-t` and no directory as where TMPDIR is not set.
std::optional<Temporary> temporary_of(std::string_view word) {
  if (!word.starts_with("$(mktemp") || end_of(word, 1) != word.size()) return std::nullopt;
  std::vector<std::string_view> words = words_of(word.substr(2, word.size() - 3));
  if (words.size() > 1 && words.back() == "2>/dev/null") words.pop_back();
  if (words[0] != "mktemp") return std::nullopt;
  constexpr std::string_view kPlace = "${TMPDIR:-/tmp}/";
  std::string directory, name, suffix;
  for (std::size_t i = 1; i < words.size(); ++i) {
    std::string_view one = words[i];
    if (is_one_of<"-d -q -dq -qd --directory --quiet">(one)) continue;
    if (one == "-t" || one == "--tmpdir") {
      directory = "/tmp";
      continue;
    }
    std::string* into = &name;
    if (one == "-p" && i + 1 < words.size()) {
      one = words[++i];
      into = &directory;
    } else if (one.starts_with("--tmpdir=") || one.starts_with("--suffix=")) {
      into = one.starts_with("--t") ? &directory : &suffix;
      one.remove_prefix(one.find('=') + 1);
    }
    if (one.size() > 2 && one.starts_with('"') && one.ends_with('"')) {
      one = one.substr(1, one.size() - 2);
    }
    std::string text(one.starts_with(kPlace) ? "/tmp/" : "");
    text += one.starts_with(kPlace) ? one.substr(kPlace.size()) : one;
    if (!into->empty() || !is_literal_text(text) || text[0] == '-') return std::nullopt;
    *into = std::move(text);
  }
  if (suffix.find('/') != npos || (!directory.empty() && name.find('/') != npos)) {
    return std::nullopt;
  }
  if (directory.empty() && name.empty()) directory = "/tmp";
  if (name.empty()) name = "tmp.XXXXXXXXXX";
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  const std::string path = directory.empty() ? name + suffix : directory + "/" + name + suffix;
  const std::size_t slash = path.rfind('/');
  const std::string_view last = std::string_view(path).substr(slash == npos ? 0 : slash + 1);
  if (last.size() > kTemporaryBytesMax || last.find("XXXXXX") == npos) return std::nullopt;
  return Temporary{path, slash == 4 && path.starts_with("/tmp/")};
}

std::string trimmed(const std::string& value, std::string_view op) {
  if (op.empty() || (op[0] != '#' && op[0] != '%')) return {};
  const bool prefix = op[0] == '#';
  const bool longest = op.size() > 1 && op[1] == op[0];
  std::string_view cut = op.substr(longest ? 2 : 1);
  const bool any = prefix ? cut.starts_with('*') : cut.ends_with('*');
  if (any) cut = prefix ? cut.substr(1) : cut.substr(0, cut.size() - 1);
  if (!is_literal_text(cut)) return {};
  if (!any) {
    if (prefix) return value.starts_with(cut) ? value.substr(cut.size()) : value;
    return value.ends_with(cut) ? value.substr(0, value.size() - cut.size()) : value;
  }
  const std::size_t at = prefix == longest ? value.rfind(cut) : value.find(cut);
  if (at == npos) return value;
  return prefix ? value.substr(at + cut.size()) : value.substr(0, at);
}

bool begins_tame(std::string_view word) {
  if (!word.starts_with("$(")) return false;
  const std::size_t end = end_of(word, 1);
  return end > 3 && is_tame_substitution(word.substr(2, end - 3));
}

void LineValues::note(const std::string& name, std::string_view value, bool constant, bool split) {
  Values& values = names_[name];
  const bool lost = value.size() > limits::kPathBytesMax || values.texts.size() >= kTextsMax;
  values.unknown = values.unknown || lost || (value.empty() && !constant);
  values.blank = values.blank || (!split && !constant) || lost;
  if (!lost && !value.empty()) values.texts.emplace_back(value);
}

void LineValues::append(const std::string& name, std::string_view value, bool constant) {
  const std::vector<std::string> before = names_[name].texts;
  for (const std::string& text : before) note(name, text + std::string(value), constant);
  note(name, value, constant);
}

// `budget` ends what a word of many expansions would cost.
void LineValues::expand(std::string_view rest, std::string made, bool changed, int depth,
                        int& budget, std::vector<std::string>& out) const {
  while (!rest.empty() && out.size() < kWordsMax) {
    if (rest[0] != '$') {
      const std::size_t plain = std::min(rest.find('$'), rest.size());
      made += rest.substr(0, plain);
      rest.remove_prefix(plain);
      continue;
    }
    if (--budget < 0) return;
    const Expansion one = expansion_at(rest);
    const auto found = one.plain ? names_.find(one.name) : names_.end();
    const bool known = found != names_.end() && depth < kNestedMax;
    for (std::size_t i = 0; known && i < found->second.texts.size(); ++i) {
      std::vector<std::string> inner;
      expand(found->second.texts[i], {}, true, depth + 1, budget, inner);
      for (const std::string& value : inner) {
        expand(rest.substr(one.bytes), made + value, true, depth, budget, out);
      }
    }
    if (!one.op.empty()) {
      if (const auto base = names_.find(one.name); base != names_.end()) {
        for (const std::string& text : base->second.texts) {
          const std::string value = operated(text, one.op);
          if (value.empty()) continue;
          expand(rest.substr(one.bytes), made + value, true, depth, budget, out);
        }
      }
    }
    if (one.has_fallback) {
      expand(rest.substr(one.bytes), made + std::string(one.fallback), true, depth, budget, out);
    }
    if (known && !found->second.texts.empty() && !found->second.unknown) return;
    made += rest.substr(0, one.bytes);
    rest.remove_prefix(one.bytes);
  }
  if (changed && out.size() < kWordsMax) out.push_back(std::move(made));
}

std::vector<std::string> LineValues::words(std::string_view word) const {
  std::vector<std::string> out;
  if (word.size() > limits::kPathBytesMax || word.find('$') == std::string_view::npos) return out;
  int budget = kExpansionsMax;
  expand(word, {}, false, 0, budget, out);
  return out;
}

bool LineValues::doubtful(std::string_view word, Doubt doubt, int depth) const {
  if (word.starts_with('`') || depth > kNestedMax) return true;
  for (std::size_t at = word.find('$'); at != std::string_view::npos; at = word.find('$', at)) {
    const Expansion one = expansion_at(word.substr(at));
    const std::string_view source = word.substr(at, one.bytes);
    at += one.bytes;
    if (source.starts_with("$((") || source.starts_with("${#") || source == "$?" ||
        source == "$#" || source == "$$") {
      continue;
    }
    if (source.starts_with("$(")) {
      if (!is_tame_substitution(source.substr(2, source.size() - 3))) return true;
      continue;
    }
    const auto found = names_.find(one.name);
    if (one.name.empty() || found == names_.end()) {
      if (doubt == Doubt::kNothing && !one.has_fallback) return true;
      continue;
    }
    const Values& values = found->second;
    if (doubt == Doubt::kBlank ? values.unknown && values.blank : values.unknown || one.cuts) {
      return true;
    }
    for (const std::string& text : values.texts) {
      const bool nested =
          text.find('$') != std::string::npos || text.find('`') != std::string::npos;
      const bool counts = doubt != Doubt::kBlank || values.blank;
      if (nested && counts && text != word && doubtful(text, doubt, depth + 1)) return true;
    }
  }
  return false;
}

}  // namespace lilith::rules::shell
