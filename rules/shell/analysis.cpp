#include "rules/command.hpp"
#include "rules/shell/reader.hpp"

#include <algorithm>

namespace lilith::rules {
namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    if (end > at) out.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// Whether an option of the entry is given: -c also inside -lc, --force also as --force=x or a
// shorter --forc.
bool has_option(const std::vector<Argument>& argv, std::string_view option) {
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i].text;
    if (word == "--") return false;
    if (option.starts_with("--")) {
      const std::string name = word.substr(0, word.find('='));
      if (name.size() > 3 && option.starts_with(name)) return true;
    } else if (word.size() > 1 && word[0] == '-' && word[1] != '-') {
      // Every letter of the entry's bundle must be there, in any order and any bundle.
      if (std::all_of(option.begin() + 1, option.end(), [&](char letter) {
            return std::any_of(argv.begin() + 1, argv.end(), [&](const Argument& one) {
              return one.text.size() > 1 && one.text[0] == '-' && one.text[1] != '-' &&
                     one.text.find(letter, 1) != std::string::npos;
            });
          })) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

CommandAnalysis analyse_command(std::string_view text) {
  CommandAnalysis out;
  shell::read_line(text, out);
  return out;
}

CommandPattern::CommandPattern(std::string_view entry) : text_(entry), words_(words_of(entry)) {
  if (words_.empty()) return;
  program_ = words_.front();
  words_.erase(words_.begin());
}

bool CommandPattern::matches(const CommandUse& command) const {
  if (program_.empty() || command.name != program_) return false;
  auto word = command.argv.begin() + (command.argv.empty() ? 0 : 1);
  for (const std::string& wanted : words_) {
    if (wanted.starts_with('-')) {
      if (!has_option(command.argv, wanted)) return false;
      continue;
    }
    // Sub-commands in their order; options and other words may stand between.
    word = std::find_if(word, command.argv.end(),
                        [&](const Argument& one) { return one.text == wanted; });
    if (word == command.argv.end()) return false;
    ++word;
  }
  return true;
}

}  // namespace lilith::rules
