#include "audit/kafka/group_reader.hpp"

#include "audit/kafka/client.hpp"

#include <librdkafka/rdkafka.h>

#include <array>
#include <chrono>
#include <thread>
#include <utility>

namespace lilith::audit {
namespace {

using kafka::Client;
using kafka::Message;
using kafka::PartitionList;
using kafka::Watcher;

constexpr int kMetadataMs = 15'000, kRequestMs = 10'000;
constexpr std::chrono::milliseconds kBetweenRequests{250}, kPatience{30'000};

// Trying again gives the same answer.
constexpr std::array kFinal{RD_KAFKA_RESP_ERR__AUTHENTICATION,
                            RD_KAFKA_RESP_ERR__SSL,
                            RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                            RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
                            RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
                            RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
                            RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT,
                            RD_KAFKA_RESP_ERR_INVALID_GROUP_ID,
                            RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
                            RD_KAFKA_RESP_ERR__FATAL};

TopicPartition name_of(const rd_kafka_topic_partition_t& from) {
  return {from.topic, from.partition};
}

class Reader final : public GroupReader {
 public:
  Reader(const GroupOptions& options, PartitionOwner& owner) : options_(options), owner_(owner) {
    watcher_.rebalance = [this](bool given, rd_kafka_topic_partition_list_t* list) {
      rebalance(given, list);
    };
  }
  ~Reader() override {
    message_.reset();
    gone_ = true;
    if (client_) ::rd_kafka_consumer_close(client_.get());
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Result<void> join() {
    kafka::Properties properties = options_.properties;
    properties.emplace_back("group.id", options_.group);
    // All partitions are given back and out again at each rebalance. "cooperative-sticky", which
    // moves only some, ends the process when a consumer of librdkafka 2.0.2 leaves before it was
    // given any (an assertion in rd_kafka_sticky_assignor_state_destroy).
    properties.emplace_back("partition.assignment.strategy", "roundrobin");
    auto client = kafka::connect(options_.brokers, std::move(properties), watcher_);
    if (!client) return pass_error(client);
    client_ = std::move(*client);
    auto partitions = kafka::partitions_of(client_.get(), watcher_, options_.brokers,
                                           options_.topics, kMetadataMs);
    if (!partitions) return pass_error(partitions);
    partitions_ = std::move(*partitions);
    char* const cluster = ::rd_kafka_clusterid(client_.get(), kRequestMs);
    if (cluster == nullptr)
      return fail(ErrorCode::kUnavailable, options_.brokers + " do not name their cluster");
    cluster_ = cluster;
    ::rd_kafka_mem_free(client_.get(), cluster);
    kafka::start_consuming(client_.get(), watcher_);
    const PartitionList topics(::rd_kafka_topic_partition_list_new(1));
    for (const std::string& topic : options_.topics)
      ::rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
    const rd_kafka_resp_err_t error = ::rd_kafka_subscribe(client_.get(), topics.get());
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return fail(ErrorCode::kUnavailable,
                "group " + options_.group + ": " + ::rd_kafka_err2str(error));
  }

  const std::string& cluster() const override { return cluster_; }

  Result<Offsets> ends() override {
    Offsets out;
    for (const auto& [topic, numbers] : partitions_) {
      for (const std::int32_t number : numbers) {
        std::int64_t low = 0, high = 0;
        if (auto asked = bounds({topic, number}, low, high); !asked) return pass_error(asked);
        out[{topic, number}] = high > low ? high : 0;
      }
    }
    return out;
  }

  Result<std::int64_t> low(const TopicPartition& partition) override {
    std::int64_t low = 0, high = 0;
    if (auto asked = bounds(partition, low, high); !asked) return pass_error(asked);
    return low;
  }

  Result<Offsets> committed() override {
    const PartitionList list(::rd_kafka_topic_partition_list_new(1));
    for (const auto& [topic, numbers] : partitions_) {
      for (const std::int32_t number : numbers)
        ::rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), number);
    }
    return committed_of(list.get());
  }

  Result<Status> next(GroupMessage& out, int wait_ms) override {
    message_.reset(::rd_kafka_consumer_poll(client_.get(), wait_ms));
    if (!failed_) return pass_error(failed_);
    if (!message_) {
      if (watcher_.refused) return fail(ErrorCode::kUnavailable, watcher_.error);
      if (!watcher_.error.empty()) trouble_ = std::exchange(watcher_.error, {});
      return Status::kNothing;
    }
    const bool end = message_->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if (message_->err != RD_KAFKA_RESP_ERR_NO_ERROR && !end) return at_error();
    trouble_.clear();
    const char* const topic = ::rd_kafka_topic_name(message_->rkt);
    if (out.partition.topic != topic) out.partition.topic = topic;
    out.partition.partition = message_->partition;
    out.offset = message_->offset;
    out.value = end || message_->payload == nullptr
                    ? std::string_view()
                    : std::string_view(static_cast<const char*>(message_->payload), message_->len);
    return end ? Status::kReached : Status::kMessage;
  }

  const std::string& trouble() const override { return trouble_; }

  void commit(const TopicPartition& partition, std::int64_t next) override {
    const PartitionList list = one(partition, next);
    note(::rd_kafka_commit(client_.get(), list.get(), 0));
  }

  void seek(const TopicPartition& partition, std::int64_t offset) override {
    message_.reset();
    const PartitionList list = one(partition, offset);
    rd_kafka_error_t* const error =
        ::rd_kafka_seek_partitions(client_.get(), list.get(), kRequestMs);
    if (error == nullptr) return;
    trouble_ = ::rd_kafka_error_string(error);
    ::rd_kafka_error_destroy(error);
  }

  void pause(const TopicPartition& partition) override {
    const PartitionList list = one(partition, RD_KAFKA_OFFSET_INVALID);
    ::rd_kafka_pause_partitions(client_.get(), list.get());
  }

  Result<void> close() override {
    message_.reset();
    const rd_kafka_resp_err_t error = ::rd_kafka_consumer_close(client_.get());
    client_.reset();
    if (!failed_) return std::move(failed_);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return fail(ErrorCode::kUnavailable, ::rd_kafka_err2str(error));
  }

 private:
  static PartitionList one(const TopicPartition& partition, std::int64_t offset) {
    PartitionList list(::rd_kafka_topic_partition_list_new(1));
    ::rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)
        ->offset = offset;
    return list;
  }

  // A request is made again for a while: a broker went down, the group's coordinator is not ready
  // yet (its first group on a new cluster), or this process was stopped meanwhile.
  template <class Ask>
  static rd_kafka_resp_err_t patiently(Ask ask) {
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      const rd_kafka_resp_err_t error = ask();
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR || std::chrono::steady_clock::now() > give_up)
        return error;
      std::this_thread::sleep_for(kBetweenRequests);
    }
  }

  Result<void> bounds(const TopicPartition& of, std::int64_t& low, std::int64_t& high) {
    const rd_kafka_resp_err_t error = patiently([&] {
      return ::rd_kafka_query_watermark_offsets(client_.get(), of.topic.c_str(), of.partition, &low,
                                                &high, kRequestMs);
    });
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return fail(ErrorCode::kUnavailable,
                of.topic + "[" + std::to_string(of.partition) + "]: " + ::rd_kafka_err2str(error));
  }

  Result<Offsets> committed_of(rd_kafka_topic_partition_list_t* list) {
    const rd_kafka_resp_err_t error =
        patiently([&] { return ::rd_kafka_committed(client_.get(), list, kRequestMs); });
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
      return fail(ErrorCode::kUnavailable,
                  "group " + options_.group + ": " + ::rd_kafka_err2str(error));
    Offsets out;
    for (int i = 0; i < list->cnt; ++i)
      out[name_of(list->elems[i])] = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
    return out;
  }

  Result<Status> at_error() {
    const rd_kafka_resp_err_t error = message_->err;
    trouble_ = ::rd_kafka_message_errstr(message_.get());
    for (const rd_kafka_resp_err_t final : kFinal) {
      if (error == final)
        return fail(ErrorCode::kUnavailable, "group " + options_.group + ": " + trouble_);
    }
    return Status::kNothing;
  }

  // Offsets to begin with, into the list.
  Result<void> place(rd_kafka_topic_partition_list_t* list) {
    auto committed = committed_of(list);
    if (!committed) return pass_error(committed);
    for (int i = 0; i < list->cnt; ++i) {
      const TopicPartition name = name_of(list->elems[i]);
      std::int64_t low = 0, high = 0;
      if (auto asked = bounds(name, low, high); !asked) return asked;
      auto from = owner_.given(name, low, (*committed)[name]);
      if (!from) return pass_error(from);
      list->elems[i].offset = *from;
    }
    return {};
  }

  void rebalance(bool given, rd_kafka_topic_partition_list_t* list) {
    if (given) {
      if (failed_ && !gone_) failed_ = place(list);
      // After a failure nothing is to be read, and the caller is about to end.
      const PartitionList nothing(::rd_kafka_topic_partition_list_new(1));
      note(::rd_kafka_assign(client_.get(), failed_ && !gone_ ? list : nothing.get()));
      return;
    }
    for (int i = 0; i < list->cnt && !gone_; ++i) {
      auto done = owner_.revoked(name_of(list->elems[i]));
      if (failed_ && !done) failed_ = std::move(done);
    }
    note(::rd_kafka_assign(client_.get(), nullptr));
  }

  void note(rd_kafka_resp_err_t error) {
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) trouble_ = ::rd_kafka_err2str(error);
  }

  GroupOptions options_;
  PartitionOwner& owner_;
  Watcher watcher_;
  Client client_;
  bool gone_ = false;  // there is nobody to tell any more
  kafka::Partitions partitions_;
  std::string cluster_;
  Message message_;
  std::string trouble_;
  Result<void> failed_;  // what the owner failed with
};

}  // namespace

Result<std::unique_ptr<GroupReader>> GroupReader::open(const GroupOptions& options,
                                                       PartitionOwner& owner) {
  auto reader = std::make_unique<Reader>(options, owner);
  if (auto joined = reader->join(); !joined) return pass_error(joined);
  return reader;
}

}  // namespace lilith::audit
