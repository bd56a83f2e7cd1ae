#pragma once
// Apache Kafka as a process of the test's: one node in KRaft mode on loopback, its jars resolved by
// Maven from pom.xml.

#include "tests/support/support.hpp"

#include <memory>
#include <string>

namespace lilith::test {

class Broker {
 public:
  // Why there can be no broker on this machine, or empty. Resolves the jars at the first call.
  [[nodiscard]] static std::string missing();

  explicit Broker(const std::string& directory);
  // Listens without authentication on plain(), and with TLS and SASL/PLAIN (lilith, "s3cret") on
  // secure(); certificates of make_certificates() are in the directory. Waits until it answers.
  void start();
  void kill();  // SIGKILL
  [[nodiscard]] std::string plain() const { return "127.0.0.1:" + std::to_string(plain_); }
  [[nodiscard]] std::string secure() const { return "localhost:" + std::to_string(secure_); }

 private:
  std::string directory_;
  int plain_, secure_, controller_;
  std::unique_ptr<Process> process_;
};

}  // namespace lilith::test
