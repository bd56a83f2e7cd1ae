#pragma once
// What the readers of topics share of librdkafka. For the files of audit/kafka only.

#include "audit/base/result.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

struct rd_kafka_s;
struct rd_kafka_message_s;
struct rd_kafka_topic_partition_list_s;

namespace lilith::audit::kafka {

struct Destroy {
  void operator()(rd_kafka_s* client) const;
  void operator()(rd_kafka_message_s* message) const;
  void operator()(rd_kafka_topic_partition_list_s* list) const;
};
using Client = std::unique_ptr<rd_kafka_s, Destroy>;
using Message = std::unique_ptr<rd_kafka_message_s, Destroy>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_s, Destroy>;

// What a client says while it is asked for something else. Outlives it, and stays where it is.
struct Watcher {
  std::string error;     // the last one
  bool refused = false;  // credentials or certificate: trying again won't help
  bool consuming = false;
  // Partitions that come (`given`) or go. Has to assign or unassign them.
  std::function<void(bool given, rd_kafka_topic_partition_list_s* list)> rebalance;
};

using Properties = std::vector<std::pair<std::string, std::string>>;

// A consumer that commits nothing by itself; of two properties of one name the later one counts. It
// begins to consume with start_consuming(), since until then its errors are told to `watcher`
// alone.
[[nodiscard]] Result<Client> connect(const std::string& brokers, Properties properties,
                                     Watcher& watcher);
void start_consuming(rd_kafka_s* client, Watcher& watcher);

struct TopicNow {
  std::set<std::int32_t> partitions;
  std::set<std::int32_t> without_leader;  // of them: nobody can read those now
};
// One topic; errors as of partitions_of(). Forgets a refusal of a client that consumes: it may have
// been a broker that went away in the middle of a handshake.
[[nodiscard]] Result<TopicNow> topic_now(rd_kafka_s* client, Watcher& watcher,
                                         const std::string& brokers, const std::string& topic,
                                         int wait_ms);

using Partitions = std::map<std::string, std::set<std::int32_t>>;
// The partitions of topics. kUnavailable when no broker answers in time or when they refuse who
// asks, kNotFound when there is no such topic.
[[nodiscard]] Result<Partitions> partitions_of(rd_kafka_s* client, Watcher& watcher,
                                               const std::string& brokers,
                                               const std::vector<std::string>& topics, int wait_ms);

}  // namespace lilith::audit::kafka
