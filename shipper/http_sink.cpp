// HTTP by libcurl: Elasticsearch and OpenSearch (_bulk), Splunk's HTTP event collector, and plain
// NDJSON. One request at a time; what its answer acknowledges is done.

#include "audit/base/clock.hpp"
#include "audit/base/limits.hpp"
#include "audit/json/reader.hpp"
#include "audit/json/writer.hpp"
#include "shipper/line.hpp"
#include "shipper/sink.hpp"

#include <algorithm>
#include <cstdio>
#include <curl/curl.h>
#include <mutex>
#include <set>

namespace lilith::shipper {
namespace {

constexpr std::size_t kAnswerBytesMax = std::size_t{16} * 1024 * 1024;
constexpr std::size_t kRequestLinesMax = 10'000;
constexpr std::size_t kReasonBytesMax = 300;

struct FreeEasy {
  void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};

std::size_t take_answer(char* bytes, std::size_t one, std::size_t count, void* into) {
  auto& answer = *static_cast<std::string*>(into);
  // Returning less than was given ends the transfer.
  if (answer.size() + one * count > kAnswerBytesMax) return 0;
  answer.append(bytes, one * count);
  return one * count;
}

struct Answer {
  long status = 0;  // 0: there was none
  std::string body, error;
  std::chrono::milliseconds retry_after{0};
};

// Statuses after which the same request may succeed.
bool is_passing(long status) {
  return status == 0 || status == 401 || status == 403 || status == 404 || status == 408 ||
         status == 425 || status == 429 || status >= 500 || (status >= 300 && status < 400);
}

class HttpSink final : public Sink {
 public:
  explicit HttpSink(const SinkConfig& config) : config_(config) {
    static std::once_flag once;
    std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
    make_headers();
  }

  [[nodiscard]] std::string_view proof() const override { return "accepted by the receiver"; }

  Delivery deliver(std::span<const Line> lines) override {
    Delivery delivery;
    while (delivery.done < lines.size() && delivery.outcome == Outcome::kGood)
      request(lines.subspan(delivery.done), delivery);
    delivery.taken = delivery.done;
    return delivery;
  }

 private:
  void make_headers();
  void add_header(const std::string& text);
  void request(std::span<const Line> lines, Delivery& delivery);
  std::size_t make_body(std::span<const Line> lines);
  void append_item(const Line& line, const LineFields& fields);
  Answer post();
  void set_options(CURL* easy, const std::string& url);
  void accept(std::size_t count, Delivery& delivery);
  void refuse(std::size_t count, const Answer& answer, Delivery& delivery);
  void read_items(std::span<const Line> lines, std::size_t count, const Answer& answer,
                  Delivery& delivery);

  SinkConfig config_;
  std::unique_ptr<CURL, FreeEasy> easy_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::string body_;
  std::vector<std::size_t> sent_;  // the lines in body_, by place among those given
  // Ids of events that were accepted behind one that was not: they are not sent again.
  std::set<std::string, std::less<>> accepted_;
  std::size_t lines_max_ = kRequestLinesMax;  // less after "too large"
};

void HttpSink::add_header(const std::string& text) {
  curl_slist* longer = ::curl_slist_append(headers_.get(), text.c_str());
  if (longer == nullptr) return;
  (void)headers_.release();
  headers_.reset(longer);
}

void HttpSink::make_headers() {
  const bool hec = config_.api == HttpApi::kSplunkHec;
  add_header(hec ? "Content-Type: application/json" : "Content-Type: application/x-ndjson");
  add_header("Expect:");  // no waiting for "100 Continue"
  if (config_.token.value.empty()) return;
  const char* scheme = hec                                      ? "Splunk "
                       : config_.api == HttpApi::kElasticsearch ? "ApiKey "
                                                                : "Bearer ";
  add_header("Authorization: " + std::string(scheme) + config_.token.value);
}

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

void HttpSink::set_options(CURL* easy, const std::string& url) {
  ::curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  ::curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(easy, CURLOPT_USERAGENT, "lilith-ship");
  ::curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
  ::curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(config_.connect_timeout.count()));
  ::curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                     static_cast<long>((config_.connect_timeout + config_.send_timeout).count()));
  if (!config_.username.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    ::curl_easy_setopt(easy, CURLOPT_USERNAME, config_.username.c_str());
    ::curl_easy_setopt(easy, CURLOPT_PASSWORD, config_.password.value.c_str());
  }
  const TlsConfig& tls = config_.tls;
  if (!tls.ca.empty()) ::curl_easy_setopt(easy, CURLOPT_CAINFO, tls.ca.c_str());
  if (!tls.certificate.empty()) {
    ::curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.certificate.c_str());
    ::curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key.c_str());
  }
  ::curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
  ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
}

Answer HttpSink::post() {
  Answer answer;
  if (!easy_) {
    easy_.reset(::curl_easy_init());
    if (!easy_) {
      answer.error = "libcurl cannot start";
      return answer;
    }
    set_options(easy_.get(), config_.url);
  }
  CURL* easy = easy_.get();
  char why[CURL_ERROR_SIZE] = "";
  ::curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
  ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer.body);
  ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body_.data());
  ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
  const CURLcode code = ::curl_easy_perform(easy);
  ::curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);
  if (code != CURLE_OK) {
    answer.error = config_.url + ": " + (why[0] != '\0' ? why : ::curl_easy_strerror(code));
    easy_.reset();  // certificates may have been renewed: read them again
    return answer;
  }
  ::curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_off_t after = 0;
  ::curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &after);
  answer.retry_after = std::chrono::seconds(std::clamp<curl_off_t>(after, 0, 3600));
  if (answer.status < 200 || answer.status > 299) {
    answer.error = config_.url + " answered " + std::to_string(answer.status) + ": " +
                   answer.body.substr(0, kReasonBytesMax);
  }
  return answer;
}

void HttpSink::accept(std::size_t count, Delivery& delivery) {
  delivery.done += count;
  accepted_.clear();
  if (lines_max_ < kRequestLinesMax) lines_max_ = std::min(lines_max_ * 2, kRequestLinesMax);
}

// The request can't be taken as it is: in halves the one line that is to blame is found.
void HttpSink::refuse(std::size_t count, const Answer& answer, Delivery& delivery) {
  if (sent_.size() > 1) {
    lines_max_ = sent_.size() / 2;
    return;
  }
  delivery.refused.push_back({delivery.done + sent_.front(), answer.error});
  accept(count, delivery);
}

// Elasticsearch: one verdict per item, in order.
void HttpSink::read_items(std::span<const Line> lines, std::size_t count, const Answer& answer,
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
                            error ? error->to_json().substr(0, kReasonBytesMax) : "");
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
  const Answer answer = post();
  if (answer.status >= 200 && answer.status < 300) {
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
