#pragma once
// Sockets for the sinks that speak over the network.

#include "audit/base/result.hpp"
#include "audit/base/unique_fd.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace lilith::shipper {

struct Peer {
  std::string host;
  int port = 0;
};
[[nodiscard]] std::string describe(const Peer& peer);  // HOST:PORT for messages

enum class SocketKind { kStream, kDatagram };
// The first address of the peer that answers, as a non-blocking socket; kUnavailable or kIo, with
// the peer's name.
[[nodiscard]] Result<UniqueFd> connect_socket(const Peer& peer, SocketKind kind,
                                              std::chrono::milliseconds timeout);
// Everything, waiting for room at most `timeout` in all.
[[nodiscard]] Result<void> send_all(int socket, std::string_view bytes,
                                    std::chrono::milliseconds timeout, const Peer& peer);

enum class PeerState { kOpen, kClosed, kReset };
[[nodiscard]] PeerState peer_state(int socket);
// Waits for one of poll(2)'s events; false when the time is over.
[[nodiscard]] bool wait_for(int socket, short events, std::chrono::milliseconds timeout);

}  // namespace lilith::shipper
