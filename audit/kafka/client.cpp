#include "audit/kafka/client.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>

namespace lilith::audit::kafka {
namespace {

constexpr int kAskMs = 1000;  // between two looks at what went wrong meanwhile

void on_error(rd_kafka_t*, int error, const char* reason, void* opaque) {
  auto& watcher = *static_cast<Watcher*>(opaque);
  watcher.error = reason;
  // Later on, a broker that goes down in the middle of a handshake looks like a wrong certificate.
  watcher.refused = watcher.refused || error == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
                    (error == RD_KAFKA_RESP_ERR__SSL && !watcher.consuming);
}

void on_rebalance(rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* list,
                  void* opaque) {
  static_cast<Watcher*>(opaque)->rebalance(error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, list);
}

}  // namespace

void Destroy::operator()(rd_kafka_s* client) const { ::rd_kafka_destroy(client); }
void Destroy::operator()(rd_kafka_message_s* message) const { ::rd_kafka_message_destroy(message); }
void Destroy::operator()(rd_kafka_topic_partition_list_s* list) const {
  ::rd_kafka_topic_partition_list_destroy(list);
}

Result<Client> connect(const std::string& brokers, Properties properties, Watcher& watcher) {
  properties.insert(properties.end(), {{"bootstrap.servers", brokers},
                                       {"enable.auto.commit", "false"},
                                       {"enable.auto.offset.store", "false"},
                                       {"auto.offset.reset", "earliest"},
                                       {"enable.partition.eof", "true"},
                                       {"isolation.level", "read_committed"},
                                       {"log.connection.close", "false"},
                                       {"queued.max.messages.kbytes", "16384"}});
  rd_kafka_conf_t* const conf = ::rd_kafka_conf_new();
  char why[512] = "";
  for (const auto& [name, value] : properties) {
    if (::rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) == RD_KAFKA_CONF_OK)
      continue;
    ::rd_kafka_conf_destroy(conf);
    return fail(ErrorCode::kInvalidInput, "librdkafka: " + std::string(why));
  }
  ::rd_kafka_conf_set_opaque(conf, &watcher);
  ::rd_kafka_conf_set_error_cb(conf, on_error);
  if (watcher.rebalance) ::rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
  // What the log says is told as errors, too, and would go to standard error unasked.
  ::rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  rd_kafka_t* const client = ::rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  if (client != nullptr) return Client(client);
  ::rd_kafka_conf_destroy(conf);
  return fail(ErrorCode::kInvalidInput, "librdkafka: " + std::string(why));
}

void start_consuming(rd_kafka_s* client, Watcher& watcher) {
  watcher.consuming = true;
  ::rd_kafka_poll_set_consumer(client);
}

Result<TopicNow> topic_now(rd_kafka_s* client, Watcher& watcher, const std::string& brokers,
                           const std::string& name, int wait_ms) {
  if (watcher.consuming) watcher.refused = false;
  rd_kafka_topic_t* const topic = ::rd_kafka_topic_new(client, name.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
  for (int left = wait_ms; left > 0 && metadata == nullptr && !watcher.refused; left -= kAskMs) {
    error = ::rd_kafka_metadata(client, 0, topic, &metadata, std::min(left, kAskMs));
    if (metadata == nullptr && !watcher.consuming) ::rd_kafka_poll(client, 0);
  }
  ::rd_kafka_topic_destroy(topic);
  if (metadata == nullptr) {
    return fail(ErrorCode::kUnavailable,
                (watcher.refused ? "refused by " : "no answer from ") + brokers + ": " +
                    (watcher.error.empty() ? ::rd_kafka_err2str(error) : watcher.error));
  }
  TopicNow out;
  rd_kafka_resp_err_t missing = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    missing = metadata->topics[i].err;
    for (int k = 0; k < metadata->topics[i].partition_cnt; ++k) {
      const rd_kafka_metadata_partition_t& partition = metadata->topics[i].partitions[k];
      out.partitions.insert(partition.id);
      if (partition.leader < 0) out.without_leader.insert(partition.id);
    }
  }
  ::rd_kafka_metadata_destroy(metadata);
  if (!out.partitions.empty()) return out;
  return fail(ErrorCode::kNotFound,
              "topic " + name + " at " + brokers + ": " + ::rd_kafka_err2str(missing));
}

Result<Partitions> partitions_of(rd_kafka_s* client, Watcher& watcher, const std::string& brokers,
                                 const std::vector<std::string>& topics, int wait_ms) {
  Partitions out;
  for (const std::string& topic : topics) {
    auto now = topic_now(client, watcher, brokers, topic, wait_ms);
    if (!now) return pass_error(now);
    out.emplace(topic, std::move(now->partitions));
  }
  return out;
}

}  // namespace lilith::audit::kafka
