// The queue socket of a Wazuh 4.x agent or manager on this machine: one datagram an event,
// "1:LOCATION:PAYLOAD" (wazuh/wazuh 4.9.2, src/shared/mq_op.c).

#include "audit/base/unique_fd.hpp"
#include "shipper/net.hpp"
#include "shipper/sink.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace lilith::shipper {
namespace {

// The engine's buffer is 65,536 bytes with "1:LOCATION:"; its own collector stops at this.
constexpr std::size_t kDatagramBytesMax = 65'279;

class WazuhSink final : public Sink {
 public:
  explicit WazuhSink(const SinkConfig& config)
      : path_(config.path), timeout_(config.send_timeout), prefix_("1:") {
    for (const char c : config.location) {
      if (c == ':' || c == '|') prefix_.push_back('|');
      prefix_.push_back(c);
    }
    prefix_.push_back(':');
  }

  [[nodiscard]] std::string_view proof() const override { return "in the agent's queue"; }

  Delivery deliver(std::span<const Line> lines) override {
    if (auto ready = connect(); !ready) return retry_later(std::move(ready.error().message));
    Delivery delivery;
    for (const Line& line : lines) {
      datagram_ = prefix_;
      datagram_ += line.body;
      if (datagram_.size() > kDatagramBytesMax) {
        delivery.refused.push_back(
            {delivery.done, "larger than Wazuh reads (" + std::to_string(datagram_.size()) +
                                " bytes, at most " + std::to_string(kDatagramBytesMax) + ")"});
      } else if (auto sent = send(); !sent) {
        delivery.outcome = Outcome::kRetry;
        delivery.error = std::move(sent.error().message);
        break;
      }
      ++delivery.done;
    }
    delivery.taken = delivery.done;
    return delivery;
  }

 private:
  Result<void> connect() {
    if (socket_.valid()) return {};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address.sun_path)
      return fail(ErrorCode::kInvalidInput, path_ + " is too long for a socket");
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return fail_errno("cannot make a socket");
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return fail_errno("cannot reach Wazuh's queue " + path_ +
                        " (is the agent running, and this user in the group wazuh?)");
    socket_ = std::move(socket);
    return {};
  }

  // Its queue holds about ten datagrams (net.unix.max_dgram_qlen): waiting for room is normal.
  Result<void> send() {
    for (;;) {
      const ssize_t sent = ::send(socket_.get(), datagram_.data(), datagram_.size(), MSG_NOSIGNAL);
      if (sent >= 0) return {};
      const int error = errno;
      if (error == EINTR) continue;
      if (error == EAGAIN || error == ENOBUFS) {
        if (wait_for(socket_.get(), POLLOUT, timeout_)) continue;
        return fail(ErrorCode::kUnavailable, path_ + " took nothing for too long", error);
      }
      // A receiver that was started anew is another socket: this one never works again.
      socket_.reset();
      return fail_errno("cannot send to Wazuh's queue " + path_, error);
    }
  }

  std::string path_;
  std::chrono::milliseconds timeout_;
  std::string prefix_, datagram_;
  UniqueFd socket_;
};

}  // namespace

std::unique_ptr<Sink> make_wazuh_sink(const SinkConfig& config) {
  return std::make_unique<WazuhSink>(config);
}

}  // namespace lilith::shipper
