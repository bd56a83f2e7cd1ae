// passwd(5), group(5) and nsswitch.conf(5) as text.

#include "audit/base/users.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>

namespace lilith {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kBlanks));
  text.remove_prefix(word.size());
  return word;
}

// Whether an entry that the file has is the answer, whatever else is configured.
bool files_answer_first(std::string_view nsswitch, std::string_view database) {
  while (!nsswitch.empty()) {
    std::string_view line = next_line(nsswitch);
    line = line.substr(0, line.find('#'));
    std::string_view word = next_word(line);
    if (!word.starts_with(database)) continue;
    word.remove_prefix(database.size());
    if (word.empty()) word = next_word(line);
    if (!word.starts_with(':')) continue;
    word.remove_prefix(1);
    if (word.empty()) word = next_word(line);
    return word == "files" && !next_word(line).starts_with('[');
  }
  return false;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Splits at every ':'; false when there are not exactly as many fields.
bool split(std::string_view line, std::span<std::string_view> fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t colon = line.find(':');
    const bool last = i + 1 == fields.size();
    if (last != (colon == std::string_view::npos)) return false;
    fields[i] = line.substr(0, colon);
    if (!last) line.remove_prefix(colon + 1);
  }
  return true;
}

// "+" and "-" begin entries of the `compat` service.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name[0] != '+' && name[0] != '-';
}

std::unexpected<Error> ask_name_service(std::string_view what) {
  return fail(ErrorCode::kUnavailable, std::string(what) + " is a matter for the name service");
}

}  // namespace

Result<UserEntry> user_in_files(std::string_view nsswitch, std::string_view passwd,
                                std::uint32_t uid) {
  if (!files_answer_first(nsswitch, "passwd")) return ask_name_service("the user");
  while (!passwd.empty()) {
    const std::string_view line = next_line(passwd);
    std::array<std::string_view, 7> fields;
    if (!split(line, fields) || !is_plain_name(fields[0]) || !number(fields[3])) break;
    const auto id = number(fields[2]);
    if (!id) break;
    if (*id == uid) return UserEntry{std::string(fields[0]), std::string(fields[5])};
  }
  return ask_name_service("the user");
}

Result<std::uint32_t> group_in_files(std::string_view nsswitch, std::string_view group,
                                     std::string_view name) {
  if (!files_answer_first(nsswitch, "group")) return ask_name_service("the group");
  while (!group.empty()) {
    const std::string_view line = next_line(group);
    std::array<std::string_view, 4> fields;
    if (!split(line, fields) || !is_plain_name(fields[0])) break;
    const auto id = number(fields[2]);
    if (!id) break;
    if (fields[0] == name) return *id;
  }
  return ask_name_service("the group");
}

}  // namespace lilith
