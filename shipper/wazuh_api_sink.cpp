// The server API of a Wazuh 4.9+ manager, POST /events (wazuh/wazuh 4.9.2, api/api/spec/spec.yaml,
// framework/wazuh/event.py): at most 100 events a request, 30 requests a minute for all of the
// API's users. A token is asked for with user and password and lives 15 minutes.

#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"
#include "shipper/http_client.hpp"
#include "shipper/sink.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <thread>
#include <utility>

namespace lilith::shipper {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kRequestLinesMax = 100;  // api/api/models/event_ingest_model.py
// The manager hands each event to its engine as one datagram, "1:API-Webhook:EVENT".
constexpr std::size_t kEventBytesMax = 65'279 - std::string_view("1:API-Webhook:").size();
// The API's body limit is 10,485,760 bytes; of the largest events, escaped, 100 would be more.
constexpr std::size_t kRequestBytesMax = std::size_t{4} * 1024 * 1024;
constexpr milliseconds kMinute{60'000}, kSettleTime{200};
// After a refused login: the API shuts out an address that tries too often (max_login_attempts).
constexpr milliseconds kLoginPause{30'000};
// Of the manager's errors those that are about its socket and not about the event
// (framework/wazuh/core/exception.py).
constexpr std::int64_t kQueueErrors[] = {1010, 1011, 1013, 1014};

std::string joined(std::string base, std::string_view path) {
  while (base.ends_with('/')) base.pop_back();
  return base + std::string(path);
}

class WazuhApiSink final : public Sink {
 public:
  explicit WazuhApiSink(const SinkConfig& config)
      : config_(config),
        login_(joined(config.url, "/security/user/authenticate"), config, true),
        events_(joined(config.url, "/events"), config, false) {
    login_.set_headers({"Content-Type: application/json", "Expect:"});
  }

  [[nodiscard]] std::string_view proof() const override { return "in the manager's queue"; }

  Delivery deliver(std::span<const Line> lines) override {
    Delivery delivery;
    limited_ = time_to_wait().count() > 0;
    if (limited_) return delivery;  // settle() waits
    if (token_.empty() && !log_in(delivery)) return delivery;
    request(lines, delivery);
    delivery.taken = delivery.done;
    return delivery;
  }

  Delivery settle() override {
    if (std::exchange(limited_, false))
      std::this_thread::sleep_for(std::clamp(time_to_wait(), milliseconds(0), kSettleTime));
    return {};
  }

  void give_back_memory() override { give_back(body_); }

 private:
  [[nodiscard]] milliseconds time_to_wait();
  bool log_in(Delivery& delivery);
  void request(std::span<const Line> lines, Delivery& delivery);
  std::size_t make_body(std::span<const Line> lines, Delivery& delivery);
  void read_reply(std::span<const Line> lines, std::size_t count, const HttpReply& reply,
                  Delivery& delivery);
  void refuse(std::size_t count, const std::string& why, Delivery& delivery);
  void accept(std::size_t count, Delivery& delivery) {
    delivery.done += count;
    lines_max_ = kRequestLinesMax;
  }

  SinkConfig config_;
  HttpClient login_, events_;
  std::string token_, body_;
  std::vector<std::size_t> sent_;  // the lines in body_, by place among those given
  std::size_t lines_max_ = kRequestLinesMax;
  bool fresh_ = false;    // the token was never used
  bool limited_ = false;  // deliver() took nothing, for the sake of the limit
  std::deque<SteadyClock::time_point> requests_;  // of the last minute
};

// Until the next request is within the limit.
milliseconds WazuhApiSink::time_to_wait() {
  const auto now = SteadyClock::now();
  while (!requests_.empty() && now - requests_.front() >= kMinute) requests_.pop_front();
  if (requests_.size() < config_.requests_per_minute) return milliseconds(0);
  return std::chrono::ceil<milliseconds>(requests_.front() + kMinute - now);
}

// A token for the requests from now on; false with the reason in `delivery`.
bool WazuhApiSink::log_in(Delivery& delivery) {
  const HttpReply reply = login_.post("");
  json::Document document;
  const auto root = document.parse(reply.body);
  const auto data = root && reply.good() ? root->find("data") : std::nullopt;
  if (data) token_ = data->text("token");
  if (token_.empty()) {
    delivery = retry_later(reply.good() ? config_.url + " gave no token" : reply.error);
    delivery.pause_min =
        std::max(reply.retry_after,
                 reply.status == 401 || reply.status == 403 ? kLoginPause : milliseconds(0));
    return false;
  }
  fresh_ = true;
  events_.set_headers(
      {"Content-Type: application/json", "Expect:", "Authorization: Bearer " + token_});
  return true;
}

// Fills body_ and sent_; returns how many lines they account for.
std::size_t WazuhApiSink::make_body(std::span<const Line> lines, Delivery& delivery) {
  body_.clear();
  sent_.clear();
  std::size_t count = 0;
  json::Writer writer(body_);
  writer.begin_object().key("events").begin_array();
  for (const Line& line : lines) {
    if (sent_.size() >= lines_max_ || body_.size() > kRequestBytesMax) break;
    if (line.body.size() > kEventBytesMax) {
      // Refusals stand in the order of the lines: those behind it wait for the next request.
      if (!sent_.empty()) break;
      delivery.refused.push_back(
          {delivery.done + count, "larger than Wazuh reads (" + std::to_string(line.body.size()) +
                                      " bytes, at most " + std::to_string(kEventBytesMax) + ")"});
    } else {
      writer.value(line.body);
      sent_.push_back(count);
    }
    ++count;
  }
  writer.end_array().end_object();
  return count;
}

// The request can't be taken as it is: in halves the one event that is to blame is found.
void WazuhApiSink::refuse(std::size_t count, const std::string& why, Delivery& delivery) {
  if (sent_.size() > 1) {
    lines_max_ = sent_.size() / 2;
    delivery.done += sent_.front();  // those before it were refused already
    return;
  }
  delivery.refused.push_back({delivery.done + sent_.front(), why});
  accept(count, delivery);
}

// {"data": {"total_failed_items": N, "failed_items": [{"error": {"code", "message"}, "id":
// [EVENT...]}]}}
void WazuhApiSink::read_reply(std::span<const Line> lines, std::size_t count,
                              const HttpReply& reply, Delivery& delivery) {
  json::Document document;
  const auto root = document.parse(reply.body);
  const auto data = root ? root->find("data") : std::nullopt;
  const auto total = data ? data->find("total_failed_items") : std::nullopt;
  const auto error = root ? root->find("error") : std::nullopt;
  const std::int64_t failed = total ? total->integer().value_or(0) : 0;
  if (!error || (error->integer().value_or(1) != 0 && failed == 0)) {
    delivery.done += sent_.front();
    delivery.outcome = Outcome::kRetry;
    delivery.error = config_.url + " answered what is no result: " + said_by(reply.body, config_);
    return;
  }
  if (failed == 0) return accept(count, delivery);
  std::map<std::string, std::pair<std::int64_t, std::string>, std::less<>> verdicts;  // by event
  if (const auto items = data->find("failed_items")) {
    items->each_element([&](json::View item) {
      const auto why = item.find("error");
      const auto code = why ? why->find("code") : std::nullopt;
      const std::pair verdict{code ? code->integer().value_or(0) : 0,
                              why ? said_by(why->to_json(), config_) : std::string()};
      if (const auto ids = item.find("id")) {
        ids->each_element([&](json::View id) {
          if (const auto event = id.string()) verdicts.emplace(*event, verdict);
          return true;
        });
      }
      return true;
    });
  }
  // Some failed that can't be told by their text: one at a time they can.
  if (verdicts.size() != static_cast<std::size_t>(failed) && sent_.size() > 1)
    return refuse(count, "", delivery);
  for (const std::size_t at : sent_) {
    auto verdict = verdicts.find(lines[at].body);
    if (verdict == verdicts.end() && sent_.size() == 1 && !verdicts.empty())
      verdict = verdicts.begin();
    if (verdict != verdicts.end()) {
      const auto& [code, why] = verdict->second;
      if (std::find(std::begin(kQueueErrors), std::end(kQueueErrors), code) !=
          std::end(kQueueErrors)) {
        // Its engine took nothing more; what comes behind this one is given again with it.
        delivery.done += at;
        delivery.outcome = Outcome::kRetry;
        delivery.error = config_.url + ": an event was not taken: " + why;
        return;
      }
      delivery.refused.push_back({delivery.done + at, why});
    }
  }
  accept(count, delivery);
}

void WazuhApiSink::request(std::span<const Line> lines, Delivery& delivery) {
  const std::size_t count = make_body(lines, delivery);
  if (sent_.empty()) return accept(count, delivery);
  requests_.push_back(SteadyClock::now());
  const HttpReply reply = events_.post(body_);
  const bool fresh = std::exchange(fresh_, false);
  if (reply.good()) return read_reply(lines, count, reply, delivery);
  if (reply.status == 400 || reply.status == 413 || reply.status == 422)
    return refuse(count, reply.error, delivery);
  delivery.done += sent_.front();
  if (reply.status == 401) {  // it was good for 15 minutes, or until the user changed
    token_.clear();
    if (!fresh) return;
  }
  delivery.outcome = Outcome::kRetry;
  delivery.error = reply.error;
  delivery.pause_min = reply.retry_after;
}

}  // namespace

std::unique_ptr<Sink> make_wazuh_api_sink(const SinkConfig& config) {
  return std::make_unique<WazuhApiSink>(config);
}

}  // namespace lilith::shipper
