#include "tests/kafka/broker.hpp"

#include "tests/kafka/consumer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <unistd.h>

namespace lilith::test {
namespace {

constexpr std::chrono::minutes kMavenTime{5}, kStartTime{3};
constexpr const char* kClusterId = "MkU3OEVBNTcwNTJENDM2Qg";

std::string classpath_file() { return std::string(LILITH_BIN_DIR) + "/../kafka-classpath"; }

int free_port() { return Receiver(Receiver::Kind::kTcp).port(); }

std::vector<std::string> java(const std::string& main_class) {
  return {"/usr/bin/java",    "-Xmx256m", "-XX:TieredStopAtLevel=1",
          "-XX:+UseSerialGC", "-cp",      read_text(classpath_file()),
          main_class};
}

}  // namespace

std::string Broker::missing() {
  static const std::string why = [] {
    for (const char* program : {"/usr/bin/java", "/usr/bin/mvn"})
      if (::access(program, X_OK) != 0) return std::string(program) + " is not installed";
    const std::string pom = std::string(LILITH_SOURCE_DIR) + "/tests/kafka/pom.xml";
    std::error_code none;
    if (std::filesystem::last_write_time(classpath_file(), none) >
        std::filesystem::last_write_time(pom, none))
      return std::string();
    const auto resolved =
        run({"/usr/bin/mvn", "-B", "-q", "-f", pom,
             "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath",
             "-Dmdep.outputFile=" + classpath_file(), "-DincludeScope=runtime"},
            {.timeout = kMavenTime});
    if (resolved.exit_code == 0) return std::string();
    return "Maven cannot resolve tests/kafka/pom.xml: " + resolved.out.substr(0, 300);
  }();
  return why;
}

namespace {

std::string at(const char* name, int port) {
  return std::string(name) + "://127.0.0.1:" + std::to_string(port);
}

}  // namespace

Broker::Broker(const std::string& directory)
    : directory_(directory),
      node_(1),
      plain_(free_port()),
      secure_(free_port()),
      controller_(free_port()) {
  write_settings("broker,controller",
                 "listeners=" + at("PLAINTEXT", plain_) + "," + at("SASL_SSL", secure_) + "," +
                     at("CONTROLLER", controller_) + "\nadvertised.listeners=" +
                     at("PLAINTEXT", plain_) + ",SASL_SSL://localhost:" + std::to_string(secure_) +
                     "\nsasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n"
                     "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config="
                     "org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
                     "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config="
                     "org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
                     "listener.name.sasl_ssl.plain.sasl.jaas.config="
                     "org.apache.kafka.common.security.plain.PlainLoginModule required "
                     "user_lilith=\"s3cret\";\n"
                     "ssl.keystore.type=PEM\nssl.keystore.location=" +
                     directory_ + "/keystore.pem\n");
  // Kafka reads keys in PKCS#8 only, which is what `openssl req` writes.
  write_text(directory_ + "/keystore.pem",
             read_text(directory_ + "/server.key") + read_text(directory_ + "/server.pem"));
  // Of SCRAM the cluster itself keeps what it knows of a user; a password each, so that none is
  // taken for another's.
  format({"--add-scram", "SCRAM-SHA-256=[name=lilith,password=s3cret-256]", "--add-scram",
          "SCRAM-SHA-512=[name=lilith,password=s3cret-512]"});
}

Broker::Broker(const std::string& directory, const Broker& first)
    : directory_(directory), node_(2), plain_(free_port()), controller_(first.controller_) {
  write_settings("broker", "listeners=" + at("PLAINTEXT", plain_) + "\n");
  format();
}

void Broker::write_settings(const std::string& roles, const std::string& more) {
  write_text(directory_ + "/server.properties",
             "process.roles=" + roles + "\nnode.id=" + std::to_string(node_) +
                 "\ncontroller.quorum.voters=1@127.0.0.1:" + std::to_string(controller_) +
                 "\ncontroller.listener.names=CONTROLLER\n"
                 "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
                 "SASL_SSL:SASL_SSL\n" +
                 more + "log.dirs=" + directory_ +
                 "/data\noffsets.topic.replication.factor=1\n"
                 "transaction.state.log.replication.factor=1\n"
                 "transaction.state.log.min.isr=1\nauto.create.topics.enable=false\n"
                 // A node that was killed is noticed in seconds.
                 "broker.session.timeout.ms=3000\nbroker.heartbeat.interval.ms=500\n"
                 "num.network.threads=2\nnum.io.threads=2\nlog.cleaner.enable=false\n");
}

void Broker::format(const std::vector<std::string>& more) {
  auto argv = java("kafka.tools.StorageTool");
  argv.insert(argv.end(), {"format", "-t", kClusterId, "-c", directory_ + "/server.properties"});
  argv.insert(argv.end(), more.begin(), more.end());
  const auto formatted = run(argv, {.timeout = kStartTime});
  EXPECT_EQ(formatted.exit_code, 0) << formatted.out << formatted.err;
}

void Broker::start() {
  auto argv = java("kafka.Kafka");
  argv.push_back(directory_ + "/server.properties");
  process_ = std::make_unique<Process>(argv);
  ASSERT_TRUE(eventually([&] { return answers(plain()) || !process_->running(); }, kStartTime));
  ASSERT_TRUE(process_->running()) << process_->wait().out;
}

void Broker::kill() {
  process_->signal(SIGKILL);
  (void)process_->wait();
}

}  // namespace lilith::test
