#include "audit/kafka/topic_reader.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/kafka/client.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <set>
#include <utility>

namespace lilith::audit {
namespace {

constexpr int kMetadataMs = 15'000, kMetadataAgainMs = 2000;

constexpr std::string_view kBlanks = " \t\r";

using kafka::Client;
using kafka::Message;
using kafka::PartitionList;
using kafka::Watcher;

class Reader final : public TopicReader {
 public:
  Reader(std::unique_ptr<Watcher> watcher, Client client, const TopicOptions& options,
         const std::set<std::int32_t>& partitions)
      : watcher_(std::move(watcher)),
        client_(std::move(client)),
        options_(options),
        partitions_(partitions),
        behind_(partitions) {}
  ~Reader() override {
    message_.reset();
    ::rd_kafka_consumer_close(client_.get());
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Result<void> assign() {
    const PartitionList list(
        ::rd_kafka_topic_partition_list_new(static_cast<int>(partitions_.size())));
    for (const std::int32_t partition : partitions_)
      ::rd_kafka_topic_partition_list_add(list.get(), options_.topic.c_str(), partition)->offset =
          RD_KAFKA_OFFSET_BEGINNING;
    const rd_kafka_resp_err_t error = ::rd_kafka_assign(client_.get(), list.get());
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return fail(ErrorCode::kUnavailable,
                "topic " + options_.topic + ": " + ::rd_kafka_err2str(error));
  }

  Result<Status> next(TopicMessage& out, int wait_ms) override {
    message_.reset(::rd_kafka_consumer_poll(client_.get(), wait_ms));
    if (!message_) {
      if (!watcher_->error.empty()) trouble_ = std::exchange(watcher_->error, {});
      return Status::kNothing;
    }
    if (message_->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      const bool last = behind_.erase(message_->partition) > 0 && behind_.empty();
      return last ? Status::kEnd : Status::kNothing;
    }
    if (message_->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (::rd_kafka_fatal_error(client_.get(), nullptr, 0) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return fail(ErrorCode::kIo, ::rd_kafka_message_errstr(message_.get()));
      trouble_ = ::rd_kafka_message_errstr(message_.get());
      return Status::kNothing;
    }
    trouble_.clear();
    out = {message_->partition, message_->offset,
           message_->payload == nullptr
               ? std::string_view()
               : std::string_view(static_cast<const char*>(message_->payload), message_->len)};
    return Status::kMessage;
  }

  Result<void> look_again() override {
    const auto topic = kafka::topic_now(client_.get(), *watcher_, options_.brokers, options_.topic,
                                        kMetadataAgainMs);
    if (!topic) {
      trouble_ = topic.error().message;
      return {};
    }
    trouble_.clear();
    const std::set<std::int32_t>& now = topic->partitions;
    if (now == partitions_) {
      if (!topic->without_leader.empty()) {
        trouble_ = "topic " + options_.topic + ": partition " +
                   std::to_string(*topic->without_leader.begin()) + " has no broker that leads it";
      }
      return {};
    }
    return fail(ErrorCode::kInvalidInput,
                "topic " + options_.topic + " has " + std::to_string(now.size()) +
                    " partitions now and had " + std::to_string(partitions_.size()) +
                    ": start again to read them all");
  }

  [[nodiscard]] const std::string& trouble() const override { return trouble_; }

 private:
  std::unique_ptr<Watcher> watcher_;
  Client client_;
  TopicOptions options_;
  std::set<std::int32_t> partitions_;
  std::set<std::int32_t> behind_;  // partitions whose end was not reached yet
  Message message_;
  std::string trouble_;
};

}  // namespace

Result<std::vector<std::pair<std::string, std::string>>> read_properties(const std::string& path) {
  auto text = read_file(path, limits::kPolicyBytesMax);
  if (!text) return pass_error(text);
  std::vector<std::pair<std::string, std::string>> out;
  std::size_t number = 0;
  for (std::string_view rest = *text; !rest.empty();) {
    ++number;
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trimmed(rest.substr(0, end), kBlanks);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return fail(ErrorCode::kInvalidInput,
                  path + ":" + std::to_string(number) + ": not NAME=VALUE");
    out.emplace_back(trimmed(line.substr(0, equals), kBlanks),
                     trimmed(line.substr(equals + 1), kBlanks));
  }
  return out;
}

Result<std::unique_ptr<TopicReader>> TopicReader::open(const TopicOptions& options) {
  // Every consumer needs a group; nothing is committed under this one.
  kafka::Properties properties = {{"group.id", "lilith-verify"}};
  properties.insert(properties.end(), options.properties.begin(), options.properties.end());
  auto watcher = std::make_unique<Watcher>();
  auto client = kafka::connect(options.brokers, std::move(properties), *watcher);
  if (!client) return pass_error(client);
  auto partitions =
      kafka::partitions_of(client->get(), *watcher, options.brokers, {options.topic}, kMetadataMs);
  if (!partitions) return pass_error(partitions);
  kafka::start_consuming(client->get(), *watcher);
  auto reader = std::make_unique<Reader>(std::move(watcher), std::move(*client), options,
                                         partitions->at(options.topic));
  if (auto assigned = reader->assign(); !assigned) return pass_error(assigned);
  return reader;
}

}  // namespace lilith::audit
