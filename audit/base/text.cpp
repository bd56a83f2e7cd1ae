#include "audit/base/text.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace lilith {
namespace {

// Length of the valid UTF-8 sequence at `at`, 0 when there is none (RFC 3629, table of section 4).
std::size_t sequence_length(std::string_view text, std::size_t at, std::uint32_t* code_point) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char first = byte(at);
  if (first < 0x80) {
    *code_point = first;
    return 1;
  }
  if (first >= 0xC2 && first <= 0xDF && continues(at + 1)) {
    *code_point = (first & 0x1FU) << 6 | (byte(at + 1) & 0x3FU);
    return 2;
  }
  if (first >= 0xE0 && first <= 0xEF && continues(at + 1) && continues(at + 2)) {
    const std::uint32_t cp =
        (first & 0x0FU) << 12 | (byte(at + 1) & 0x3FU) << 6 | (byte(at + 2) & 0x3FU);
    if (cp < 0x800 || (cp >= 0xD800 && cp <= 0xDFFF)) return 0;
    *code_point = cp;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4 && continues(at + 1) && continues(at + 2) &&
      continues(at + 3)) {
    const std::uint32_t cp = (first & 0x07U) << 18 | (byte(at + 1) & 0x3FU) << 12 |
                             (byte(at + 2) & 0x3FU) << 6 | (byte(at + 3) & 0x3FU);
    if (cp < 0x10000 || cp > 0x10FFFF) return 0;
    *code_point = cp;
    return 4;
  }
  return 0;
}

// Characters that change what a terminal shows around them: C0, DEL, C1, and the bidi controls of
// UAX #9.
bool drives_terminal(std::uint32_t cp) {
  return cp < 0x20 || (cp >= 0x7F && cp <= 0x9F) || cp == 0x061C || cp == 0x200E || cp == 0x200F ||
         (cp >= 0x202A && cp <= 0x202E) || (cp >= 0x2066 && cp <= 0x2069);
}

constexpr char kHex[] = "0123456789abcdef";

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t previous = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = previous;
    }
  }
  return row[b.size()];
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  std::uint32_t cp = 0;
  for (std::size_t at = 0; at < text.size();) {
    // Nearly all text is ASCII: eight bytes at once.
    constexpr std::uint64_t kHighBits = 0x8080808080808080U;
    std::uint64_t eight = 0;
    if (text.size() - at >= sizeof eight) {
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if ((eight & kHighBits) == 0) {
        at += sizeof eight;
        continue;
      }
    }
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const std::size_t length = sequence_length(text, at, &cp);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::uint32_t cp = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence_length(text, at, &cp);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++at;
    } else {
      out.append(text.substr(at, length));
      at += length;
    }
  }
  return out;
}

std::string printable(std::string_view text) {
  // Nearly all of it is plain ASCII.
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; })) {
    return std::string(text);
  }
  std::string out;
  out.reserve(text.size());
  std::uint32_t cp = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = sequence_length(text, at, &cp);
    if (length != 0 && !drives_terminal(cp)) {
      out.append(text.substr(at, length));
      at += length;
      continue;
    }
    const std::size_t bad = length == 0 ? 1 : length;
    for (std::size_t i = at; i < at + bad; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
    at += bad;
  }
  return out;
}

std::string quote(std::string_view text) { return "'" + printable(text) + "'"; }

std::string to_hex(const unsigned char* bytes, std::size_t size) {
  std::string out(size * 2, '0');
  for (std::size_t i = 0; i < size; ++i) {
    out[2 * i] = kHex[bytes[i] >> 4];
    out[2 * i + 1] = kHex[bytes[i] & 15];
  }
  return out;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

std::string_view trimmed(std::string_view text, std::string_view blanks) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string_view did_you_mean(std::string_view word,
                              const std::vector<std::string_view>& candidates) {
  std::string_view best;
  std::size_t best_distance = word.size() <= 3 ? 2 : 1 + word.size() / 3;  // exclusive bound
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace lilith
