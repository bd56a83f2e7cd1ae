#pragma once
// What the variables of a line may hold, whatever the order in which its commands run: every value
// that stands in the line itself, and whether another may come in. It only adds checks.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules::shell {

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
// Whether the word begins with such a substitution.
[[nodiscard]] bool begins_tame(std::string_view word);

}  // namespace lilith::rules::shell
