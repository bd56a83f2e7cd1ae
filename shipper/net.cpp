#include "shipper/net.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lilith::shipper {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr int kSendBufferBytes = 4 * 1024 * 1024;
// A balancer that forgot the connection without a word (facts: T36): idle connections are probed
// after 60 s, and what nobody acknowledges is given up after 60 s.
constexpr int kKeepAliveIdleS = 60, kKeepAliveIntervalS = 10, kKeepAliveProbes = 6;
constexpr unsigned kUserTimeoutMs = 60'000;

struct AddressList {
  addrinfo* first = nullptr;
  AddressList() = default;
  AddressList(const AddressList&) = delete;
  AddressList& operator=(const AddressList&) = delete;
  ~AddressList() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

void set(int socket, int level, int name, int value) {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

void set_options(int socket) {
  // A batch goes out in one go; waiting for more to fill a segment would only delay its end.
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleS);
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalS);
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
  set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
}

Result<UniqueFd> connect_to(const addrinfo& address, std::chrono::milliseconds timeout,
                            const Peer& peer) {
  UniqueFd socket(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                           address.ai_protocol));
  if (!socket.valid()) return fail_errno("cannot make a socket");
  set(socket.get(), SOL_SOCKET, SO_SNDBUF, kSendBufferBytes);
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return fail_errno("cannot connect to " + describe(peer));
    if (!wait_for(socket.get(), POLLOUT, timeout)) {
      return fail(ErrorCode::kUnavailable, "no answer from " + describe(peer) + " in time",
                  ETIMEDOUT);
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
      return fail_errno("cannot connect to " + describe(peer), error != 0 ? error : errno);
  }
  if (address.ai_socktype == SOCK_STREAM) set_options(socket.get());
  return socket;
}

}  // namespace

std::string describe(const Peer& peer) {
  const bool ipv6 = peer.host.find(':') != std::string::npos;
  return (ipv6 ? "[" + peer.host + "]" : peer.host) + ":" + std::to_string(peer.port);
}

bool wait_for(int socket, short events, std::chrono::milliseconds timeout) {
  const auto deadline = SteadyClock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    pollfd wait{socket, events, 0};
    const int ready = ::poll(&wait, 1, left.count() < 0 ? 0 : static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

Result<UniqueFd> connect_socket(const Peer& peer, SocketKind kind,
                                std::chrono::milliseconds timeout) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = kind == SocketKind::kStream ? SOCK_STREAM : SOCK_DGRAM;
  AddressList list;
  const int status =
      ::getaddrinfo(peer.host.c_str(), std::to_string(peer.port).c_str(), &hints, &list.first);
  if (status != 0) {
    return fail(ErrorCode::kUnavailable,
                "cannot resolve " + peer.host + ": " + ::gai_strerror(status));
  }
  Result<UniqueFd> last = fail(ErrorCode::kUnavailable, "no address for " + peer.host);
  for (const addrinfo* one = list.first; one != nullptr; one = one->ai_next) {
    last = connect_to(*one, timeout, peer);
    if (last) return last;
  }
  return last;
}

Result<void> send_all(int socket, std::string_view bytes, std::chrono::milliseconds timeout,
                      const Peer& peer) {
  const auto deadline = SteadyClock::now() + timeout;
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return fail_errno("cannot send to " + describe(peer));
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    if (!wait_for(socket, POLLOUT, left)) {
      return fail(ErrorCode::kUnavailable, describe(peer) + " took nothing for too long",
                  ETIMEDOUT);
    }
  }
  return {};
}

PeerState peer_state(int socket) {
  pollfd state{socket, POLLRDHUP, 0};
  if (::poll(&state, 1, 0) <= 0) return PeerState::kOpen;
  if ((state.revents & POLLERR) != 0) return PeerState::kReset;
  return (state.revents & (POLLRDHUP | POLLHUP)) != 0 ? PeerState::kClosed : PeerState::kOpen;
}

}  // namespace lilith::shipper
