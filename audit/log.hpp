#pragma once
// Appending to the audit log. One interface, two ways: directly to the file, or through the
// recorder.
//
// Promises (docs/event.md): when append() returns a value, the whole line is in the file (one
// write(2) with O_APPEND under the lock); lines of hundreds of processes never mix and form one
// linear chain; a torn last line is closed by LF and a log_sealed event, never deleted.

#include "audit/base/clock.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/result.hpp"
#include "audit/event.hpp"
#include "audit/seal.hpp"
#include "audit/sync.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lilith::audit {

// Sealing (docs/seals.md). A key that can't be used is an error of each append, or, where it is not
// `required`, said once in the log by a `tamper` event, and events go on without checkpoints.
struct SealOptions {
  std::string key;                                         // path of the key; empty: no seals
  std::uint64_t events_max = limits::kSealEventsDefault;   // between two checkpoints; 0: any number
  std::chrono::seconds age_max = limits::kSealAgeDefault;  // of unsealed events; 0: any
  bool required = true;

  friend bool operator==(const SealOptions&, const SealOptions&) = default;
};

struct LogOptions {
  std::string path;  // absolute; a symbolic link here is refused
  std::string host;  // for events that the log itself writes (log_opened, log_sealed)
  Sync sync = Sync::kOff;
  std::uint64_t rotate_bytes = limits::kRotateBytesDefault;  // 0: never rotate
  std::uint32_t rotate_keep = 0;                             // rotated files to keep; 0: all
  // state_dir of a shipper: what one of its sinks has not delivered is kept whatever rotate_keep
  // says. Empty: there is none.
  std::string shipper_state;
  std::string shipper_sink;  // only this sink is asked; empty: all of them
  // Beyond them no event is taken: for all files of the log together, and of what the file system
  // has free. Delivered files go first. 0: no bound.
  std::uint64_t quota_bytes = 0;
  std::uint64_t free_bytes_min = 0;
  std::chrono::seconds rotate_interval_min = limits::kRotateIntervalMin;
  std::chrono::milliseconds lock_timeout = limits::kLogLockTimeout;
  unsigned file_mode = 0640;
  unsigned directory_mode = 0750;
  std::string group;  // owner group of file and directory; empty: leave as it is
  SealOptions seal;

  friend bool operator==(const LogOptions&, const LogOptions&) = default;
};

struct Appended {
  std::uint64_t seq = 0;
  std::string chain_hash;
  // A checkpoint will soon be due. Who now calls seal_log(kInterval), when nobody waits any more,
  // spares the next writers its syncs.
  bool seal_soon = false;
};

// The policy that a writer has just loaded. An empty sha256: it says nothing of one.
struct PolicyInForce {
  std::string sha256;          // of the file's bytes, 64 hex
  Mode mode = Mode::kEnforce;  // of the file as a whole
  std::string path;            // absolute
};

class Appender {
 public:
  virtual ~Appender() = default;
  // Sets seq and chain, and where empty id and time, in `event`; then writes it. One thread at a
  // time.
  [[nodiscard]] Result<Appended> append(Event& event) { return append(event, {}); }
  // Where the log last heard of another policy at that path, or of none, a policy_loaded event goes
  // in front, under the same lock: one for each change, however many writers come upon it. An
  // `event` that is a policy_loaded itself is written only in that case; otherwise the log's head
  // is returned.
  [[nodiscard]] virtual Result<Appended> append(Event& event, const PolicyInForce& policy) = 0;
};

// Locks `path + ".lock"` for each append (a file of its own: the log is renamed by rotation).
// kUnavailable when the lock is held longer than lock_timeout, kLimitExceeded with os_errno ENOSPC
// when the log is full by the options (one log_full event has said so), kIo with os_errno ENOSPC,
// EACCES,
// ... otherwise. The lock file also keeps chain id, seq and hash of the last line, so that a log
// that was removed or cut goes on in the same chain and says so by a `tamper` event. A log that is
// kept open for several events is read again where anybody else has touched it or its key since.
[[nodiscard]] Result<std::unique_ptr<Appender>> open_log(const LogOptions& options,
                                                         const Clock& clock = system_clock());

// Makes a checkpoint in the log of `options`, whose `seal` names a key: where there are events
// after the last one (kStop), where one is due or soon due (kInterval), or in any case. Returns
// whether there was one to make.
[[nodiscard]] Result<bool> seal_log(const LogOptions& options, SealReason reason,
                                    const Clock& clock = system_clock());

// What the log at `path` was told of policies, without its lock: for a writer that has nothing else
// to append.
enum class PolicyKnown {
  kNothing,  // there is no log, none that can be read, or it has heard of no policy
  kOther,
  kSame,  // the log has heard of `policy`
};
[[nodiscard]] PolicyKnown policy_known(const std::string& path, const PolicyInForce& policy);

// Sends each event to the recorder's SEQPACKET socket and waits for its acknowledgement, at most
// `timeout`.
[[nodiscard]] Result<std::unique_ptr<Appender>> open_recorder(const std::string& socket_path,
                                                              std::chrono::milliseconds timeout);

// Names of the rotated files that belong to `path`, oldest first: PATH.<seq of its first line, 20
// digits>[.zst|.gz].
[[nodiscard]] Result<std::vector<std::string>> rotated_files(const std::string& path);

}  // namespace lilith::audit
