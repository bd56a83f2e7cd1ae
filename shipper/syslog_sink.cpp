#include "audit/base/unique_fd.hpp"
#include "shipper/sink.hpp"
#include "shipper/syslog_format.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lilith::shipper {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::microseconds kConfirmPause{50};
constexpr int kSendBufferBytes = 4 * 1024 * 1024;

struct AddressList {
  addrinfo* first = nullptr;
  AddressList() = default;
  AddressList(const AddressList&) = delete;
  AddressList& operator=(const AddressList&) = delete;
  ~AddressList() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

int milliseconds_until(SteadyClock::time_point deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

class SyslogSink final : public Sink {
 public:
  explicit SyslogSink(const SinkConfig& config) : config_(config) {}

  [[nodiscard]] std::string_view proof() const override {
    return config_.transport == Transport::kTcp ? "peer's kernel" : "handed to the network";
  }

  Delivery deliver(std::span<const std::string_view> lines) override {
    if (!socket_.valid()) {
      if (auto connected = connect(); !connected) return retry(0, connected.error().message);
    }
    return config_.transport == Transport::kTcp ? deliver_tcp(lines) : deliver_udp(lines);
  }

 private:
  Delivery retry(std::size_t taken, std::string error) {
    socket_.reset();
    Delivery delivery;
    delivery.outcome = Outcome::kRetry;
    delivery.taken = taken;
    delivery.error = std::move(error);
    return delivery;
  }
  [[nodiscard]] std::string peer() const {
    return config_.host + ":" + std::to_string(config_.port);
  }

  Result<void> connect();
  Result<void> connect_to(const addrinfo& address);
  Result<void> send_all(std::string_view bytes);
  Result<void> confirm();
  [[nodiscard]] bool peer_closed() const;
  Delivery deliver_tcp(std::span<const std::string_view> lines);
  Delivery deliver_udp(std::span<const std::string_view> lines);

  SinkConfig config_;
  UniqueFd socket_;
  std::string buffer_, message_;
};

Result<void> SyslogSink::connect_to(const addrinfo& address) {
  UniqueFd socket(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                           address.ai_protocol));
  if (!socket.valid()) return fail_errno("cannot make a socket");
  if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return fail_errno("cannot connect to " + peer());
    pollfd wait{socket.get(), POLLOUT, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(config_.connect_timeout.count()));
    if (ready == 0)
      return fail(ErrorCode::kUnavailable, "no answer from " + peer() + " in time", ETIMEDOUT);
    int error = 0;
    socklen_t size = sizeof error;
    if (ready < 0 || ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 ||
        error != 0) {
      return fail_errno("cannot connect to " + peer(), error != 0 ? error : errno);
    }
  }
  // A batch goes out in one go; waiting for more to fill a segment would only delay its end.
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
  socket_ = std::move(socket);
  return {};
}

Result<void> SyslogSink::connect() {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = config_.transport == Transport::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  AddressList list;
  const int status = ::getaddrinfo(config_.host.c_str(), std::to_string(config_.port).c_str(),
                                   &hints, &list.first);
  if (status != 0) {
    return fail(ErrorCode::kUnavailable,
                "cannot resolve " + config_.host + ": " + ::gai_strerror(status));
  }
  Result<void> last = fail(ErrorCode::kUnavailable, "no address for " + config_.host);
  for (const addrinfo* one = list.first; one != nullptr; one = one->ai_next) {
    last = connect_to(*one);
    if (last) return last;
  }
  return last;
}

Result<void> SyslogSink::send_all(std::string_view bytes) {
  const auto deadline = SteadyClock::now() + config_.send_timeout;
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return fail_errno("cannot send to " + peer());
    pollfd wait{socket_.get(), POLLOUT, 0};
    if (::poll(&wait, 1, milliseconds_until(deadline)) == 0) {
      return fail(ErrorCode::kUnavailable, peer() + " took nothing for too long", ETIMEDOUT);
    }
  }
  return {};
}

bool SyslogSink::peer_closed() const {
  pollfd state{socket_.get(), POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

// Delivered means: the peer's kernel has acknowledged every byte (SIOCOUTQ, tcp(7)). What its
// process does with them plain TCP never tells.
Result<void> SyslogSink::confirm() {
  const auto deadline = SteadyClock::now() + config_.send_timeout;
  for (;;) {
    int unsent = 0;
    if (::ioctl(socket_.get(), SIOCOUTQ, &unsent) != 0) return fail_errno("SIOCOUTQ");
    if (unsent == 0) break;
    if (peer_closed()) return fail(ErrorCode::kUnavailable, peer() + " closed the connection");
    if (SteadyClock::now() >= deadline) {
      return fail(ErrorCode::kUnavailable, peer() + " did not acknowledge in time", ETIMEDOUT);
    }
    const timespec nap{0, std::chrono::nanoseconds(kConfirmPause).count()};
    ::nanosleep(&nap, nullptr);
  }
  // A reset empties the queue as well.
  if (peer_closed()) return fail(ErrorCode::kUnavailable, peer() + " closed the connection");
  return {};
}

Delivery SyslogSink::deliver_tcp(std::span<const std::string_view> lines) {
  if (peer_closed()) return retry(0, peer() + " closed the connection");
  buffer_.clear();
  for (const std::string_view line : lines) {
    if (config_.framing == Framing::kOctetCounting) {
      message_.clear();
      append_message(message_, line, config_);
      buffer_ += std::to_string(message_.size());
      buffer_.push_back(' ');
      buffer_ += message_;
    } else {
      append_message(buffer_, line, config_);
      buffer_.push_back('\n');
    }
  }
  if (auto sent = send_all(buffer_); !sent) return retry(0, sent.error().message);
  if (auto confirmed = confirm(); !confirmed) return retry(0, confirmed.error().message);
  Delivery delivery;
  delivery.taken = lines.size();
  return delivery;
}

Delivery SyslogSink::deliver_udp(std::span<const std::string_view> lines) {
  Delivery delivery;
  for (const std::string_view line : lines) {
    message_.clear();
    append_message(message_, line, config_);
    if (message_.size() > config_.datagram_bytes_max) {
      delivery.refused.push_back({delivery.taken, "larger than a datagram (" +
                                                      std::to_string(message_.size()) + " bytes)"});
      ++delivery.taken;
      continue;
    }
    if (auto sent = send_all(message_); !sent) {
      Delivery again = retry(delivery.taken, sent.error().message);
      again.refused = std::move(delivery.refused);
      return again;
    }
    ++delivery.taken;
  }
  return delivery;
}

}  // namespace

std::unique_ptr<Sink> make_syslog_sink(const SinkConfig& config) {
  return std::make_unique<SyslogSink>(config);
}

}  // namespace lilith::shipper
