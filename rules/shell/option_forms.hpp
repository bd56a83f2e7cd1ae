#pragma once
// What the tables of programs and their options share: lists of words, and the forms that options
// have. For the files of this folder.

#include "rules/command.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules::shell {

inline constexpr std::size_t npos = std::string_view::npos;

template <std::size_t N>
[[nodiscard]] constexpr bool among(const std::array<std::string_view, N>& list,
                                   std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// Whether the word stands in a list whose words are separated by blanks.
[[nodiscard]] constexpr bool is_word_of(std::string_view list, std::string_view word) {
  if (word.empty() || word.find(' ') != npos) return false;
  for (std::size_t at = 0; at < list.size(); ++at) {
    const std::size_t end = at + word.size();
    if (list[at] == word[0] && list.substr(at).starts_with(word) &&
        (end == list.size() || list[end] == ' ')) {
      return true;
    }
    while (at < list.size() && list[at] != ' ') ++at;
  }
  return false;
}

// The words of such a list, sorted when it is compiled.
template <const std::string_view& kList>
inline constexpr auto kSortedWords = [] {
  constexpr auto kBlanks = std::count(kList.begin(), kList.end(), ' ');
  std::array<std::string_view, static_cast<std::size_t>(kBlanks) + 1> words;
  std::size_t from = 0;
  for (std::string_view& one : words) {
    const std::size_t end = std::min(kList.find(' ', from), kList.size());
    one = kList.substr(from, end - from);
    from = end + 1;
  }
  std::sort(words.begin(), words.end());
  return words;
}();
// is_word_of() for the long lists, which stand in constants.
template <const std::string_view& kList>
[[nodiscard]] constexpr bool is_one_of(std::string_view word) {
  static_assert(!kSortedWords<kList>.front().empty());
  return std::binary_search(kSortedWords<kList>.begin(), kSortedWords<kList>.end(), word);
}

// The places of a table's rows in the order of their programs, those of one program in the table's.
template <class Row, std::size_t N>
[[nodiscard]] consteval std::array<std::uint16_t, N> by_program(const std::array<Row, N>& rows) {
  std::array<std::uint16_t, N> places{};
  for (std::size_t i = 0; i < N; ++i) places[i] = static_cast<std::uint16_t>(i);
  std::sort(places.begin(), places.end(), [&](std::uint16_t a, std::uint16_t b) {
    const auto order = rows[a].program <=> rows[b].program;
    return order == 0 ? a < b : order < 0;
  });
  return places;
}
// From the first whose program is not less than `program` on.
template <class Row, std::size_t N>
[[nodiscard]] std::span<const std::uint16_t> rows_from(const std::array<Row, N>& rows,
                                                       const std::array<std::uint16_t, N>& places,
                                                       std::string_view program) {
  const auto first = std::lower_bound(
      places.begin(), places.end(), program,
      [&](std::uint16_t at, std::string_view name) { return rows[at].program < name; });
  return {first, places.end()};
}

// Where in a bundle of short options ("-quPROG") the letter is, npos when it is not there. The
// letters of `with_value` end the bundle: what follows them is their value.
[[nodiscard]] constexpr std::size_t short_option(std::string_view word, char letter,
                                                 std::string_view with_value) {
  if (!word.starts_with('-') || word.starts_with("--")) return std::string_view::npos;
  for (std::size_t i = 1; i < word.size(); ++i) {
    if (word[i] == letter) return i;
    if (with_value.find(word[i]) != std::string_view::npos) break;
  }
  return std::string_view::npos;
}
[[nodiscard]] constexpr bool has_short(std::string_view word, char letter,
                                       std::string_view with_value) {
  return short_option(word, letter, with_value) != std::string_view::npos;
}

// What stands behind the last slash.
[[nodiscard]] constexpr std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// How `docker run` or `docker create` is called: argv[from] stands behind the sub-command.
struct ContainerOption {
  std::string option;        // "--volume", "-v"
  std::size_t argument = 0;  // the word that holds its value; argv.size() when there is none
  std::size_t from = 0;      // where in that word the value begins
};
struct ContainerCall {
  std::vector<ContainerOption> options;  // those with a value
  std::size_t image = 0;                 // argv.size() when there is none
};
[[nodiscard]] ContainerCall container_options(const std::vector<Argument>& argv, std::size_t from);

// `python3 -m NAME ...`: where NAME stands; npos for any other call. The module is a program of its
// own, and its options are.
[[nodiscard]] std::size_t module_at(const std::vector<Argument>& argv);

// Whether `git config` at argv[at] only reads.
[[nodiscard]] bool reads_git_config(const std::vector<Argument>& argv, std::size_t at);
// Whether a table has rows for the program.
[[nodiscard]] bool has_exec_rows(std::string_view program);
[[nodiscard]] bool has_write_rows(std::string_view program);

}  // namespace lilith::rules::shell
