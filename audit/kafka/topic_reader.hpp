#pragma once
// A topic of Apache Kafka read from its beginning, all partitions, by librdkafka. A library of its
// own: nothing that starts for a tool call links it.

#include "audit/base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::audit {

struct TopicOptions {
  std::string brokers;  // "host:port,host:port"
  std::string topic;
  // Further properties of librdkafka, in order: security.protocol, sasl.username, ssl.ca.location.
  std::vector<std::pair<std::string, std::string>> properties;
};

// One property a line, NAME=VALUE, as kcat -F and Kafka's own tools read them; # begins a comment.
[[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> read_properties(
    const std::string& path);

struct TopicMessage {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string_view value;  // valid until the next call
};

class TopicReader {
 public:
  // Asks the brokers for the topic's partitions. kUnavailable when none answers in time, kNotFound
  // when there is no such topic.
  [[nodiscard]] static Result<std::unique_ptr<TopicReader>> open(const TopicOptions& options);
  virtual ~TopicReader() = default;

  enum class Status {
    kMessage,
    kNothing,  // none within `wait_ms`
    kEnd,      // every partition was read to where it ended; later messages may follow
  };
  // Errors that go away by themselves (a broker that is down) are waited out and show in trouble().
  [[nodiscard]] virtual Result<Status> next(TopicMessage& message, int wait_ms) = 0;
  // Asks for the topic's partitions again. kInvalidInput when there are others than at the start:
  // the reader does not know those. Brokers that do not answer and partitions that none of them
  // leads show in trouble(); else it is empty then.
  [[nodiscard]] virtual Result<void> look_again() = 0;
  // The last such error, until a message comes again.
  [[nodiscard]] virtual const std::string& trouble() const = 0;
};

}  // namespace lilith::audit
