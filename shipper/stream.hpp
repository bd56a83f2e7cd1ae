#pragma once
// A connection to a receiver: plain TCP, or TLS over it (RFC 5425, RFC 8446) when asked for.

#include "audit/base/result.hpp"
#include "shipper/config.hpp"
#include "shipper/net.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace lilith::shipper {

class Stream {
 public:
  virtual ~Stream() = default;
  // Everything, waiting for room at most `timeout` in all. kUnavailable or kIo; the stream is of no
  // use afterwards.
  [[nodiscard]] virtual Result<void> send(std::string_view bytes,
                                          std::chrono::milliseconds timeout) = 0;
  // What has come, waiting at most `timeout`: 0 bytes when nothing did. kUnavailable when the peer
  // has ended the connection.
  [[nodiscard]] virtual Result<std::size_t> receive(char* into, std::size_t size,
                                                    std::chrono::milliseconds timeout) = 0;
  // Bytes given to the kernel so far, with those that the encryption added.
  [[nodiscard]] virtual std::uint64_t bytes_sent() const = 0;
  [[nodiscard]] virtual int fd() const = 0;
  // Whether the peer said that it had read everything before it ended the connection. Plain TCP: it
  // was not reset. TLS: it sent close_notify.
  [[nodiscard]] virtual bool ended_in_peace() = 0;
};

// Connects, and with `tls.on` shakes hands: certificate and name of the peer are verified unless
// the settings say otherwise. Certificates are read again for each connection, so that renewed
// files count.
[[nodiscard]] Result<std::unique_ptr<Stream>> open_stream(const Peer& peer, const TlsConfig& tls,
                                                          std::chrono::milliseconds timeout);
// For open_stream(): the handshake over a connected socket.
[[nodiscard]] Result<std::unique_ptr<Stream>> start_tls(UniqueFd socket, const Peer& peer,
                                                        const TlsConfig& tls,
                                                        std::chrono::milliseconds timeout);

}  // namespace lilith::shipper
