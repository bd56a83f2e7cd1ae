#pragma once
// Apache Kafka as a process of the test's: nodes in KRaft mode on loopback, the jars resolved by
// Maven from pom.xml.

#include "tests/support/support.hpp"

#include <memory>
#include <string>
#include <vector>

namespace lilith::test {

class Broker {
 public:
  // Why there can be no broker on this machine, or empty. Resolves the jars at the first call.
  [[nodiscard]] static std::string missing();

  // Node 1: broker and controller.
  explicit Broker(const std::string& directory);
  // Node 2 of the cluster of `first`, a broker only: it can be killed and the cluster goes on.
  // Listens on plain() alone.
  Broker(const std::string& directory, const Broker& first);
  // Listens without authentication on plain(), and with TLS and SASL on secure(): user lilith, by
  // PLAIN "s3cret", by SCRAM-SHA-256 "s3cret-256", by SCRAM-SHA-512 "s3cret-512"; certificates of
  // make_certificates() are in the directory. Waits until it answers.
  void start();
  void kill();  // SIGKILL
  [[nodiscard]] int node() const { return node_; }
  [[nodiscard]] std::string plain() const { return "127.0.0.1:" + std::to_string(plain_); }
  [[nodiscard]] std::string secure() const { return "localhost:" + std::to_string(secure_); }

 private:
  void write_settings(const std::string& roles, const std::string& more);
  void format(const std::vector<std::string>& more = {});

  std::string directory_;
  int node_, plain_, secure_ = 0, controller_;
  std::unique_ptr<Process> process_;
};

}  // namespace lilith::test
