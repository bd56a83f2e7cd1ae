#pragma once
// What the variables of a line may hold, whatever the order in which its commands run: every value
// that stands in the line itself, and whether another may come in. It only adds checks.

#include "audit/base/byte_set.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules::shell {

// A text that means nothing to the shell but itself and, in quotes, its blanks.
[[nodiscard]] inline bool is_literal_text(std::string_view text) {
  constexpr ByteSet kPlain(
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:/@+=% ");
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [&](char c) { return kPlain.has(c); });
}

class LineValues {
 public:
  // `value` in source spelling after quote removal, a leading ~ or $HOME kept as such. Empty and
  // not constant: the value stands nowhere in the line. `split`: it is one of several words, so
  // that it holds no blank.
  void note(const std::string& name, std::string_view value, bool constant, bool split = false);
  void append(const std::string& name, std::string_view value, bool constant);
  // The words that `word` may become by the values in the line, itself not among them; at most
  // kWordsMax.
  [[nodiscard]] std::vector<std::string> words(std::string_view word) const;

  enum class Doubt {
    kBlank,    // an expansion may bring a blank, and an option behind it
    kBegins,   // an expansion may begin with a dash, by what the line puts into it
    kNothing,  // the same, or nothing in the line says what it holds
  };
  // Whether that much doubt is left about an expansion in this word.
  [[nodiscard]] bool doubtful(std::string_view word, Doubt doubt) const {
    return doubtful(word, doubt, 0);
  }

  static constexpr std::size_t kWordsMax = 16;

 private:
  struct Values {
    std::vector<std::string> texts;
    bool unknown = false;
    bool blank = false;
  };
  [[nodiscard]] bool doubtful(std::string_view word, Doubt doubt, int depth) const;
  void expand(std::string_view rest, std::string made, bool changed, int depth, int& budget,
              std::vector<std::string>& out) const;

  std::map<std::string, Values, std::less<>> names_;
};

// Whether the output of `$(TEXT)` is surely a revision, a number or a path of the system: git
// rev-parse HEAD, pwd, date +%F, nproc, ...
[[nodiscard]] bool is_tame_substitution(std::string_view text);
// The words of a text, without quotes.
[[nodiscard]] std::vector<std::string_view> words_of(std::string_view text);
// The program whose number is all that `$(...)` gives, when the whole word is that (`$(date +%s)`,
// `$(nproc)`); empty for anything else.
[[nodiscard]] std::string_view number_program(std::string_view word);
// The words of `$(seq FIRST LAST)`, when the whole word is that; at most `words_max`, or none.
[[nodiscard]] std::vector<std::string> numbers_of_seq(std::string_view word, std::size_t words_max);
// What `$(mktemp ...)` makes, when the whole word is that and its template is constant.
struct Temporary {
  std::string path;   // with the X of the template
  bool sure = false;  // mktemp does not fail, as it may where a directory is not there

  friend bool operator==(const Temporary&, const Temporary&) = default;
};
[[nodiscard]] std::optional<Temporary> temporary_of(std::string_view word);
// Bytes of the expansion that begins here.
[[nodiscard]] std::size_t expansion_bytes(std::string_view rest);
// Whether `$(TEXT)` is a date of digits and `-_:`.
[[nodiscard]] bool is_date_stamp(std::string_view text);
// What ${NAME#CUT}, ${NAME##CUT}, ${NAME%CUT} and ${NAME%%CUT} make of a plain value, where CUT is
// plain text, `*TEXT` of a prefix or `TEXT*` of a suffix; empty: not known. `op` is what stands
// behind the name.
[[nodiscard]] std::string trimmed(const std::string& value, std::string_view op);
// Whether the word begins with such a substitution.
[[nodiscard]] bool begins_tame(std::string_view word);

}  // namespace lilith::rules::shell
