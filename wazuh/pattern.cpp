#include "wazuh/pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <functional>
#include <pcre2.h>
#include <vector>

namespace lilith::wazuh {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
  return out;
}

struct Alternative {
  std::string text;  // lower case
  bool at_begin = false;
  bool at_end = false;

  [[nodiscard]] bool matches(std::string_view value) const {
    if (at_begin && at_end) return value == text;
    if (at_begin) return value.starts_with(text);
    if (at_end) return value.ends_with(text);
    return value.find(text) != std::string_view::npos;
  }
};

// One alternative of OSREGEX or OSMATCH; both give ^ and $ a meaning at the ends only.
Alternative alternative(std::string_view text) {
  Alternative out;
  if (text.starts_with('^')) {
    out.at_begin = true;
    text.remove_prefix(1);
  }
  if (text.ends_with('$')) {
    out.at_end = true;
    text.remove_suffix(1);
  }
  out.text = lower(text);
  return out;
}

struct CodeDeleter {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct MatchDeleter {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

PCRE2_SPTR bytes(std::string_view text) {
  return static_cast<PCRE2_SPTR>(static_cast<const void*>(text.data()));
}

// ---- OSREGEX (documentation.wazuh.com, "Regular expression syntax")

// What stands for one character: a set of bytes, and its PCRE2 spelling.
struct Atom {
  std::array<bool, 256> set{};
  std::string pcre2;
};

Atom atom_of(std::string_view members, bool inverted) {
  Atom out;
  for (const char c : members) out.set[static_cast<unsigned char>(c)] = true;
  if (inverted) std::transform(out.set.begin(), out.set.end(), out.set.begin(), std::logical_not{});
  out.pcre2 = inverted ? "[^" : "[";
  for (const char c : members) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    out.pcre2 += "\\x";
    out.pcre2 += kHex[byte >> 4U];
    out.pcre2 += kHex[byte & 15U];
  }
  out.pcre2 += "]";
  return out;
}

Atom literal(char c) {
  const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return atom_of(std::string{lower(c), upper}, false);
}

std::optional<Atom> class_of(char letter) {
  constexpr std::string_view kDigits = "0123456789";
  constexpr std::string_view kWord =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-@_";
  constexpr std::string_view kPunctuation = "()*+,-.:;<=>?[]!\"'#$%&|{}";
  switch (letter) {
    case 'd':
    case 'D':
      return atom_of(kDigits, letter == 'D');
    case 'w':
    case 'W':
      return atom_of(kWord, letter == 'W');
    case 's':
    case 'S':
      return atom_of(" ", letter == 'S');
    case 't':
      return atom_of("\t", false);
    case 'p':
      return atom_of(kPunctuation, false);
    case '.': {
      Atom any;
      any.set.fill(true);
      any.pcre2 = "(?s:.)";
      return any;
    }
    case '$':
    case '(':
    case ')':
    case '\\':
    case '|':
    case '<':
      return literal(letter);
    default:
      return std::nullopt;
  }
}

struct Piece {
  Atom atom;
  bool is_class = false;
  char repeat = 0;  // + or *
};

std::unexpected<Error> unsupported(std::string_view text, std::string_view why) {
  return fail(ErrorCode::kInvalidInput, "not supported: pattern '" + std::string(text) + "' (" +
                                            std::string(why) + "); write it with type=\"pcre2\"");
}

Result<std::vector<Piece>> pieces_of(std::string_view text) {
  std::vector<Piece> out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '(' || c == ')') return unsupported(text, "groups");
    if ((c == '+' || c == '*') && !out.empty() && out.back().is_class && out.back().repeat == 0) {
      out.back().repeat = c;
      continue;
    }
    if (c == '+' || c == '*')
      return unsupported(text, "a repetition of something else than a class");
    if (c != '\\') {
      out.push_back({literal(c), false, 0});
      continue;
    }
    const auto known = i + 1 < text.size() ? class_of(text[++i]) : std::nullopt;
    if (!known) return unsupported(text, "an unknown escape");
    out.push_back({*known, true, 0});
  }
  return out;
}

// One alternative. A repetition is taken where what follows it can't be part of it: then greedy,
// lazy and OSREGEX's own way all agree.
Result<std::string> pcre2_of(std::string_view text) {
  const bool at_begin = text.starts_with('^');
  if (at_begin) text.remove_prefix(1);
  const bool at_end = text.ends_with('$') && !text.ends_with("\\$");
  if (at_end) text.remove_suffix(1);
  auto pieces = pieces_of(text);
  if (!pieces) return pass_error(pieces);
  std::string out = at_begin ? "\\A" : "";
  for (std::size_t i = 0; i < pieces->size(); ++i) {
    const Piece& piece = (*pieces)[i];
    out += piece.atom.pcre2;
    if (piece.repeat == 0) continue;
    out += piece.repeat;
    if (i + 1 == pieces->size()) continue;
    const Piece& next = (*pieces)[i + 1];
    if (next.repeat == '*') return unsupported(text, "a repetition before another one");
    for (std::size_t byte = 0; byte < piece.atom.set.size(); ++byte) {
      if (piece.atom.set[byte] && next.atom.set[byte]) {
        return unsupported(text, "a repetition before what may be part of it");
      }
    }
  }
  return at_end ? out + "\\z" : out;
}

Result<std::string> pcre2_of_alternatives(std::string_view text) {
  std::string out;
  while (true) {
    std::size_t bar = text.find('|');
    while (bar != std::string_view::npos && bar > 0 && text[bar - 1] == '\\') {
      bar = text.find('|', bar + 1);
    }
    auto one = pcre2_of(text.substr(0, bar));
    if (!one) return one;
    out += *one;
    if (bar == std::string_view::npos) return out;
    out += '|';
    text.remove_prefix(bar + 1);
  }
}

// ---- addresses

struct AddressBlock {
  bool any = false;
  int family = AF_INET;
  std::array<unsigned char, 16> bytes{};
  unsigned bits = 0;

  static std::optional<AddressBlock> parse(std::string_view text) {
    AddressBlock out;
    out.any = text == "any";
    if (out.any) return out;
    const std::size_t slash = text.find('/');
    const std::string address(text.substr(0, slash));
    out.family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
    if (::inet_pton(out.family, address.c_str(), out.bytes.data()) != 1) return std::nullopt;
    const unsigned all = out.family == AF_INET ? 32 : 128;
    out.bits = all;
    if (slash == std::string_view::npos) return out;
    const std::string_view bits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), out.bits);
    if (error != std::errc() || end != bits.data() + bits.size() || out.bits > all)
      return std::nullopt;
    return out;
  }
  [[nodiscard]] bool contains(const AddressBlock& one) const {
    if (any) return true;
    if (family != one.family) return false;
    for (unsigned bit = 0; bit < bits; ++bit) {
      const unsigned mask = 0x80U >> (bit % 8);
      if (((bytes[bit / 8] ^ one.bytes[bit / 8]) & mask) != 0) return false;
    }
    return true;
  }
};

}  // namespace

struct Pattern::Impl {
  bool negate = false;
  std::vector<Alternative> alternatives;          // OSMATCH
  std::unique_ptr<pcre2_code, CodeDeleter> code;  // PCRE2, OSREGEX
  std::optional<std::string> whole;
  std::optional<AddressBlock> block;

  [[nodiscard]] bool matches(std::string_view value) const;
};

Pattern::Pattern(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

namespace {

Result<pcre2_code*> compile_pcre2(std::string_view text) {
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code = pcre2_compile(bytes(text), text.size(), 0, &error, &at, nullptr);
  if (code != nullptr) return code;
  std::array<PCRE2_UCHAR, 256> message{};
  pcre2_get_error_message(error, message.data(), message.size());
  return fail(ErrorCode::kInvalidInput,
              "pcre2 pattern '" + std::string(text) + "' at " + std::to_string(at) + ": " +
                  std::string(message.begin(), std::find(message.begin(), message.end(), 0)));
}

}  // namespace

Result<Pattern> Pattern::compile(PatternKind kind, std::string_view text) {
  auto impl = std::make_unique<Impl>();
  if (kind == PatternKind::kPcre2 || kind == PatternKind::kOsRegex) {
    std::string pcre2(text);
    if (kind == PatternKind::kOsRegex) {
      auto translated = pcre2_of_alternatives(text);
      if (!translated) return pass_error(translated);
      pcre2 = std::move(*translated);
    }
    auto code = compile_pcre2(pcre2);
    if (!code) return pass_error(code);
    impl->code.reset(*code);
    return Pattern(std::move(impl));
  }
  if (kind == PatternKind::kWhole) {
    impl->whole = text;
    return Pattern(std::move(impl));
  }
  if (text.starts_with('!')) {
    impl->negate = true;
    text.remove_prefix(1);
  }
  if (kind == PatternKind::kAddress) {
    impl->block = AddressBlock::parse(text);
    if (impl->block) return Pattern(std::move(impl));
    return fail(ErrorCode::kInvalidInput, "'" + std::string(text) + "' is no IP address or block");
  }
  if (text.find('\\') != std::string_view::npos) return unsupported(text, "a backslash");
  for (;;) {
    const std::size_t bar = text.find('|');
    impl->alternatives.push_back(alternative(text.substr(0, bar)));
    if (bar == std::string_view::npos) break;
    text.remove_prefix(bar + 1);
  }
  return Pattern(std::move(impl));
}

bool Pattern::Impl::matches(std::string_view value) const {
  if (whole) return value == *whole;
  if (block) {
    const auto one = AddressBlock::parse(value);
    return one && block->contains(*one);
  }
  const std::string folded = lower(value);
  return std::any_of(alternatives.begin(), alternatives.end(),
                     [&](const Alternative& a) { return a.matches(folded); });
}

std::optional<std::size_t> Pattern::match_end(std::string_view value) const {
  if (!impl_->code) return std::nullopt;
  const std::unique_ptr<pcre2_match_data, MatchDeleter> data(
      pcre2_match_data_create_from_pattern(impl_->code.get(), nullptr));
  const int found =
      pcre2_match(impl_->code.get(), bytes(value), value.size(), 0, 0, data.get(), nullptr);
  if (found < 0) return std::nullopt;
  return pcre2_get_ovector_pointer(data.get())[1];
}

bool Pattern::matches(std::string_view value) const {
  if (impl_->code) return match_end(value).has_value();
  return impl_->matches(value) != impl_->negate;
}

}  // namespace lilith::wazuh
