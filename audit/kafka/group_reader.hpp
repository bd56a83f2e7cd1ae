#pragma once
// Topics of Apache Kafka read by the consumers of a group: each gets some of the partitions, and
// others when one joins or leaves. Where to begin is the caller's, and so is when to commit.

#include "audit/base/result.hpp"
#include "audit/kafka/topic_reader.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lilith::audit {

struct GroupOptions {
  std::string brokers;  // "host:port,host:port"
  std::vector<std::string> topics;
  std::string group;
  std::vector<std::pair<std::string, std::string>> properties;  // as of TopicOptions
};

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

// Who is told of partitions that come and go; always within GroupReader::next() or close().
class PartitionOwner {
 public:
  virtual ~PartitionOwner() = default;
  // The offset to read from. `low`: the first that the broker has; `committed`: the group's next
  // one, -1 when it has none. After an error nothing more is read.
  [[nodiscard]] virtual Result<std::int64_t> given(const TopicPartition& partition,
                                                   std::int64_t low, std::int64_t committed) = 0;
  // Another consumer may get it as soon as this returns. It is the last chance to commit.
  [[nodiscard]] virtual Result<void> revoked(const TopicPartition& partition) = 0;
};

struct GroupMessage {
  TopicPartition partition;  // kept from call to call, so that the topic's name is not copied anew
  std::int64_t offset = 0;
  std::string_view value;  // valid until the next call
};

class GroupReader {
 public:
  // Joins the group. Errors as of TopicReader::open(); `owner` outlives the reader.
  [[nodiscard]] static Result<std::unique_ptr<GroupReader>> open(const GroupOptions& options,
                                                                 PartitionOwner& owner);
  // Leaves the group without a word to the owner if close() was not called.
  virtual ~GroupReader() = default;

  [[nodiscard]] virtual const std::string& cluster() const = 0;  // its id
  // Where each partition of the topics ends now: the offset of the next message to be written. 0
  // for one that holds no message.
  using Offsets = std::map<TopicPartition, std::int64_t>;
  [[nodiscard]] virtual Result<Offsets> ends() = 0;
  // The first offset of a partition that the broker still has.
  [[nodiscard]] virtual Result<std::int64_t> low(const TopicPartition& partition) = 0;
  // What the group has committed of each partition, whoever owns it; -1 for nothing.
  [[nodiscard]] virtual Result<Offsets> committed() = 0;

  enum class Status {
    kMessage,
    kReached,  // everything before `offset` of the partition was given out
    kNothing,  // none within `wait_ms`
  };
  // What goes away by itself shows in trouble(); what the owner failed with comes out here.
  [[nodiscard]] virtual Result<Status> next(GroupMessage& message, int wait_ms) = 0;
  [[nodiscard]] virtual const std::string& trouble() const = 0;

  // What can fail here, since the partition went to another consumer meanwhile, shows in trouble().
  virtual void commit(const TopicPartition& partition, std::int64_t next) = 0;
  virtual void seek(const TopicPartition& partition, std::int64_t offset) = 0;
  virtual void pause(const TopicPartition& partition) = 0;

  // Gives all partitions back (revoked() of each) and leaves the group.
  [[nodiscard]] virtual Result<void> close() = 0;
};

}  // namespace lilith::audit
