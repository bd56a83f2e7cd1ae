// A Kafka broker in a process of its own, so that it can be stopped and ended like one:
// librdkafka's mock cluster, nothing on disk. `kafka_mock FILE TOPIC...` writes its address to FILE
// and serves until it is killed.

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <unistd.h>

namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "kafka_mock: %s\n", why.c_str());
  std::_Exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) give_up("usage: kafka_mock FILE TOPIC...");
  char why[256] = "";
  rd_kafka_t* const handle =
      ::rd_kafka_new(RD_KAFKA_PRODUCER, ::rd_kafka_conf_new(), why, sizeof why);
  if (handle == nullptr) give_up(why);
  rd_kafka_mock_cluster_t* const cluster = ::rd_kafka_mock_cluster_new(handle, 1);
  if (cluster == nullptr) give_up("no mock cluster");
  for (int i = 2; i < argc; ++i) {
    if (::rd_kafka_mock_topic_create(cluster, argv[i], 1, 1) != 0) give_up("no topic");
  }
  const std::string file = argv[1], unfinished = file + ".new";
  std::ofstream(unfinished) << ::rd_kafka_mock_cluster_bootstraps(cluster);
  if (::rename(unfinished.c_str(), file.c_str()) != 0) give_up("cannot write " + file);
  for (;;) ::pause();
}
