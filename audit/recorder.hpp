#pragma once
// The recorder: one process that owns the log where an agent's own user must not be able to write
// it.
//
// Wire form: AF_UNIX SOCK_SEQPACKET. One datagram is one event line without seq and chain
// (audit/codec.hpp), and behind an LF, where the sender has just loaded a policy,
// "policy enforce|audit SHA256 PATH" (Appender::append); the answer is "ok <seq> <chain hash>" or
// "error <message>", sent after the write, and with Sync::kBatch after one fdatasync(2) for all
// events that arrived together. The sender's pid and uid come from SO_PEERCRED (unix(7)) and
// overwrite what the event claims about its peer.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "audit/log.hpp"

#include <string>
#include <unistd.h>

namespace lilith::audit {

struct RecorderOptions {
  std::string socket_path;
  unsigned socket_mode =
      0666;  // who may report is decided by the file's mode; who did is in the event
  std::size_t clients_max = 4096;
  LogOptions log;
  // fdatasync(2), for batches (Sync::kBatch); a test passes its own.
  int (*sync_file)(int fd) = ::fdatasync;
};

// Serves until `stop_fd` becomes readable, then answers what it has already read and returns. Uses
// a listening socket handed over by systemd (sd_listen_fds(3) protocol, descriptor 3) when there is
// one.
[[nodiscard]] Result<void> serve_recorder(const RecorderOptions& options, int stop_fd,
                                          const Clock& clock = system_clock());

}  // namespace lilith::audit
