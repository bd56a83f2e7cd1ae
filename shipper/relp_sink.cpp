// RELP (https://www.rsyslog.com/doc/relp.html and librelp's doc/relp.html): each message is
// answered by the receiver's process, so that nothing rests on a kernel's buffer.
//
// frame = TXNR SP COMMAND SP DATALEN [SP DATA] LF; an answer is "TXNR rsp LEN CODE TEXT".

#include "shipper/sink.hpp"
#include "shipper/stream.hpp"
#include "shipper/syslog_format.hpp"

#include <array>
#include <charconv>
#include <deque>
#include <optional>

namespace lilith::shipper {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kWindowLinesMax = 512;
constexpr std::uint32_t kTransactionMax = 999'999'999;  // then 1 again
constexpr std::size_t kDataBytesMax = std::size_t{128} * 1024;
constexpr std::size_t kAnswerBytesMax = std::size_t{64} * 1024;
constexpr milliseconds kSettleTime{100};
constexpr std::string_view kOffers = "relp_version=0\nrelp_software=lilith\ncommands=syslog";
// So often in a row the receiver may refuse one message before that is final.
constexpr int kRefusalsMax = 3;

struct Frame {
  std::uint32_t transaction = 0;
  std::string_view command, data;
  std::size_t size = 0;  // of the whole frame
};

// The first frame of `bytes`; no frame when it is not whole yet, an error when it is none.
Result<std::optional<Frame>> read_frame(std::string_view bytes) {
  const auto bad = [] { return fail(ErrorCode::kUnavailable, "the peer does not speak RELP"); };
  Frame frame;
  const std::size_t first = bytes.find(' ');
  if (first == std::string_view::npos) {
    if (bytes.size() > 10) return bad();
    return std::optional<Frame>();
  }
  const auto number = [](std::string_view text, auto& into) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
    return error == std::errc{} && end == text.data() + text.size();
  };
  if (!number(bytes.substr(0, first), frame.transaction)) return bad();
  const std::size_t second = bytes.find(' ', first + 1);
  if (second == std::string_view::npos) return std::optional<Frame>();
  frame.command = bytes.substr(first + 1, second - first - 1);
  const std::size_t length_end = bytes.find_first_of(" \n", second + 1);
  if (length_end == std::string_view::npos) return std::optional<Frame>();
  std::size_t length = 0;
  if (!number(bytes.substr(second + 1, length_end - second - 1), length) ||
      length > kAnswerBytesMax)
    return bad();
  const std::size_t data = length == 0 ? length_end : length_end + 1;
  if (bytes.size() < data + length + 1) return std::optional<Frame>();
  if (bytes[data + length] != '\n') return bad();
  frame.data = bytes.substr(data, length);
  frame.size = data + length + 1;
  return std::optional(frame);
}

class RelpSink final : public Sink {
 public:
  explicit RelpSink(const SinkConfig& config)
      : config_(config), peer_{config.host, config.port}, writer_(config) {}
  ~RelpSink() override {
    if (!stream_) return;
    buffer_ = std::to_string(next_transaction()) + " close 0\n";
    (void)stream_->send(buffer_, milliseconds(100)).has_value();
  }
  RelpSink(const RelpSink&) = delete;
  RelpSink& operator=(const RelpSink&) = delete;

  [[nodiscard]] std::string_view proof() const override { return "accepted by the receiver"; }
  [[nodiscard]] int watched_fd() const override { return stream_ ? stream_->fd() : -1; }
  void give_back_memory() override { give_back(buffer_); }

  Delivery deliver(std::span<const Line> lines) override {
    if (!stream_) {
      if (auto opened = open(); !opened) return broken(std::move(opened.error().message));
    }
    std::size_t taken = 0;
    buffer_.clear();
    for (const Line& line : lines) {
      if (window_.size() >= kWindowLinesMax) break;
      add(line);
      ++taken;
    }
    if (!buffer_.empty()) {
      if (auto sent = stream_->send(buffer_, config_.send_timeout); !sent)
        return broken(std::move(sent.error().message));
      progress_at_ = SteadyClock::now();
    }
    Delivery delivery = collect(milliseconds(0));
    delivery.taken = taken;
    return delivery;
  }

  Delivery settle() override {
    if (!stream_) return {};
    Delivery delivery = collect(window_.empty() ? milliseconds(0) : kSettleTime);
    if (delivery.outcome == Outcome::kGood && delivery.done == 0 && !window_.empty() &&
        SteadyClock::now() - progress_at_ >= config_.send_timeout)
      return broken(describe(peer_) + " did not answer in time");
    return delivery;
  }

 private:
  enum class State { kSent, kAccepted, kRefused };
  struct Sent {
    std::uint32_t transaction;
    State state = State::kSent;
    std::string why;
  };

  std::uint32_t next_transaction() {
    transaction_ = transaction_ == kTransactionMax ? 1 : transaction_ + 1;
    return transaction_;
  }

  // The syslog message as one frame; what can't be one is done with.
  void add(const Line& line) {
    message_.clear();
    writer_.append(message_, line);
    if (message_.size() > kDataBytesMax) {
      window_.push_back(
          {0, State::kRefused,
           "larger than a RELP message (" + std::to_string(message_.size()) + " bytes)"});
      return;
    }
    const std::uint32_t transaction = next_transaction();
    buffer_ += std::to_string(transaction);
    buffer_ += " syslog ";
    buffer_ += std::to_string(message_.size());
    buffer_.push_back(' ');
    buffer_ += message_;
    buffer_.push_back('\n');
    window_.push_back({transaction, State::kSent, {}});
  }

  Result<void> open() {
    auto stream = open_stream(peer_, config_.tls, config_.connect_timeout);
    if (!stream) return pass_error(stream);
    stream_ = std::move(*stream);
    input_.clear();
    transaction_ = 0;
    const std::string frame = std::to_string(next_transaction()) + " open " +
                              std::to_string(kOffers.size()) + " " + std::string(kOffers) + "\n";
    if (auto sent = stream_->send(frame, config_.send_timeout); !sent) return sent;
    const auto deadline = SteadyClock::now() + config_.connect_timeout;
    for (;;) {
      auto answer = read_frame(input_);
      if (!answer) return pass_error(answer);
      if (*answer) {
        const bool accepted = (*answer)->command == "rsp" && (*answer)->data.starts_with("200");
        const std::string text((*answer)->data.substr(0, 80));
        input_.erase(0, (*answer)->size);
        if (accepted) return {};
        return fail(ErrorCode::kUnavailable, describe(peer_) + " refused the session: " + text);
      }
      const auto left = std::chrono::ceil<milliseconds>(deadline - SteadyClock::now());
      auto got = left.count() > 0 ? receive(left) : Result<std::size_t>(0U);
      if (!got) return pass_error(got);
      if (*got == 0)
        return fail(ErrorCode::kUnavailable, describe(peer_) + " did not answer in time");
    }
  }

  Result<std::size_t> receive(milliseconds timeout) {
    std::array<char, std::size_t{16} * 1024> bytes{};
    auto got = stream_->receive(bytes.data(), bytes.size(), timeout);
    if (got) input_.append(bytes.data(), *got);
    return got;
  }

  void note(const Frame& frame) {
    for (Sent& one : window_) {
      if (one.transaction != frame.transaction || one.state != State::kSent) continue;
      progress_at_ = SteadyClock::now();
      one.state = frame.data.starts_with("200") ? State::kAccepted : State::kRefused;
      if (one.state == State::kRefused) one.why = frame.data.substr(0, 200);
      return;
    }
  }

  // Answers that have come; what is answered is done as far as everything before it is.
  Delivery collect(milliseconds timeout) {
    std::string error;
    for (;;) {
      auto got = receive(timeout);
      timeout = milliseconds(0);
      if (!got) error = std::move(got.error().message);
      if (!got || *got == 0) break;
    }
    std::size_t read = 0;
    while (error.empty()) {
      auto frame = read_frame(std::string_view(input_).substr(read));
      if (!frame) error = std::move(frame.error().message);
      if (!frame || !*frame) break;
      if ((*frame)->command == "serverclose") error = describe(peer_) + " closed the session";
      if ((*frame)->command == "rsp") note(**frame);
      read += (*frame)->size;
    }
    input_.erase(0, read);
    return finish(std::move(error));
  }

  Delivery finish(std::string error) {
    Delivery delivery;
    while (!window_.empty() && window_.front().state != State::kSent) {
      Sent& first = window_.front();
      if (first.state == State::kRefused && first.transaction != 0) {
        // Refused by the receiver: it may be a moment's trouble, so the message is sent again.
        if (++refusals_ < kRefusalsMax) {
          error = describe(peer_) + " refused a message: " + first.why;
          break;
        }
      }
      if (first.state == State::kRefused)
        delivery.refused.push_back({delivery.done, std::move(first.why)});
      refusals_ = 0;
      ++delivery.done;
      window_.pop_front();
    }
    if (error.empty()) return delivery;
    if (window_.empty() && stream_->ended_in_peace()) {
      stream_.reset();  // nothing was under way
      return delivery;
    }
    Delivery again = broken(std::move(error));
    again.done = delivery.done;
    again.refused = std::move(delivery.refused);
    return again;
  }

  Delivery broken(std::string error) {
    stream_.reset();
    window_.clear();
    return retry_later(std::move(error));
  }

  SinkConfig config_;
  Peer peer_;
  MessageWriter writer_;
  std::unique_ptr<Stream> stream_;
  std::string buffer_, message_, input_;
  std::deque<Sent> window_;
  std::uint32_t transaction_ = 0;
  int refusals_ = 0;
  SteadyClock::time_point progress_at_{};
};

}  // namespace

std::unique_ptr<Sink> make_relp_sink(const SinkConfig& config) {
  return std::make_unique<RelpSink>(config);
}

}  // namespace lilith::shipper
