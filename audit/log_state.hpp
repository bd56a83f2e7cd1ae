#pragma once
// What the lock file of a log remembers; for log.cpp only. Text, one thing a line, an empty line at
// the end:
//   ID SEQ HASH CHECK    the last line of the chain; SEQ has 20 digits; CHECK is of all the rest
//   files BYTES          of all rotated files, where a quota wants to know
//   full SINCE REFUSED   no event was taken since (microseconds since 1970), and how many were not
//   seal FIRST N...      events since the checkpoint before seq FIRST, by Action
//   unsealed             no checkpoint can be made, and the log has said so
//   policy KEY SHA256 M  a policy file that writers have loaded, the last one first; KEY tells its
//                        path, M is e (enforce) or a (audit)
// What cannot be read is as if it were not there. It is written in place, and a power cut may leave
// a part of it: then CHECK is wrong, and nothing of it counts.

#include "audit/codec.hpp"
#include "audit/event.hpp"
#include "audit/log.hpp"
#include "audit/seal.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::audit {

// The end of the log as the chain knows it. An empty id: no chain yet.
struct Head {
  std::string id;
  std::string hash{kGenesis};
  std::uint64_t seq = 0;

  friend bool operator==(const Head&, const Head&) = default;
};

struct KnownPolicy {
  std::string path_key;
  std::string sha256;
  Mode mode = Mode::kEnforce;
};

// The policies that are in force by what the log has been told, one for each path.
class KnownPolicies {
 public:
  [[nodiscard]] bool has(const PolicyInForce& policy) const;
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // What was in force before `policy` as far as is known: at its path, else the last one of all.
  [[nodiscard]] const KnownPolicy* before(const PolicyInForce& policy) const;
  void note(const PolicyInForce& policy);

  void append_to(std::string& text) const;
  void parse_row(std::string_view row);

 private:
  std::vector<KnownPolicy> rows_;  // the last noted first
};

struct Full {
  WallTime since{};
  std::uint64_t refused = 0;
};

// What the next checkpoint will count.
struct SealRange {
  std::uint64_t first = 0;
  ActionCounts counts{};
};

struct LogState {
  Head head;
  std::optional<std::uint64_t> rotated_bytes;
  std::optional<Full> full;
  std::optional<SealRange> range;
  bool unsealed = false;
  bool damaged = false;  // there was something, and it can't be relied on
  KnownPolicies policies;
};

inline constexpr std::size_t kStateBytesMax = 2048;
[[nodiscard]] LogState parse_state(std::string_view text);
[[nodiscard]] std::string to_text(const LogState& state);

}  // namespace lilith::audit
