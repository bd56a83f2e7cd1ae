#pragma once
// Event <-> one line of JSON. encode(decode(line)) is the line itself for every line that this
// codec wrote, and keeps unknown members byte for byte in every other.

#include "audit/base/result.hpp"
#include "audit/event.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace lilith::audit {

// The line without LF, chain members as they stand in the event. Values above
// limits::kEventValueBytesMax are cut and listed in `truncated`; a line above
// limits::kEventLineBytesMax loses further values, longest first, the same way. A value that
// matches ^ *\[ is written with one more leading blank (Wazuh would turn it into an array).
[[nodiscard]] std::string encode(const Event& event);

// Reuses its memory from line to line; one thread at a time.
class Decoder {
 public:
  Decoder();
  ~Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;

  // Refuses what is not a JSON object of schema 1 and names the member that is wrong. `event` is
  // reset first.
  [[nodiscard]] Result<void> decode(std::string_view line, Event& event);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
[[nodiscard]] Result<Event> decode(std::string_view line);

// chain.hash of a line (docs/event.md): SHA-256 over prev as 64 hex characters, 0x00, and the
// line's bytes without LF in which the value of chain.hash is empty.
inline constexpr std::string_view kGenesis =
    "0000000000000000000000000000000000000000000000000000000000000000";
[[nodiscard]] std::string chain_hash(std::string_view prev_hex,
                                     std::string_view line_with_empty_hash);

// What the chain needs of a line, without decoding the rest of it; views into `line`.
struct ChainFields {
  std::string_view id, prev, hash;
  std::uint64_t seq = 0;
  std::size_t hash_at = 0;  // offset of the 64 characters of chain.hash in the line
};
[[nodiscard]] Result<ChainFields> chain_fields(std::string_view line);

}  // namespace lilith::audit
