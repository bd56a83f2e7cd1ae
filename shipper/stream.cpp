#include "shipper/stream.hpp"

#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

namespace lilith::shipper {
namespace {

class PlainStream final : public Stream {
 public:
  PlainStream(UniqueFd socket, Peer peer) : socket_(std::move(socket)), peer_(std::move(peer)) {}

  Result<void> send(std::string_view bytes, std::chrono::milliseconds timeout) override {
    auto sent = send_all(socket_.get(), bytes, timeout, peer_);
    // send(2) takes the socket's error with it.
    if (!sent && (sent.error().os_errno == ECONNRESET || sent.error().os_errno == EPIPE))
      reset_ = true;
    if (sent) sent_ += bytes.size();
    return sent;
  }

  Result<std::size_t> receive(char* into, std::size_t size,
                              std::chrono::milliseconds timeout) override {
    for (;;) {
      const ssize_t got = ::recv(socket_.get(), into, size, 0);
      if (got > 0) return static_cast<std::size_t>(got);
      if (got == 0)
        return fail(ErrorCode::kUnavailable, describe(peer_) + " closed the connection");
      if (errno == EINTR) continue;
      if (errno != EAGAIN) {
        reset_ = errno == ECONNRESET;
        return fail_errno("cannot receive from " + describe(peer_));
      }
      if (timeout.count() == 0 || !wait_for(socket_.get(), POLLIN, timeout)) return 0U;
      timeout = std::chrono::milliseconds(0);
    }
  }

  [[nodiscard]] std::uint64_t bytes_sent() const override { return sent_; }
  [[nodiscard]] int fd() const override { return socket_.get(); }
  [[nodiscard]] bool ended_in_peace() override {
    return !reset_ && peer_state(socket_.get()) != PeerState::kReset;
  }

 private:
  UniqueFd socket_;
  Peer peer_;
  std::uint64_t sent_ = 0;
  bool reset_ = false;
};

}  // namespace

Result<std::unique_ptr<Stream>> open_stream(const Peer& peer, const TlsConfig& tls,
                                            std::chrono::milliseconds timeout) {
  auto socket = connect_socket(peer, SocketKind::kStream, timeout);
  if (!socket) return pass_error(socket);
  if (tls.on) return start_tls(std::move(*socket), peer, tls, timeout);
  return std::make_unique<PlainStream>(std::move(*socket), peer);
}

}  // namespace lilith::shipper
