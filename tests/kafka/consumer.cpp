#include "tests/kafka/consumer.hpp"

#include "tests/support/support.hpp"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <iterator>
#include <memory>

namespace lilith::test {
namespace {

constexpr int kRequestMs = 5'000;

struct Destroy {
  void operator()(rd_kafka_t* client) const { ::rd_kafka_destroy(client); }
};
using Client = std::unique_ptr<rd_kafka_t, Destroy>;

Client connect(rd_kafka_type_t type, const std::string& broker,
               const std::string& group = "tests") {
  rd_kafka_conf_t* conf = ::rd_kafka_conf_new();
  char why[256] = "";
  ::rd_kafka_conf_set(conf, "bootstrap.servers", broker.c_str(), why, sizeof why);
  ::rd_kafka_conf_set(conf, "group.id", group.c_str(), why, sizeof why);
  ::rd_kafka_conf_set(conf, "enable.partition.eof", "true", why, sizeof why);
  ::rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why, sizeof why);
  ::rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  return Client(::rd_kafka_new(type, conf, why, sizeof why));
}

std::string text(const void* bytes, std::size_t size) {
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

Message message_of(const rd_kafka_message_t& from) {
  Message message{text(from.key, from.key_len), text(from.payload, from.len), {}};
  rd_kafka_headers_t* headers = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  if (::rd_kafka_message_headers(&from, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
      ::rd_kafka_header_get_last(headers, "lilith-event-id", &value, &size) ==
          RD_KAFKA_RESP_ERR_NO_ERROR)
    message.event_id = text(value, size);
  return message;
}

}  // namespace

bool answers(const std::string& broker) {
  const Client client = connect(RD_KAFKA_PRODUCER, broker);
  const rd_kafka_metadata_t* metadata = nullptr;
  if (::rd_kafka_metadata(client.get(), 0, nullptr, &metadata, 1'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return false;
  const bool any = metadata->broker_cnt > 0;
  ::rd_kafka_metadata_destroy(metadata);
  return any;
}

void create_topic(const std::string& broker, const std::string& topic,
                  const std::map<std::string, std::string>& settings, std::vector<int> replicas,
                  int partitions) {
  const Client client = connect(RD_KAFKA_PRODUCER, broker);
  char why[256] = "";
  rd_kafka_NewTopic_t* wanted = ::rd_kafka_NewTopic_new(topic.c_str(), partitions,
                                                        replicas.empty() ? 1 : -1, why, sizeof why);
  ASSERT_NE(wanted, nullptr) << why;
  if (!replicas.empty()) {
    ASSERT_EQ(::rd_kafka_NewTopic_set_replica_assignment(wanted, 0, replicas.data(),
                                                         replicas.size(), why, sizeof why),
              RD_KAFKA_RESP_ERR_NO_ERROR)
        << why;
  }
  for (const auto& [name, value] : settings)
    ::rd_kafka_NewTopic_set_config(wanted, name.c_str(), value.c_str());
  rd_kafka_queue_t* queue = ::rd_kafka_queue_new(client.get());
  ::rd_kafka_CreateTopics(client.get(), &wanted, 1, nullptr, queue);
  rd_kafka_event_t* event = ::rd_kafka_queue_poll(queue, kRequestMs);
  ASSERT_NE(event, nullptr) << "no answer to CreateTopics";
  const rd_kafka_CreateTopics_result_t* result = ::rd_kafka_event_CreateTopics_result(event);
  std::size_t count = 0;
  const rd_kafka_topic_result_t** topics = ::rd_kafka_CreateTopics_result_topics(result, &count);
  ASSERT_EQ(count, 1U);
  EXPECT_EQ(::rd_kafka_topic_result_error(topics[0]), RD_KAFKA_RESP_ERR_NO_ERROR)
      << ::rd_kafka_topic_result_error_string(topics[0]);
  ::rd_kafka_event_destroy(event);
  ::rd_kafka_queue_destroy(queue);
  ::rd_kafka_NewTopic_destroy(wanted);
}

void add_partitions(const std::string& broker, const std::string& topic, int partitions_then) {
  const Client client = connect(RD_KAFKA_PRODUCER, broker);
  char why[256] = "";
  rd_kafka_NewPartitions_t* wanted = ::rd_kafka_NewPartitions_new(
      topic.c_str(), static_cast<std::size_t>(partitions_then), why, sizeof why);
  ASSERT_NE(wanted, nullptr) << why;
  rd_kafka_queue_t* queue = ::rd_kafka_queue_new(client.get());
  ::rd_kafka_CreatePartitions(client.get(), &wanted, 1, nullptr, queue);
  rd_kafka_event_t* event = ::rd_kafka_queue_poll(queue, kRequestMs);
  ASSERT_NE(event, nullptr) << "no answer to CreatePartitions";
  std::size_t count = 0;
  const rd_kafka_topic_result_t** topics = ::rd_kafka_CreatePartitions_result_topics(
      ::rd_kafka_event_CreatePartitions_result(event), &count);
  ASSERT_EQ(count, 1U);
  EXPECT_EQ(::rd_kafka_topic_result_error(topics[0]), RD_KAFKA_RESP_ERR_NO_ERROR)
      << ::rd_kafka_topic_result_error_string(topics[0]);
  ::rd_kafka_event_destroy(event);
  ::rd_kafka_queue_destroy(queue);
  ::rd_kafka_NewPartitions_destroy(wanted);
}

Partition partition_of(const std::string& broker, const std::string& topic) {
  Partition out;
  const Client client = connect(RD_KAFKA_PRODUCER, broker);
  rd_kafka_topic_t* const handle = ::rd_kafka_topic_new(client.get(), topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  if (::rd_kafka_metadata(client.get(), 0, handle, &metadata, 1'000) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (metadata->topic_cnt == 1 && metadata->topics[0].partition_cnt == 1) {
      const rd_kafka_metadata_partition_t& partition = metadata->topics[0].partitions[0];
      out.leader = partition.leader;
      out.in_sync.assign(partition.isrs, partition.isrs + partition.isr_cnt);
    }
    ::rd_kafka_metadata_destroy(metadata);
  }
  ::rd_kafka_topic_destroy(handle);
  return out;
}

void produce(const std::string& broker, const std::string& topic,
             const std::vector<Message>& messages) {
  const Client client = connect(RD_KAFKA_PRODUCER, broker);
  for (const Message& message : messages) {
    // The macros of producev() hold casts that our warnings refuse.
    rd_kafka_vu_t parts[] = {{RD_KAFKA_VTYPE_TOPIC, {}},
                             {RD_KAFKA_VTYPE_KEY, {}},
                             {RD_KAFKA_VTYPE_VALUE, {}},
                             {RD_KAFKA_VTYPE_MSGFLAGS, {}}};
    parts[0].u.cstr = topic.c_str();
    parts[1].u.mem = {const_cast<char*>(message.key.data()), message.key.size()};
    parts[2].u.mem = {const_cast<char*>(message.value.data()), message.value.size()};
    parts[3].u.i = RD_KAFKA_MSG_F_COPY;
    rd_kafka_error_t* const failed = ::rd_kafka_produceva(client.get(), parts, std::size(parts));
    EXPECT_EQ(failed, nullptr) << ::rd_kafka_error_string(failed);
    if (failed != nullptr) ::rd_kafka_error_destroy(failed);
  }
  EXPECT_EQ(::rd_kafka_flush(client.get(), kRequestMs), RD_KAFKA_RESP_ERR_NO_ERROR);
}

std::vector<Message> consume(const std::string& broker, const std::string& topic, int partition) {
  std::vector<Message> out;
  const Client client = connect(RD_KAFKA_CONSUMER, broker);
  rd_kafka_topic_partition_list_t* from = ::rd_kafka_topic_partition_list_new(1);
  ::rd_kafka_topic_partition_list_add(from, topic.c_str(), partition)->offset =
      RD_KAFKA_OFFSET_BEGINNING;
  ::rd_kafka_assign(client.get(), from);
  ::rd_kafka_topic_partition_list_destroy(from);
  for (;;) {
    rd_kafka_message_t* message = ::rd_kafka_consumer_poll(client.get(), kRequestMs);
    if (message == nullptr) break;
    const rd_kafka_resp_err_t error = message->err;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) out.push_back(message_of(*message));
    ::rd_kafka_message_destroy(message);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) break;  // RD_KAFKA_RESP_ERR__PARTITION_EOF: the end
  }
  ::rd_kafka_consumer_close(client.get());
  return out;
}

int members_of(const std::string& broker, const std::string& group) {
  const Client client = connect(RD_KAFKA_PRODUCER, broker);
  const rd_kafka_group_list* groups = nullptr;
  if (::rd_kafka_list_groups(client.get(), group.c_str(), &groups, kRequestMs) !=
      RD_KAFKA_RESP_ERR_NO_ERROR)
    return 0;
  int out = 0;
  for (int i = 0; i < groups->group_cnt; ++i) {
    if (groups->groups[i].state == std::string("Stable")) out = groups->groups[i].member_cnt;
  }
  ::rd_kafka_group_list_destroy(groups);
  return out;
}

std::int64_t lag_of(const std::string& broker, const std::string& group, const std::string& topic,
                    int partitions) {
  const Client client = connect(RD_KAFKA_CONSUMER, broker, group);
  rd_kafka_topic_partition_list_t* list = ::rd_kafka_topic_partition_list_new(partitions);
  ::rd_kafka_topic_partition_list_add_range(list, topic.c_str(), 0, partitions - 1);
  std::int64_t out = 0;
  // The coordinator of a group that is new, or the broker that was asked first, may not be ready.
  const bool known = eventually([&] {
    return ::rd_kafka_committed(client.get(), list, kRequestMs) == RD_KAFKA_RESP_ERR_NO_ERROR;
  });
  EXPECT_TRUE(known) << "no answer for group " << group;
  for (int i = 0; i < list->cnt; ++i) {
    std::int64_t low = 0, high = 0;
    EXPECT_EQ(
        ::rd_kafka_query_watermark_offsets(client.get(), topic.c_str(), i, &low, &high, kRequestMs),
        RD_KAFKA_RESP_ERR_NO_ERROR);
    out += high - std::max<std::int64_t>(list->elems[i].offset, 0);
  }
  ::rd_kafka_topic_partition_list_destroy(list);
  return out;
}

}  // namespace lilith::test
