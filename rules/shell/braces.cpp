#include "rules/shell/braces.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

namespace lilith::rules {
namespace {

// The commas and the end of the brace expression that begins at `open`; no end: it is no
// expression, and the shell takes the brace as it is.
struct Braces {
  std::vector<std::size_t> commas;
  std::size_t close = std::string_view::npos;
  bool sequence = false;
};

Braces braces_at(std::string_view text, std::size_t open) {
  Braces out;
  std::size_t depth = 0;
  for (std::size_t i = open + 1; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == ',' && depth == 0) out.commas.push_back(i);
    if (text[i] != '}') continue;
    if (depth-- > 0) continue;
    out.close = i;
    out.sequence = out.commas.empty() && text.substr(open, i - open).find("..") < i;
    break;
  }
  return out;
}

}  // namespace

std::vector<std::string> expand_braces(std::string_view text, std::size_t words_max) {
  std::vector<std::string> done;
  std::vector<std::string> open{std::string(text)};
  while (!open.empty()) {
    std::string word = std::move(open.back());
    open.pop_back();
    Braces braces;
    std::size_t from = word.find('{');
    for (; from != std::string::npos; from = word.find('{', from + 1)) {
      braces = braces_at(word, from);
      if (braces.close != std::string_view::npos && (braces.sequence || !braces.commas.empty()))
        break;
    }
    if (from == std::string::npos) {
      done.push_back(std::move(word));
      continue;
    }
    if (braces.sequence || done.size() + open.size() + braces.commas.size() + 1 > words_max) {
      word.replace(from, braces.close - from + 1, "*");
      open.push_back(std::move(word));
      continue;
    }
    braces.commas.push_back(braces.close);
    for (std::size_t i = 0, at = from + 1; i < braces.commas.size(); at = braces.commas[i++] + 1) {
      open.push_back(word.substr(0, from) + word.substr(at, braces.commas[i] - at) +
                     word.substr(braces.close + 1));
    }
  }
  std::reverse(done.begin(), done.end());  // as the shell orders them
  return done;
}

std::vector<std::string> expand_sequences(std::string_view text, std::size_t words_max) {
  const std::size_t open = text.find('{');
  const std::size_t close = text.find('}');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  const std::string_view inner = text.substr(open + 1, close - open - 1);
  const std::size_t dots = inner.find("..");
  if (dots == std::string_view::npos) {
    std::vector<std::string> words = expand_braces(text, words_max);
    const bool whole = std::none_of(words.begin(), words.end(), [](const std::string& one) {
      return one.find_first_of("{}*") != std::string::npos;
    });
    return whole && words.size() > 1 ? words : std::vector<std::string>();
  }
  std::vector<std::string> out =
      numbers_between(inner.substr(0, dots), inner.substr(dots + 2), words_max);
  for (std::string& one : out) {
    one = std::string(text.substr(0, open)) + one + std::string(text.substr(close + 1));
    if (one.find_first_of("{}") != std::string::npos) return {};
  }
  return out;
}

std::vector<std::string> numbers_between(std::string_view first, std::string_view last,
                                         std::size_t words_max) {
  const auto number = [](std::string_view text) {
    const bool is = !text.empty() && text.size() < 7 && (text == "0" || text[0] != '0') &&
                    text.find_first_not_of("0123456789") == std::string_view::npos;
    return is ? std::optional(std::stoul(std::string(text))) : std::nullopt;
  };
  const auto from = number(first), to = number(last);
  std::vector<std::string> out;
  if (!from || !to || *to < *from || *to - *from >= words_max) return out;
  for (std::size_t i = *from; i <= *to; ++i) out.push_back(std::to_string(i));
  return out;
}

}  // namespace lilith::rules
