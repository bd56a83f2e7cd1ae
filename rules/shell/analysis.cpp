#include "rules/command.hpp"
#include "rules/shell/reader.hpp"

#include <algorithm>
#include <array>

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

// Short and long names of one option, where block entries use either: git-push(1), git-clean(1),
// git-commit(1), rm(1), cp(1), chmod(1).
struct Synonym {
  std::string_view program;
  std::string_view sub;
  char letter;
  std::string_view option;
};
constexpr std::array kSynonyms{
    Synonym{"git", "push", 'f', "--force"},   Synonym{"git", "push", 'd', "--delete"},
    Synonym{"git", "clean", 'f', "--force"},  Synonym{"git", "checkout", 'f', "--force"},
    Synonym{"git", "branch", 'f', "--force"}, Synonym{"git", "branch", 'd', "--delete"},
    Synonym{"git", "add", 'f', "--force"},    Synonym{"git", "commit", 'n', "--no-verify"},
    Synonym{"rm", "", 'r', "--recursive"},    Synonym{"rm", "", 'R', "--recursive"},
    Synonym{"rm", "", 'f', "--force"},        Synonym{"cp", "", 'r', "--recursive"},
    Synonym{"cp", "", 'R', "--recursive"},    Synonym{"chmod", "", 'R', "--recursive"},
    Synonym{"chown", "", 'R', "--recursive"}, Synonym{"mv", "", 'f', "--force"},
};

bool has_letter(const std::vector<Argument>& argv, char letter) {
  return std::any_of(argv.begin() + 1, argv.end(), [&](const Argument& one) {
    return one.text.size() > 1 && one.text[0] == '-' && one.text[1] != '-' &&
           one.text.find(letter, 1) != std::string::npos;
  });
}

bool has_long(const std::vector<Argument>& argv, std::string_view option) {
  for (std::size_t i = 1; i < argv.size() && argv[i].text != "--"; ++i) {
    const std::string name = argv[i].text.substr(0, argv[i].text.find('='));
    if (name.size() > 3 && option.starts_with(name)) return true;
  }
  return false;
}

// The same option under its other name, or as git writes it without one.
bool has_synonym(const std::vector<Argument>& argv, std::string_view sub, std::string_view option) {
  const auto of_call = [&](const Synonym& row) {
    return row.program == argv[0].text && (row.sub.empty() || row.sub == sub);
  };
  if (option.starts_with("--")) {
    // `git push origin +main` forces that ref.
    const bool refs = argv[0].text == "git" && sub == "push" && option == "--force" &&
                      std::any_of(argv.begin() + 1, argv.end(),
                                  [](const Argument& one) { return one.text.starts_with('+'); });
    return refs || std::any_of(kSynonyms.begin(), kSynonyms.end(), [&](const Synonym& row) {
             return of_call(row) && row.option == option && has_letter(argv, row.letter);
           });
  }
  return option.size() > 1 && std::all_of(option.begin() + 1, option.end(), [&](char letter) {
           if (has_letter(argv, letter)) return true;
           return std::any_of(kSynonyms.begin(), kSynonyms.end(), [&](const Synonym& row) {
             if (!of_call(row) || row.letter != letter) return false;
             return has_long(argv, row.option) ||
                    std::any_of(kSynonyms.begin(), kSynonyms.end(), [&](const Synonym& other) {
                      return of_call(other) && other.option == row.option &&
                             has_letter(argv, other.letter);
                    });
           });
         });
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
      const std::string_view sub = words_[0].starts_with('-') ? "" : std::string_view(words_[0]);
      if (!has_option(command.argv, wanted) && !has_synonym(command.argv, sub, wanted)) {
        return false;
      }
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
