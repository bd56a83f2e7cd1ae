// Apache Kafka by librdkafka: idempotent, acks=all, key = host, so that a host's events stay in one
// partition and in order. Delivery reports say what is done.

#include "shipper/line.hpp"
#include "shipper/sink.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>

namespace lilith::shipper {
namespace {

constexpr int kSettleMs = 100;
constexpr int kEndMs = 1'000;
// So many messages go one by one after a broker refused a batch.
constexpr std::size_t kSingleMessages = 1'000;

struct Slot {
  enum class State : std::uint8_t { kSent, kDelivered, kRefused, kLost } state = State::kSent;
  bool refused_in_batch = false;
};

// What the callbacks write; librdkafka calls them from rd_kafka_poll(), on the sink's own thread.
struct Reports {
  std::uint64_t first = 0;  // number of slots.front(), counting all messages of this producer
  std::deque<Slot> slots;
  std::map<std::uint64_t, std::string> why;  // of the refused and the lost, by number
  std::string trouble;  // the last error of a connection, until something is delivered
  // One message a batch: a broker that refuses a batch does not say which message it meant.
  bool single = false;
  std::size_t delivered = 0;
  bool unusable = false;  // what is not delivered must be produced again by a new producer
};

// A message that no broker of this cluster will ever take.
bool is_refusal(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || error == RD_KAFKA_RESP_ERR_INVALID_MSG ||
         error == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE || error == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
         error == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& reports = *static_cast<Reports*>(opaque);
  const std::uint64_t number = reinterpret_cast<std::uintptr_t>(message->_private);
  if (number < reports.first || number - reports.first >= reports.slots.size()) return;
  Slot& slot = reports.slots[number - reports.first];
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    slot.state = Slot::State::kDelivered;
    ++reports.delivered;
    reports.trouble.clear();
    return;
  }
  reports.why[number] = ::rd_kafka_err2str(message->err);
  slot.refused_in_batch = is_refusal(message->err) && !reports.single;
  slot.state =
      is_refusal(message->err) && reports.single ? Slot::State::kRefused : Slot::State::kLost;
}

void on_error(rd_kafka_t*, int code, const char* why, void* opaque) {
  auto& reports = *static_cast<Reports*>(opaque);
  reports.trouble = why;
  if (code == RD_KAFKA_RESP_ERR__FATAL) reports.unusable = true;
}

// librdkafka's own log lines say what on_error() says, and go to standard error unasked.
void on_log(const rd_kafka_t*, int, const char*, const char*) {}

class KafkaSink final : public Sink {
 public:
  explicit KafkaSink(const SinkConfig& config) : config_(config) {}
  ~KafkaSink() override { close(); }
  KafkaSink(const KafkaSink&) = delete;
  KafkaSink& operator=(const KafkaSink&) = delete;

  [[nodiscard]] std::string_view proof() const override { return "on all in-sync replicas"; }

  Delivery deliver(std::span<const Line> lines) override {
    if (producer_ == nullptr) {
      if (auto opened = open(); !opened) return retry_later(std::move(opened.error().message));
    }
    std::size_t taken = 0;
    for (const Line& line : lines) {
      if (!produce(line)) break;
      ++taken;
    }
    Delivery delivery = collect(0);
    delivery.taken = taken;
    return delivery;
  }

  Delivery settle() override {
    if (producer_ == nullptr) return {};
    return collect(reports_.slots.empty() ? 0 : kSettleMs);
  }

 private:
  Result<void> open();
  Result<void> set(rd_kafka_conf_t* conf, const char* name, const std::string& value) const;
  Result<void> configure(rd_kafka_conf_t* conf) const;
  bool produce(const Line& line);
  Delivery collect(int wait_ms);
  void close();

  SinkConfig config_;
  rd_kafka_t* producer_ = nullptr;
  rd_kafka_topic_t* topic_ = nullptr;
  bool single_ = false;
  Reports reports_;
};

Result<void> KafkaSink::set(rd_kafka_conf_t* conf, const char* name,
                            const std::string& value) const {
  char why[512] = "";
  if (::rd_kafka_conf_set(conf, name, value.c_str(), why, sizeof why) == RD_KAFKA_CONF_OK)
    return {};
  return fail(ErrorCode::kInvalidInput, "librdkafka refuses " + std::string(name) + ": " + why);
}

Result<void> KafkaSink::configure(rd_kafka_conf_t* conf) const {
  const bool sasl = !config_.sasl_mechanism.empty();
  const TlsConfig& tls = config_.tls;
  std::vector<std::pair<const char*, std::string>> settings{
      {"bootstrap.servers", config_.brokers},
      {"client.id", "lilith-ship"},
      {"enable.idempotence", "true"},
      {"acks", "all"},
      {"compression.codec", config_.compression},
      {"linger.ms", std::to_string(config_.linger.count())},
      // Never given up: the log is the buffer, and the worker reads no further than the window.
      {"message.timeout.ms", "0"},
      {"message.max.bytes", std::to_string(config_.message_bytes_max)},
      {"queue.buffering.max.messages", "100000"},
      {"queue.buffering.max.kbytes", "65536"},
      {"partitioner", "murmur2"},  // as Java clients do: the same key, the same partition
      {"socket.keepalive.enable", "true"},
      {"socket.connection.setup.timeout.ms",
       std::to_string(std::max<long long>(config_.connect_timeout.count(), 1'000))},
      {"reconnect.backoff.max.ms", "10000"},
      {"log.connection.close", "false"},
      {"topic.metadata.propagation.max.ms", "5000"},
      {"security.protocol", std::string(sasl ? "sasl_" : "") + (tls.on ? "ssl" : "plaintext")}};
  if (single_) settings.emplace_back("batch.num.messages", "1");
  if (sasl) {
    settings.insert(settings.end(), {{"sasl.mechanism", config_.sasl_mechanism},
                                     {"sasl.username", config_.username},
                                     {"sasl.password", config_.password.value}});
  }
  if (tls.on) {
    if (!tls.ca.empty()) settings.emplace_back("ssl.ca.location", tls.ca);
    if (!tls.certificate.empty()) {
      settings.emplace_back("ssl.certificate.location", tls.certificate);
      settings.emplace_back("ssl.key.location", tls.key);
    }
    settings.emplace_back("enable.ssl.certificate.verification", tls.verify ? "true" : "false");
    settings.emplace_back("ssl.endpoint.identification.algorithm", tls.verify ? "https" : "none");
  }
  for (const auto& [name, value] : settings) {
    if (auto done = set(conf, name, value); !done) return done;
  }
  return {};
}

Result<void> KafkaSink::open() {
  rd_kafka_conf_t* conf = ::rd_kafka_conf_new();
  if (auto configured = configure(conf); !configured) {
    ::rd_kafka_conf_destroy(conf);
    return configured;
  }
  reports_ = {};
  reports_.single = single_;
  ::rd_kafka_conf_set_opaque(conf, &reports_);
  ::rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  ::rd_kafka_conf_set_error_cb(conf, on_error);
  ::rd_kafka_conf_set_log_cb(conf, on_log);
  char why[512] = "";
  producer_ = ::rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (producer_ == nullptr) {
    ::rd_kafka_conf_destroy(conf);
    return fail(ErrorCode::kInvalidInput, "librdkafka: " + std::string(why));
  }
  topic_ = ::rd_kafka_topic_new(producer_, config_.topic.c_str(), nullptr);
  if (topic_ != nullptr) return {};
  const std::string error = ::rd_kafka_err2str(::rd_kafka_last_error());
  close();
  return fail(ErrorCode::kInvalidInput, "librdkafka: topic " + config_.topic + ": " + error);
}

// False when the producer's queue is full or it can't go on.
bool KafkaSink::produce(const Line& line) {
  if (reports_.unusable) return false;
  const LineFields fields = scan_around_seq(line.event, line.marks);
  const std::uint64_t number = reports_.first + reports_.slots.size();
  std::array<rd_kafka_vu_t, 6> values{};
  values[0].vtype = RD_KAFKA_VTYPE_RKT;
  values[0].u.rkt = topic_;
  // Not copied: the line stays where it is until it is done, or the producer was closed.
  values[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  values[1].u.i = 0;
  values[2].vtype = RD_KAFKA_VTYPE_KEY;
  values[2].u.mem = {const_cast<char*>(fields.host.data()), fields.host.size()};
  values[3].vtype = RD_KAFKA_VTYPE_VALUE;
  values[3].u.mem = {const_cast<char*>(line.body.data()), line.body.size()};
  values[4].vtype = RD_KAFKA_VTYPE_HEADER;
  values[4].u.header = {"lilith-event-id", fields.id.data(),
                        static_cast<ssize_t>(fields.id.size())};
  values[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
  values[5].u.ptr = reinterpret_cast<void*>(number);
  rd_kafka_error_t* const failed = ::rd_kafka_produceva(producer_, values.data(), values.size());
  const rd_kafka_resp_err_t error =
      failed != nullptr ? ::rd_kafka_error_code(failed) : RD_KAFKA_RESP_ERR_NO_ERROR;
  ::rd_kafka_error_destroy(failed);
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) return false;
  reports_.slots.emplace_back();
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
  if (is_refusal(error)) {
    reports_.why[number] = std::string(::rd_kafka_err2str(error)) + " (" +
                           std::to_string(line.body.size()) + " bytes)";
    reports_.slots.back().state = Slot::State::kRefused;
    return true;
  }
  reports_.slots.pop_back();
  reports_.trouble = "topic " + config_.topic + ": " + ::rd_kafka_err2str(error);
  reports_.unusable = true;
  return false;
}

// Serves delivery reports; what is delivered is done as far as everything before it is.
Delivery KafkaSink::collect(int wait_ms) {
  ::rd_kafka_poll(producer_, wait_ms);
  Delivery delivery;
  while (!reports_.slots.empty()) {
    const Slot first = reports_.slots.front();
    if (first.state == Slot::State::kSent) break;
    if (first.state == Slot::State::kLost) {
      reports_.trouble = "topic " + config_.topic + ": " + reports_.why[reports_.first];
      reports_.unusable = true;
      single_ = single_ || first.refused_in_batch;
      break;
    }
    if (first.state == Slot::State::kRefused) {
      delivery.refused.push_back({delivery.done, std::move(reports_.why[reports_.first])});
      reports_.why.erase(reports_.first);
    }
    ++delivery.done;
    ++reports_.first;
    reports_.slots.pop_front();
  }
  if (delivery.done == 0) delivery.error = reports_.trouble;
  if (!reports_.unusable) {
    if (single_ && reports_.slots.empty() && reports_.delivered >= kSingleMessages) {
      single_ = false;
      close();
    }
    return delivery;
  }
  delivery.outcome = Outcome::kRetry;
  delivery.error = reports_.trouble;
  close();
  return delivery;
}

void KafkaSink::close() {
  if (producer_ == nullptr) return;
  // What was not acknowledged comes again; nothing is waited for.
  ::rd_kafka_purge(producer_, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  ::rd_kafka_flush(producer_, kEndMs);
  if (topic_ != nullptr) ::rd_kafka_topic_destroy(topic_);
  topic_ = nullptr;
  ::rd_kafka_destroy(producer_);  // waits for its threads: from here on no line is looked at
  producer_ = nullptr;
  reports_ = {};
}

}  // namespace

std::unique_ptr<Sink> make_kafka_sink(const SinkConfig& config) {
  return std::make_unique<KafkaSink>(config);
}

}  // namespace lilith::shipper
