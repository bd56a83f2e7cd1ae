#pragma once
// When a log wants its next checkpoint, and what that counts; for log.cpp only.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "audit/log.hpp"
#include "audit/log_state.hpp"
#include "audit/seal_key.hpp"

#include <cstdint>
#include <optional>

namespace lilith::audit {

// Why the event after `head` needs a checkpoint in front of it at `now`; nullopt: it needs none.
[[nodiscard]] std::optional<SealReason> due_seal(const SealOptions& options, const SealKey& key,
                                                 const Head& head, WallTime now);

// Whether one will be due within a sixteenth of the interval; `asks`: also for writers that should
// make it now, all of those that are near by age, and some of those by number, lest hundreds come
// at once.
struct SealNear {
  bool near = false, asks = false;
};
[[nodiscard]] SealNear near_seal(const SealOptions& options, const SealKey& key, const Head& head,
                                 WallTime now);

// Counts the events behind line `sealed_seq` in the log file `fd` of `size` bytes.
[[nodiscard]] Result<SealRange> count_range(int fd, std::uint64_t size, std::uint64_t sealed_seq);

}  // namespace lilith::audit
