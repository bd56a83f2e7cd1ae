#pragma once
// A canonical host made ready for the lists of a policy, once for all of them.

#include "audit/base/eight_bytes.hpp"
#include "rules/host.hpp"
#include "rules/text_arena.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace lilith::rules {

// Every byte of a text of up to eight, and of no other place.
[[nodiscard]] inline std::uint64_t few_bytes(std::string_view text) {
  const std::size_t size = text.size();
  if (size >= 4) {
    std::uint32_t first = 0, last = 0;
    std::memcpy(&first, text.data(), sizeof first);
    std::memcpy(&last, text.data() + size - sizeof last, sizeof last);
    return first | std::uint64_t{last} << 32U;
  }
  if (size == 0) return 0;
  const auto byte = [text](std::size_t at) {
    return std::uint64_t{static_cast<unsigned char>(text[at])};
  };
  return byte(0) | byte(size / 2) << 8U | byte(size - 1) << 16U;
}

// Hashes of a name by its labels from the last one on, so that who has the hash of "example.com"
// goes on to that of "api.example.com". Names with one hash need not be equal: who looks up
// compares. It need not withstand chosen names: a table holds those of the policy only.
inline constexpr std::uint64_t kHostHashStart = 0x9E37'79B9'7F4A'7C15U;
[[nodiscard]] inline std::uint64_t hash_label(std::uint64_t hash, std::string_view label) {
  constexpr std::uint64_t kFactor = 0xD6E8'FEB8'6659'FD93U;
  const auto mix = [&hash](std::uint64_t bytes) {
    hash = (hash ^ bytes) * kFactor;
    hash ^= hash >> 32U;
  };
  hash += label.size();
  while (label.size() > sizeof(std::uint64_t)) {
    mix(eight_bytes(label, 0));
    label.remove_prefix(sizeof(std::uint64_t));
  }
  mix(few_bytes(label));
  return hash;
}
[[nodiscard]] inline std::uint64_t host_hash(std::string_view name) {
  std::uint64_t hash = kHostHashStart;
  for (std::size_t end = name.size();;) {
    const std::size_t dot = name.substr(0, end).rfind('.');
    const std::size_t begin = dot == std::string_view::npos ? 0 : dot + 1;
    hash = hash_label(hash, name.substr(begin, end - begin));
    if (begin == 0) return hash;
    end = begin - 1;
  }
}

// Views of what it is made from.
class HostKey {
 public:
  // The host's name from one of its labels on.
  struct Ending {
    std::uint64_t hash;
    std::size_t at;
  };

  // Of a name, in the spelling that canonical_host() gives.
  HostKey(std::string_view name, TextArena& texts) : text_(name) { find_endings(texts); }
  HostKey(const CanonicalHost& host, TextArena& texts)
      : text_(host.text), address_(host.is_address ? &host : nullptr) {
    if (!host.is_address) find_endings(texts);
  }

  [[nodiscard]] std::string_view text() const { return text_; }
  // Null when it is a name.
  [[nodiscard]] const CanonicalHost* address() const { return address_; }
  // The whole name first, then shorter and shorter ones; none of an address.
  [[nodiscard]] std::span<const Ending> endings() const { return {endings_, count_}; }

 private:
  void find_endings(TextArena& texts) {
    // Room for any text, with empty labels, too.
    auto* const endings = texts.room_for<Ending>(text_.size() + 1);
    std::size_t labels = 0;
    endings[labels++].at = 0;
    for (std::size_t at = 0; at < text_.size(); at += sizeof(std::uint64_t)) {
      for (std::uint64_t dots = bytes_equal(eight_bytes(text_, at), '.'); dots != 0;
           dots &= dots - 1) {
        endings[labels++].at = at + first_byte(dots) + 1;
      }
    }
    std::uint64_t hash = kHostHashStart;
    std::size_t end = text_.size();
    for (std::size_t i = labels; i > 0; --i) {
      Ending& one = endings[i - 1];
      hash = hash_label(hash, text_.substr(one.at, end - one.at));
      one.hash = hash;
      end = one.at - 1;
    }
    endings_ = endings;
    count_ = labels;
  }

  std::string_view text_;
  const CanonicalHost* address_ = nullptr;
  const Ending* endings_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace lilith::rules
