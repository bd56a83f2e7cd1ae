#include "audit/kafka/topic_reader.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <set>

namespace lilith::audit {
namespace {

constexpr int kMetadataMs = 15'000, kMetadataAgainMs = 2000;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t from = text.find_first_not_of(kBlanks);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlanks) + 1 - from);
}

struct DestroyClient {
  void operator()(rd_kafka_t* client) const { ::rd_kafka_destroy(client); }
};
struct DestroyMessage {
  void operator()(rd_kafka_message_t* message) const { ::rd_kafka_message_destroy(message); }
};
struct DestroyList {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    ::rd_kafka_topic_partition_list_destroy(list);
  }
};
using Client = std::unique_ptr<rd_kafka_t, DestroyClient>;
using Message = std::unique_ptr<rd_kafka_message_t, DestroyMessage>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, DestroyList>;

Result<Client> connect(const TopicOptions& options) {
  // Required of every consumer; nothing is committed under it.
  std::vector<std::pair<std::string, std::string>> settings = {{"group.id", "lilith-verify"}};
  settings.insert(settings.end(), options.properties.begin(), options.properties.end());
  settings.insert(settings.end(), {{"bootstrap.servers", options.brokers},
                                   {"enable.auto.commit", "false"},
                                   {"enable.auto.offset.store", "false"},
                                   {"auto.offset.reset", "earliest"},
                                   {"enable.partition.eof", "true"},
                                   {"isolation.level", "read_committed"},
                                   {"log.connection.close", "false"},
                                   {"queued.max.messages.kbytes", "16384"}});
  rd_kafka_conf_t* const conf = ::rd_kafka_conf_new();
  char why[512] = "";
  for (const auto& [name, value] : settings) {
    if (::rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) == RD_KAFKA_CONF_OK)
      continue;
    ::rd_kafka_conf_destroy(conf);
    return fail(ErrorCode::kInvalidInput, "librdkafka: " + std::string(why));
  }
  // What they say comes from next() as well, and would go to standard error unasked.
  ::rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
  rd_kafka_t* const client = ::rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  if (client != nullptr) {
    ::rd_kafka_poll_set_consumer(client);
    return Client(client);
  }
  ::rd_kafka_conf_destroy(conf);
  return fail(ErrorCode::kInvalidInput, "librdkafka: " + std::string(why));
}

Result<std::set<std::int32_t>> partitions_of(rd_kafka_t* client, const TopicOptions& options,
                                             int wait_ms) {
  rd_kafka_topic_t* const topic = ::rd_kafka_topic_new(client, options.topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error = ::rd_kafka_metadata(client, 0, topic, &metadata, wait_ms);
  ::rd_kafka_topic_destroy(topic);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return fail(ErrorCode::kUnavailable,
                "no answer from " + options.brokers + ": " + ::rd_kafka_err2str(error));
  std::set<std::int32_t> out;
  rd_kafka_resp_err_t missing = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    missing = metadata->topics[i].err;
    for (int k = 0; k < metadata->topics[i].partition_cnt; ++k)
      out.insert(metadata->topics[i].partitions[k].id);
  }
  ::rd_kafka_metadata_destroy(metadata);
  if (out.empty())
    return fail(ErrorCode::kNotFound,
                "topic " + options.topic + ": " + ::rd_kafka_err2str(missing));
  return out;
}

class Reader final : public TopicReader {
 public:
  Reader(Client client, const TopicOptions& options, const std::set<std::int32_t>& partitions)
      : client_(std::move(client)),
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
    if (!message_) return Status::kNothing;
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
    const auto now = partitions_of(client_.get(), options_, kMetadataAgainMs);
    if (!now) {
      trouble_ = now.error().message;
      return {};
    }
    trouble_.clear();
    if (*now == partitions_) return {};
    return fail(ErrorCode::kInvalidInput,
                "topic " + options_.topic + " has " + std::to_string(now->size()) +
                    " partitions now and had " + std::to_string(partitions_.size()) +
                    ": start again to read them all");
  }

  [[nodiscard]] const std::string& trouble() const override { return trouble_; }

 private:
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
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return fail(ErrorCode::kInvalidInput,
                  path + ":" + std::to_string(number) + ": not NAME=VALUE");
    out.emplace_back(trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 1)));
  }
  return out;
}

Result<std::unique_ptr<TopicReader>> TopicReader::open(const TopicOptions& options) {
  auto client = connect(options);
  if (!client) return pass_error(client);
  auto partitions = partitions_of(client->get(), options, kMetadataMs);
  if (!partitions) return pass_error(partitions);
  auto reader = std::make_unique<Reader>(std::move(*client), options, *partitions);
  if (auto assigned = reader->assign(); !assigned) return pass_error(assigned);
  return reader;
}

}  // namespace lilith::audit
