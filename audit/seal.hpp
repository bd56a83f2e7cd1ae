#pragma once
// What a `checkpoint` event says, and what its signature covers (docs/seals.md). Writer and
// verifier share this.

#include "audit/base/result.hpp"
#include "audit/event.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::audit {

enum class SealReason {
  kBegin,     // the first one by this key in this chain
  kInterval,  // of events or of time
  kRotation,  // the last event of its file
  kStop,      // the recorder ends
  kAsked,     // lilith seal rotate
};
[[nodiscard]] std::string_view name(SealReason reason);  // as lilith.reason_code

inline constexpr std::size_t kActions = 6;
// Events by Action, in the order of the enumerators.
using ActionCounts = std::array<std::uint64_t, kActions>;
// "allowed=900 denied=12", without those that are 0; and back, nullopt for anything else.
[[nodiscard]] std::string to_text(const ActionCounts& counts);
[[nodiscard]] std::optional<ActionCounts> action_counts(std::string_view text);

// `detail` of a checkpoint event. The chain's head is the event's own chain.prev, and the range
// ends at the line before it.
struct Seal {
  std::string key;          // 16 hex: names the chain of keys (seal_key_id)
  std::uint64_t epoch = 0;  // counts by one; each has a key of its own
  std::uint64_t first = 0;  // seq of the range; the event's own seq when the range is empty
  ActionCounts counts{};    // of the range
  // The writer makes another one before more than these have passed; 0: no such bound.
  std::uint64_t events_max = 0;
  std::chrono::seconds age_max{};
  std::string next_public_key;  // 64 hex: of the next epoch, hereby certified
  std::string signature;        // 128 hex, by the secret of this epoch
};
void put_seal(Event& event, const Seal& seal);
// kInvalidInput for a checkpoint of another form.
[[nodiscard]] Result<Seal> seal_of(const Event& event);

// The first 16 hex characters of the SHA-256 of the public key of epoch 0 (its 64 hex characters).
[[nodiscard]] std::string seal_key_id(std::string_view first_public_key);

// The bytes that a checkpoint's signature covers: all that the event says but its signature,
// chain.hash and what every event repeats of its writer.
[[nodiscard]] std::string signed_text(const Event& event);

}  // namespace lilith::audit
