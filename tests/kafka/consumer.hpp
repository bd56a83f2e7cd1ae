#pragma once
// What the tests ask a broker for, by librdkafka.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lilith::test {

// Whether the broker answers a request for its metadata.
[[nodiscard]] bool answers(const std::string& broker);
// A topic with so many partitions; `settings` as in max.message.bytes. `replicas` are nodes, the
// first of them its leader; empty: one, wherever.
void create_topic(const std::string& broker, const std::string& topic,
                  const std::map<std::string, std::string>& settings = {},
                  std::vector<int> replicas = {}, int partitions = 1);
void add_partitions(const std::string& broker, const std::string& topic, int partitions_then);
// The nodes that lead the topic's partition 0 (-1: none) and that have all of it.
struct Partition {
  int leader = -1;
  std::vector<int> in_sync;
};
[[nodiscard]] Partition partition_of(const std::string& broker, const std::string& topic);

struct Message {
  std::string key, value, event_id;  // of the header lilith-event-id
};
// Puts each message into the partition of its key, and waits until the broker has them.
void produce(const std::string& broker, const std::string& topic,
             const std::vector<Message>& messages);
// Everything in one partition of the topic from its beginning to its present end.
[[nodiscard]] std::vector<Message> consume(const std::string& broker, const std::string& topic,
                                           int partition = 0);

// The consumers in a group whose partitions are given out; 0 while they are being given.
[[nodiscard]] int members_of(const std::string& broker, const std::string& group);
// Messages of the topic that the group has not committed yet.
[[nodiscard]] std::int64_t lag_of(const std::string& broker, const std::string& group,
                                  const std::string& topic, int partitions);

}  // namespace lilith::test
