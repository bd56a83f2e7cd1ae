// Syslog over TCP (RFC 6587), TLS (RFC 5425) and UDP (RFC 5426).

#include "shipper/net.hpp"
#include "shipper/sink.hpp"
#include "shipper/stream.hpp"
#include "shipper/syslog_format.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <linux/sockios.h>
#include <sys/ioctl.h>

namespace lilith::shipper {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t kWindowBytesMax = std::size_t{4} * 1024 * 1024;
// Between two looks, longer each time: a peer that does not read must not cost a processor.
constexpr std::chrono::microseconds kConfirmPauseFirst{50}, kConfirmPauseMax{2'000};
constexpr std::chrono::milliseconds kSettleTime{100};

// Done means: the peer's kernel has acknowledged every byte (SIOCOUTQ, tcp(7)). What its process
// does with them plain TCP never tells; but a reset says that it did not read them all, and so does
// the end of a TLS connection without close_notify.
class TcpSink final : public Sink {
 public:
  explicit TcpSink(const SinkConfig& config)
      : config_(config), peer_{config.host, config.port}, writer_(config) {}

  [[nodiscard]] std::string_view proof() const override { return "peer's kernel"; }
  [[nodiscard]] std::size_t resend_bytes_max() const override { return config_.resend_bytes; }
  [[nodiscard]] int watched_fd() const override { return stream_ ? stream_->fd() : -1; }

  Delivery deliver(std::span<const Line> lines) override {
    if (!stream_) {
      auto stream = open_stream(peer_, config_.tls, config_.connect_timeout);
      if (!stream) return retry_later(std::move(stream.error().message));
      stream_ = std::move(*stream);
      acknowledged_ = 0;
    }
    if (stream_->bytes_sent() - acknowledged_ > kWindowBytesMax) return settle();
    // Before sending: what is sent to a peer that has gone would be taken by our own kernel.
    if (auto open = listen(); !open) return broken(std::move(open.error().message));
    buffer_.clear();
    for (const Line& line : lines) writer_.append_frame(buffer_, line);
    if (auto sent = stream_->send(buffer_, config_.send_timeout); !sent)
      return broken(std::move(sent.error().message));
    window_.push_back({stream_->bytes_sent(), lines.size()});
    progress_at_ = SteadyClock::now();
    Delivery delivery = look();
    delivery.taken = lines.size();
    return delivery;
  }

  Delivery settle() override {
    if (!stream_) return {};
    if (window_.empty()) return look_at_idle_peer();
    const auto until = SteadyClock::now() + kSettleTime;
    for (auto pause = kConfirmPauseFirst;; pause = std::min(pause * 2, kConfirmPauseMax)) {
      Delivery delivery = look();
      if (delivery.done > 0 || delivery.outcome != Outcome::kGood) return delivery;
      const auto now = SteadyClock::now();
      if (now - progress_at_ >= config_.send_timeout)
        return broken(describe(peer_) + " did not acknowledge in time");
      if (now >= until) return delivery;
      const timespec nap{0, std::chrono::nanoseconds(pause).count()};
      ::nanosleep(&nap, nullptr);
    }
  }

  void give_back_memory() override { give_back(buffer_); }

 private:
  struct Mark {
    std::uint64_t end;  // of the stream, in bytes
    std::size_t lines;
  };

  // Nothing is expected from the peer but the end of the connection, and with TLS its alerts.
  Result<void> listen() {
    std::array<char, 1024> ignored{};
    for (;;) {
      auto got = stream_->receive(ignored.data(), ignored.size(), std::chrono::milliseconds(0));
      if (!got) return pass_error(got);
      if (*got == 0) return {};
    }
  }

  // A peer that closed in peace has read everything.
  Delivery look_at_idle_peer() {
    auto open = listen();
    if (open) return {};
    if (!stream_->ended_in_peace()) return broken(std::move(open.error().message));
    stream_.reset();
    return {};
  }

  // What the peer's kernel has acknowledged by now.
  Delivery look() {
    int unsent = 0;
    if (::ioctl(stream_->fd(), SIOCOUTQ, &unsent) != 0) return broken("SIOCOUTQ failed");
    // A reset empties the queue as well: asked after the queue.
    if (auto open = listen(); !open) return broken(std::move(open.error().message));
    const std::uint64_t now = stream_->bytes_sent() - static_cast<std::uint64_t>(unsent);
    if (now > acknowledged_) progress_at_ = SteadyClock::now();
    acknowledged_ = now;
    Delivery delivery;
    while (!window_.empty() && window_.front().end <= acknowledged_) {
      delivery.done += window_.front().lines;
      window_.pop_front();
    }
    return delivery;
  }

  Delivery broken(std::string error) {
    Delivery delivery = retry_later(std::move(error));
    if (!stream_->ended_in_peace())
      delivery.resend_bytes = std::min<std::uint64_t>(config_.resend_bytes, acknowledged_);
    stream_.reset();
    window_.clear();
    return delivery;
  }

  SinkConfig config_;
  Peer peer_;
  MessageWriter writer_;
  std::unique_ptr<Stream> stream_;
  std::string buffer_;
  std::deque<Mark> window_;
  std::uint64_t acknowledged_ = 0;  // bytes of this connection
  SteadyClock::time_point progress_at_{};
};

class UdpSink final : public Sink {
 public:
  explicit UdpSink(const SinkConfig& config)
      : config_(config), peer_{config.host, config.port}, writer_(config) {}

  [[nodiscard]] std::string_view proof() const override { return "handed to the network"; }

  Delivery deliver(std::span<const Line> lines) override {
    if (!socket_.valid()) {
      auto socket = connect_socket(peer_, SocketKind::kDatagram, config_.connect_timeout);
      if (!socket) return retry_later(std::move(socket.error().message));
      socket_ = std::move(*socket);
    }
    Delivery delivery;
    for (const Line& line : lines) {
      message_.clear();
      writer_.append(message_, line);
      if (message_.size() > config_.datagram_bytes_max) {
        delivery.refused.push_back(
            {delivery.done,
             "larger than a datagram (" + std::to_string(message_.size()) + " bytes)"});
      } else if (auto sent = send_all(socket_.get(), message_, config_.send_timeout, peer_);
                 !sent) {
        socket_.reset();
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
  SinkConfig config_;
  Peer peer_;
  MessageWriter writer_;
  UniqueFd socket_;
  std::string message_;
};

}  // namespace

std::unique_ptr<Sink> make_syslog_sink(const SinkConfig& config) {
  if (config.transport == Transport::kRelp) return make_relp_sink(config);
  if (config.transport == Transport::kUdp) return std::make_unique<UdpSink>(config);
  return std::make_unique<TcpSink>(config);
}

}  // namespace lilith::shipper
