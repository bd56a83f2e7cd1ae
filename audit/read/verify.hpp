#pragma once
// `lilith verify`: nothing missing, nothing changed, nothing twice.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "audit/read/verify_key.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::audit {

enum class FindingKind {
  kMissing,     // seq numbers that no line carries
  kChanged,     // the line's bytes don't give its chain.hash
  kReordered,   // a line stands before one with a smaller seq
  kDuplicated,  // the very same line again
  kForked,      // two different lines with one seq of one chain, or a prev that names another line
  kTorn,        // the last line has no LF and was not sealed yet, or a sealed fragment
  kUnreadable,  // not an event
  kRestarted,   // a second chain begins (genesis) where one was open
  // Of seals (seal_check.hpp):
  kSealFailed,      // a signature that is not by the key of its epoch
  kSealMissing,     // epochs that no checkpoint carries
  kSealMiscounted,  // a checkpoint that counts other events than there are
  kSealRolledBack,  // an epoch twice, or fewer than were verified before
  kSealStopped,     // a tail longer or older than the checkpoints allow
  kSealUnknownKey,  // a key of which no verify key was given
  kClockSetBack,    // a checkpoint that is older than the one before it
};
inline constexpr std::size_t kFindingKinds = 15;
[[nodiscard]] std::string_view name(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::kUnreadable;
  std::string file;
  std::uint64_t line = 0;  // from 1
  std::uint64_t seq = 0;   // 0 when the line has none
  std::string chain_id;
  std::string message;  // one sentence
  std::string host;     // of findings of seals
};

// How far the seals of one verify key reach.
struct SealedUpTo {
  std::string host, key;
  std::uint64_t verified = 0, unverified = 0;  // checkpoints; those behind one that failed
  bool taken_apart = false;  // there are checkpoints in a form in which they can't be verified
  // The last one that was verified, where there is one; by `remembered` an earlier time:
  bool remembered = false;
  std::string chain_id, hash, next_public_key;
  std::uint64_t epoch = 0, seq = 0;
  WallTime time{};
  std::uint64_t tail = 0;  // seqs of its chain behind it
  WallTime tail_time{};    // of the newest of them
};

struct VerifyReport {
  struct Chain {
    std::string id;
    std::uint64_t first_seq = 0, last_seq = 0, events = 0;
    std::string head;  // chain.hash of the last line
  };
  std::vector<Chain> chains;
  std::vector<SealedUpTo> seals;
  std::vector<Finding> findings;  // at most findings_max, in order
  std::uint64_t findings_total = 0;
  std::array<std::uint64_t, kFindingKinds> by_kind{};  // of findings_total
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;
  bool incomplete_input = false;          // a file could not be read to its end
  std::vector<std::string> input_errors;  // which, and why

  [[nodiscard]] bool intact() const { return findings_total == 0 && !incomplete_input; }
};

struct VerifyOptions {
  std::size_t findings_max = 1000;
  bool start_may_be_missing =
      true;                     // the first seq seen need not be 1 (older files were moved away)
  std::vector<VerifyKey> keys;  // empty: seals are not looked at
};

// Reads the files in the order given (a directory or a log path stands for its rotated files,
// oldest first, then the log itself).
[[nodiscard]] Result<VerifyReport> verify(const std::vector<std::string>& files,
                                          const VerifyOptions& options = {});

// Writes `file` anew where it has other bytes: `keys`, and for each of them how far it was
// verified.
[[nodiscard]] Result<void> remember_seals(const std::string& file,
                                          const std::vector<VerifyKey>& keys,
                                          const std::vector<SealedUpTo>& seals);

// For people: findings, then per chain the head by which a cut tail can be noticed (the chain alone
// does not show that), then one line that says it all.
[[nodiscard]] std::string to_text(const VerifyReport& report);
[[nodiscard]] std::string to_json(const VerifyReport& report);
// 0 intact, 1 findings, 3 no finding but not all of the input could be read.
[[nodiscard]] int exit_code(const VerifyReport& report);

}  // namespace lilith::audit
