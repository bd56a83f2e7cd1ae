#pragma once
// What the tables of programs and their options share: lists of words, and the forms that options
// have. For the files of this folder.

#include "rules/command.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules::shell {

inline constexpr std::size_t npos = std::string_view::npos;

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

// ---- the same for lists and tables that stand in constants, hashed when they are compiled: most
// look-ups end at the first slot, and the slots hold no pointers that a starting hook relocates

[[nodiscard]] constexpr std::size_t word_hash(std::string_view word) {  // not empty
  const auto byte = [&](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(word[at]));
  };
  const std::size_t size = word.size();
  const std::size_t mixed =
      byte(0) * 0x9e3779b1U + byte(size / 2) * 0x85ebca6bU + byte(size - 1) * 0xc2b2ae35U + size;
  return mixed ^ (mixed >> 15);
}

// A list of words as a template argument: is_one_of<"gcc g++">(name).
template <std::size_t N>
struct WordList {
  consteval WordList(const char (&text)[N]) { std::copy_n(text, N, bytes.begin()); }
  [[nodiscard]] constexpr std::string_view view() const { return {bytes.data(), N - 1}; }
  std::array<char, N> bytes{};
};

struct WordSlot {
  std::uint16_t from = 0;  // in the list
  std::uint16_t size = 0;  // 0: free
};
// At least half of the slots are free.
template <std::size_t kSlots>
[[nodiscard]] consteval std::array<WordSlot, kSlots> word_slots(std::string_view list) {
  std::array<WordSlot, kSlots> slots{};
  for (std::size_t from = 0; from < list.size();) {
    std::size_t end = from;  // GCC 12 finds nothing in the text of a template argument
    while (end < list.size() && list[end] != ' ') ++end;
    const std::string_view word = list.substr(from, end - from);
    std::size_t at = word_hash(word) % kSlots;
    while (slots[at].size != 0 && list.substr(slots[at].from, slots[at].size) != word) {
      at = (at + 1) % kSlots;
    }
    slots[at] = {static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(word.size())};
    from = end + 1;
  }
  return slots;
}
[[nodiscard]] consteval std::size_t slots_for(std::size_t entries) {
  return std::bit_ceil(entries * 2);
}
[[nodiscard]] consteval std::size_t words_in(std::string_view list) {
  return static_cast<std::size_t>(std::count(list.begin(), list.end(), ' ')) + 1;
}
template <std::size_t kSlots>
[[nodiscard]] constexpr bool is_in_slots(std::string_view list,
                                         const std::array<WordSlot, kSlots>& slots,
                                         std::string_view word) {
  if (word.empty()) return false;
  for (std::size_t at = word_hash(word) % kSlots; slots[at].size != 0; at = (at + 1) % kSlots) {
    if (slots[at].size == word.size() &&
        std::string_view(list.data() + slots[at].from, word.size()) == word) {
      return true;
    }
  }
  return false;
}

template <const std::string_view& kList>
inline constexpr auto kWordSlots = word_slots<slots_for(words_in(kList))>(kList);
template <const std::string_view& kList>
[[nodiscard]] constexpr bool is_one_of(std::string_view word) {
  return is_in_slots(kList, kWordSlots<kList>, word);
}
template <WordList kList>
inline constexpr std::string_view kWordView = kList.view();
template <WordList kList>
[[nodiscard]] constexpr bool is_one_of(std::string_view word) {
  return is_one_of<kWordView<kList>>(word);
}

// Where in a table the rows of each program stand.
template <std::size_t N>
struct ProgramPlaces {
  struct Slot {
    std::uint16_t first = 0;  // in `places`
    std::uint16_t count = 0;  // 0: free
  };
  std::array<std::uint16_t, N> places{};  // by program, those of one program in the table's order
  std::array<Slot, slots_for(N)> slots{};
};
template <class Row, std::size_t N>
[[nodiscard]] consteval ProgramPlaces<N> by_program(const std::array<Row, N>& rows) {
  ProgramPlaces<N> out;
  for (std::size_t i = 0; i < N; ++i) out.places[i] = static_cast<std::uint16_t>(i);
  std::sort(out.places.begin(), out.places.end(), [&](std::uint16_t a, std::uint16_t b) {
    const auto order = rows[a].program <=> rows[b].program;
    return order == 0 ? a < b : order < 0;
  });
  for (std::size_t first = 0; first < N;) {
    const std::string_view program = rows[out.places[first]].program;
    std::size_t end = first;
    while (end < N && rows[out.places[end]].program == program) ++end;
    std::size_t at = word_hash(program) % out.slots.size();
    while (out.slots[at].count != 0) at = (at + 1) % out.slots.size();
    out.slots[at] = {static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(end - first)};
    first = end;
  }
  return out;
}
// The places of the program's rows, none when it has none.
template <class Row, std::size_t N>
[[nodiscard]] std::span<const std::uint16_t> rows_of(const std::array<Row, N>& rows,
                                                     const ProgramPlaces<N>& table,
                                                     std::string_view program) {
  constexpr std::size_t kSlots = slots_for(N);
  if (program.empty()) return {};
  for (std::size_t at = word_hash(program) % kSlots; table.slots[at].count != 0;
       at = (at + 1) % kSlots) {
    const auto [first, count] = table.slots[at];
    if (rows[table.places[first]].program == program) {
      return std::span(table.places).subspan(first, count);
    }
  }
  return {};
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
// Where git's sub-command stands, argv.size() where there is none.
[[nodiscard]] std::size_t git_command_at(const std::vector<Argument>& argv);
// Whether a row of exec_options.cpp says what this option of the program does.
[[nodiscard]] bool has_exec_row(std::string_view program, std::string_view word);
// Whether a table has rows for the program.
[[nodiscard]] bool has_exec_rows(std::string_view program);
[[nodiscard]] bool has_write_rows(std::string_view program);

}  // namespace lilith::rules::shell
