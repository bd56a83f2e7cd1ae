// HTTP: Elasticsearch and OpenSearch (_bulk), Splunk's HTTP event collector, and plain
// NDJSON. One request at a time; what its answer acknowledges is done.

#include "audit/base/clock.hpp"
#include "audit/base/limits.hpp"
#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"
#include "shipper/http_client.hpp"
#include "shipper/line.hpp"
#include "shipper/sink.hpp"

#include <algorithm>
#include <cstdio>
#include <set>
#include <vector>

namespace lilith::shipper {
namespace {

constexpr std::size_t kRequestLinesMax = 10'000;

std::vector<std::string> headers_of(const SinkConfig& config) {
  const bool hec = config.api == HttpApi::kSplunkHec;
  std::vector<std::string> headers{
      hec ? "Content-Type: application/json" : "Content-Type: application/x-ndjson",
      "Expect:"};  // no waiting for "100 Continue"
  if (config.token.value.empty()) return headers;
  const char* scheme = hec                                     ? "Splunk "
                       : config.api == HttpApi::kElasticsearch ? "ApiKey "
                                                               : "Bearer ";
  headers.push_back("Authorization: " + std::string(scheme) + config.token.value);
  return headers;
}

class HttpSink final : public Sink {
 public:
  explicit HttpSink(const SinkConfig& config) : config_(config), client_(config.url, config, true) {
    client_.set_headers(headers_of(config));
  }

  [[nodiscard]] std::string_view proof() const override { return "accepted by the receiver"; }

  Delivery deliver(std::span<const Line> lines) override {
    Delivery delivery;
    while (delivery.done < lines.size() && delivery.outcome == Outcome::kGood)
      request(lines.subspan(delivery.done), delivery);
    delivery.taken = delivery.done;
    return delivery;
  }

  void give_back_memory() override { give_back(body_); }

 private:
  void request(std::span<const Line> lines, Delivery& delivery);
  std::size_t make_body(std::span<const Line> lines);
  void append_item(const Line& line, const LineFields& fields);
  void accept(std::size_t count, Delivery& delivery);
  void refuse(std::size_t count, const HttpReply& answer, Delivery& delivery);
  void read_items(std::span<const Line> lines, std::size_t count, const HttpReply& answer,
                  Delivery& delivery);

  SinkConfig config_;
  HttpClient client_;
  std::string body_;
  std::vector<std::size_t> sent_;  // the lines in body_, by place among those given
  // Ids of events that were accepted behind one that was not: they are not sent again.
  std::set<std::string, std::less<>> accepted_;
  std::size_t lines_max_ = kRequestLinesMax;  // less after "too large"
};

// The event as one item of the API's form.
void HttpSink::append_item(const Line& line, const LineFields& fields) {
  if (config_.api == HttpApi::kElasticsearch) {
    json::Writer writer(body_);
    writer.begin_object().key("create").begin_object().member("_index", config_.index);
    // The event's id makes a repetition a conflict and not a second document.
    if (!fields.id.empty()) writer.member("_id", fields.id);
    writer.end_object().end_object();
    body_.push_back('\n');
  } else if (config_.api == HttpApi::kSplunkHec) {
    json::Writer writer(body_);
    writer.begin_object();
    if (const auto time = parse_time(fields.time)) {
      const auto micros = time->time_since_epoch().count();
      char text[32];
      std::snprintf(text, sizeof text, "%lld.%06lld", static_cast<long long>(micros / 1'000'000),
                    static_cast<long long>(micros % 1'000'000));
      writer.key("time").raw(text);
    }
    writer.member("host", fields.host).member("source", config_.app_name);
    writer.member("sourcetype", "lilith:event");
    if (!config_.index.empty()) writer.member("index", config_.index);
    writer.key("event").raw(line.body).end_object();
    body_.push_back('\n');
    return;
  }
  body_ += line.body;
  body_.push_back('\n');
}

// Fills body_ and sent_; returns how many lines they account for.
std::size_t HttpSink::make_body(std::span<const Line> lines) {
  body_.clear();
  sent_.clear();
  std::size_t count = 0;
  for (const Line& line : lines) {
    if (sent_.size() >= lines_max_) break;
    if (!sent_.empty() && body_.size() + line.body.size() > config_.request_bytes_max) break;
    const LineFields fields = scan_line(line.event);
    if (fields.id.empty() || !accepted_.contains(fields.id)) {
      append_item(line, fields);
      sent_.push_back(count);
    }
    ++count;
  }
  return count;
}

void HttpSink::accept(std::size_t count, Delivery& delivery) {
  delivery.done += count;
  accepted_.clear();
  if (lines_max_ < kRequestLinesMax) lines_max_ = std::min(lines_max_ * 2, kRequestLinesMax);
}

// The request can't be taken as it is: in halves the one line that is to blame is found.
void HttpSink::refuse(std::size_t count, const HttpReply& answer, Delivery& delivery) {
  if (sent_.size() > 1) {
    lines_max_ = sent_.size() / 2;
    return;
  }
  delivery.refused.push_back({delivery.done + sent_.front(), answer.error});
  accept(count, delivery);
}

// Elasticsearch: one verdict per item, in order.
void HttpSink::read_items(std::span<const Line> lines, std::size_t count, const HttpReply& answer,
                          Delivery& delivery) {
  json::Document document;
  const auto root = document.parse(answer.body);
  const auto items = root ? root->find("items") : std::nullopt;
  std::vector<std::pair<long, std::string>> verdicts;
  if (items) {
    items->each_element([&](json::View item) {
      const auto one = item.find("create");
      const auto status = one ? one->find("status") : std::nullopt;
      const auto error = one ? one->find("error") : std::nullopt;
      verdicts.emplace_back(status ? status->integer().value_or(0) : 0,
                            error ? said_by(error->to_json(), config_) : "");
      return true;
    });
  }
  if (verdicts.size() != sent_.size()) {
    delivery.outcome = Outcome::kRetry;
    delivery.error = config_.url + " answered without a verdict for each event";
    return;
  }
  std::size_t first_open = count;
  std::vector<Refused> refused;
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    const auto& [status, why] = verdicts[i];
    const std::string id(scan_line(lines[sent_[i]].event).id);
    // 409: it is there already, from a request whose answer was lost.
    if ((status >= 200 && status < 300) || status == 409) {
      if (!id.empty()) accepted_.insert(id);
    } else if (is_passing(status)) {
      first_open = std::min(first_open, sent_[i]);
      delivery.error = "an event was not taken (" + std::to_string(status) + "): " + why;
    } else {
      refused.push_back({delivery.done + sent_[i], std::to_string(status) + ": " + why});
    }
  }
  // Refused ones behind an open one are judged again with it.
  for (Refused& one : refused)
    if (one.index < delivery.done + first_open) delivery.refused.push_back(std::move(one));
  if (first_open == count) {
    delivery.error.clear();
    return accept(count, delivery);
  }
  delivery.done += first_open;
  delivery.outcome = Outcome::kRetry;
  delivery.pause_min = answer.retry_after;
}

void HttpSink::request(std::span<const Line> lines, Delivery& delivery) {
  const std::size_t count = make_body(lines);
  if (sent_.empty()) return accept(count, delivery);
  const HttpReply answer = client_.post(body_);
  if (answer.good()) {
    if (config_.api == HttpApi::kElasticsearch) return read_items(lines, count, answer, delivery);
    return accept(count, delivery);
  }
  if (!is_passing(answer.status)) return refuse(count, answer, delivery);
  delivery.outcome = Outcome::kRetry;
  delivery.error = answer.error;
  delivery.pause_min = answer.retry_after;
}

}  // namespace

std::unique_ptr<Sink> make_http_sink(const SinkConfig& config) {
  return std::make_unique<HttpSink>(config);
}

}  // namespace lilith::shipper
