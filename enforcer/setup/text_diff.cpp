#include "enforcer/setup/text_diff.hpp"

#include "audit/base/text.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lilith::enforcer::setup {
namespace {

constexpr std::size_t kContext = 3;
// Above this many pairs of lines the changed middle is shown as a whole.
constexpr std::size_t kPairsMax = 4'000'000;

std::vector<std::string_view> lines_with_ends(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
    out.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return out;
}

struct Line {
  char mark;  // ' ', '-', '+'
  std::string_view text;
};

// The longest common subsequence, by the table of its lengths.
std::vector<Line> compare(const std::vector<std::string_view>& a,
                          const std::vector<std::string_view>& b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> length;
  const bool small = (a.size() + 1) <= kPairsMax / width;
  if (small) {
    length.assign((a.size() + 1) * width, 0);
    for (std::size_t i = a.size(); i-- > 0;) {
      for (std::size_t j = b.size(); j-- > 0;) {
        length[i * width + j] =
            a[i] == b[j] ? length[(i + 1) * width + j + 1] + 1
                         : std::max(length[(i + 1) * width + j], length[i * width + j + 1]);
      }
    }
  }
  std::vector<Line> out;
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (small && i < a.size() && j < b.size() && a[i] == b[j]) {
      out.push_back({' ', a[i++]});
      ++j;
    } else if (i < a.size() && (j == b.size() || !small ||
                                length[(i + 1) * width + j] >= length[i * width + j + 1])) {
      out.push_back({'-', a[i++]});
    } else {
      out.push_back({'+', b[j++]});
    }
  }
  return out;
}

std::string range(std::size_t first, std::size_t count) {
  return std::to_string(count == 0 ? first : first + 1) + "," + std::to_string(count);
}

void put_line(const Line& line, std::string& out) {
  std::string_view text = line.text;
  const bool ended = text.ends_with('\n');
  if (ended) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  out += line.mark;
  while (true) {  // tabs are kept
    const std::size_t tab = text.find('\t');
    out += printable(text.substr(0, tab));
    if (tab == std::string_view::npos) break;
    out += '\t';
    text.remove_prefix(tab + 1);
  }
  out += '\n';
  if (!ended) out += "\\ No newline at end of file\n";
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after,
                         std::string_view before_name, std::string_view after_name) {
  if (before == after) return {};
  const std::vector<Line> lines = compare(lines_with_ends(before), lines_with_ends(after));
  std::string out = "--- " + printable(before_name) + "\n+++ " + printable(after_name) + "\n";
  std::size_t old_line = 0, new_line = 0;
  for (std::size_t i = 0; i < lines.size();) {
    std::size_t change = i;
    while (change < lines.size() && lines[change].mark == ' ') ++change;
    if (change == lines.size()) break;
    const std::size_t begin = std::max(i, change - std::min(change, kContext));
    std::size_t end = change, last = change;  // up to where changes lie close together
    for (; end < lines.size() && end - last <= 2 * kContext; ++end) {
      if (lines[end].mark != ' ') last = end;
    }
    end = std::min(last + kContext + 1, lines.size());
    old_line += begin - i;
    new_line += begin - i;
    std::string hunk;
    std::size_t old_count = 0, new_count = 0;
    for (std::size_t k = begin; k < end; ++k) {
      put_line(lines[k], hunk);
      if (lines[k].mark != '+') ++old_count;
      if (lines[k].mark != '-') ++new_count;
    }
    out += "@@ -" + range(old_line, old_count) + " +" + range(new_line, new_count) + " @@\n" + hunk;
    old_line += old_count;
    new_line += new_count;
    i = end;
  }
  return out;
}

}  // namespace lilith::enforcer::setup
