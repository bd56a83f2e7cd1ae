#pragma once
// The proxy in a thread of the test, with a resolver that the test fills, and blocking clients and
// servers on loopback.

#include "audit/event.hpp"
#include "enforcer/proxy/server.hpp"
#include "tests/support/support.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace lilith::test {

// Answers from a table, and counts how often it was asked.
class TableResolver final : public enforcer::proxy::Resolver {
 public:
  void set(const std::string& host, std::vector<std::string> addresses);
  [[nodiscard]] Result<std::vector<rules::CanonicalHost>> resolve(const std::string& host) override;
  [[nodiscard]] int asked() const { return asked_; }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> table_;
  std::atomic<int> asked_ = 0;
};

// A blocking socket with a time limit on each step.
class Client {
 public:
  explicit Client(int port);
  void send(std::string_view bytes) const;
  void end_input() const;
  // Until the other side ends, or `bytes_max` have come.
  [[nodiscard]] std::string read(std::size_t bytes_max = std::size_t{1} << 30) const;
  [[nodiscard]] std::string read_until(std::string_view mark) const;

 private:
  UniqueFd fd_;
};

// Accepts connections one after the other and echoes what they send, each in upper case.
class EchoServer {
 public:
  EchoServer();
  ~EchoServer();
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  [[nodiscard]] int port() const { return port_; }

 private:
  void serve() const;
  UniqueFd listener_;
  int port_ = 0;
  std::thread thread_;
};

class ProxyFixture {
 public:
  ProxyFixture();
  ~ProxyFixture();
  ProxyFixture(const ProxyFixture&) = delete;
  ProxyFixture& operator=(const ProxyFixture&) = delete;

  TableResolver resolver;
  enforcer::proxy::ServerOptions options;

  [[nodiscard]] std::string file(std::string_view name) const { return folder_.file(name); }
  [[nodiscard]] std::string log() const { return folder_.file("log/agent-audit.log"); }
  // `egress`: the lines of the section, each indented by two. Replaces the file by a rename.
  void write_policy(std::string_view egress, std::string_view mode = "enforce") const;
  void start();
  void stop();
  void reload() const;
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::vector<audit::Event> events(audit::EventType type) const;

 private:
  TempDir folder_;
  UniqueFd listener_, stop_read_, stop_write_, reload_read_, reload_write_;
  std::unique_ptr<enforcer::Gate> gate_;
  std::unique_ptr<enforcer::proxy::Server> server_;
  std::thread thread_;
  int port_ = 0;
};

// The first bytes of a TLS client that asks for `name`; empty: without a name.
[[nodiscard]] std::string client_hello(std::string_view name, bool encrypted_hello = false);

}  // namespace lilith::test
