#pragma once
// Suggestions gone through one by one by a person: what was decided of each, the policy that comes
// of it, and what a terminal shows. Who reads keys or lines stands in review_command.cpp and
// review_screen.cpp.

#include "replay/suggest.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::replay {

enum class Choice { kOpen, kAccepted, kRejected };
[[nodiscard]] std::string_view name(Choice choice);  // open, accepted, rejected

struct ReviewCounts {
  std::size_t accepted = 0, rejected = 0, open = 0;
};

class Review {
 public:
  // Nothing is decided yet, whatever `suggested` proposes. `days` are those it was learned from.
  Review(SuggestedPolicy suggested, std::shared_ptr<const rules::Policy> base,
         std::string base_yaml, DayRange days);

  [[nodiscard]] const std::vector<Suggestion>& suggestions() const {
    return suggested_.suggestions;
  }
  [[nodiscard]] Choice choice(std::size_t index) const;
  [[nodiscard]] ReviewCounts counts() const;
  // An error when it can't be accepted: a risk that has to be accepted by name, a secret that it
  // would open. Then nothing changes.
  [[nodiscard]] Result<void> choose(std::size_t index, Choice choice);

  // The base with what was accepted.
  [[nodiscard]] Result<std::string> yaml() const;

  // What was decided, as one JSON object with LF, and back. Decisions on what is no longer
  // suggested are kept; what can no longer be accepted is open again, and said so in the result.
  [[nodiscard]] std::string decisions() const;
  [[nodiscard]] Result<std::vector<std::string>> resume(std::string_view decisions);

 private:
  [[nodiscard]] Result<std::string> yaml_with(const Suggestion* one_more) const;
  [[nodiscard]] Result<void> may_accept(const Suggestion& one) const;

  SuggestedPolicy suggested_;
  std::shared_ptr<const rules::Policy> base_;
  std::string base_yaml_;
  DayRange days_;
  std::map<std::string, Choice> choices_;  // by key_of
};

// What a terminal shows. A mark stands before each entry, so that colour only helps:
// [+] accepted, [-] rejected, [ ] open, [!] left to a person.
struct ScreenLine {
  enum class Tone { kPlain, kTitle, kAccepted, kRejected, kHeld };
  std::string text;  // at most as many bytes as there are columns
  Tone tone = Tone::kPlain;
  bool selected = false;
};
// Exactly `rows` lines; the selected entry is among them wherever there is one row. `message` takes
// the place of the keys.
[[nodiscard]] std::vector<ScreenLine> render(const Review& review, std::size_t cursor,
                                             std::string_view message, std::size_t rows,
                                             std::size_t columns);
// "[ ]  12 command     jq"
[[nodiscard]] std::string entry_line(const Review& review, std::size_t index);

}  // namespace lilith::replay
