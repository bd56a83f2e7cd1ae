#include "audit/read/chain_fact.hpp"

#include "audit/base/sha256.hpp"

#include <array>

namespace lilith::audit {
namespace {

constexpr unsigned kNoDigit = 16;

// By byte: each line has 192 of these digits.
constexpr std::array<std::uint8_t, 256> kDigits = [] {
  std::array<std::uint8_t, 256> out{};
  out.fill(kNoDigit);
  for (unsigned i = 0; i < 10; ++i) out['0' + i] = static_cast<std::uint8_t>(i);
  for (unsigned i = 0; i < 6; ++i) out['a' + i] = static_cast<std::uint8_t>(10 + i);
  return out;
}();

unsigned digit(char c) { return kDigits[static_cast<unsigned char>(c)]; }

// 16 characters; false when one of them is no lower-case hexadecimal digit.
bool read_word(std::string_view hex, std::uint64_t& out) {
  out = 0;
  unsigned bad = 0;
  for (const char c : hex) {
    const unsigned value = digit(c);
    bad |= value & kNoDigit;
    out = out << 4 | (value & 15U);
  }
  return bad == 0;
}

}  // namespace

std::optional<ChainDigest> chain_digest(std::string_view hex) {
  if (hex.size() != kGenesis.size()) return std::nullopt;
  std::array<std::uint64_t, 4> words{};
  for (std::size_t i = 0; i < words.size(); ++i)
    if (!read_word(hex.substr(16 * i, 16), words[i])) return std::nullopt;
  return ChainDigest{words[0], words[1]};
}

bool hash_holds(std::string_view line, const ChainFields& fields) {
  const auto bytes = Sha256()
                         .update(fields.prev)
                         .update(std::string_view("\0", 1))
                         .update(line.substr(0, fields.hash_at))
                         .update(line.substr(fields.hash_at + fields.hash.size()))
                         .finish();
  if (fields.hash.size() != 2 * bytes.size()) return false;
  unsigned different = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    different |= (digit(fields.hash[2 * i]) << 4 | digit(fields.hash[2 * i + 1])) ^ bytes[i];
  return different == 0;
}

}  // namespace lilith::audit
