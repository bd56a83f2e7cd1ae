#include "tests/proxy/proxy_fixture.hpp"

#include "audit/base/clock.hpp"
#include "audit/base/text.hpp"
#include "audit/codec.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace lilith::test {
namespace {

constexpr timeval kStepLimit{30, 0};

int port_of(int listener) {
  const std::string where = enforcer::proxy::bound_to(listener);
  return std::stoi(where.substr(where.rfind(':') + 1));
}

std::string big_endian(std::size_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
  return out;
}
std::string vector_of(const std::string& content, int length_bytes) {
  return big_endian(content.size(), length_bytes) + content;
}

}  // namespace

void TableResolver::set(const std::string& host, std::vector<std::string> addresses) {
  const std::lock_guard lock(mutex_);
  table_[host] = std::move(addresses);
}

Result<std::vector<rules::CanonicalHost>> TableResolver::resolve(const std::string& host) {
  ++asked_;
  const std::lock_guard lock(mutex_);
  const auto found = table_.find(host);
  if (found == table_.end()) return fail(ErrorCode::kUnavailable, "no such name in the test");
  std::vector<rules::CanonicalHost> out;
  for (const std::string& text : found->second) out.push_back(*rules::canonical_host(text));
  return out;
}

Client::Client(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &kStepLimit, sizeof kStepLimit);
  EXPECT_EQ(
      ::connect(fd_.get(), static_cast<sockaddr*>(static_cast<void*>(&address)), sizeof address), 0)
      << std::strerror(errno);
}

void Client::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

void Client::end_input() const { ::shutdown(fd_.get(), SHUT_WR); }

std::string Client::read(std::size_t bytes_max) const {
  std::string out;
  std::array<char, 65536> buffer{};
  while (out.size() < bytes_max) {
    const ssize_t got =
        ::recv(fd_.get(), buffer.data(), std::min(buffer.size(), bytes_max - out.size()), 0);
    if (got <= 0) break;
    out.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return out;
}

std::string Client::read_until(std::string_view mark) const {
  std::string out;
  while (out.find(mark) == std::string::npos) {
    const std::string more = read(1);
    if (more.empty()) break;
    out += more;
  }
  return out;
}

EchoServer::EchoServer() {
  auto listener = enforcer::proxy::listen_at("127.0.0.1:0");
  EXPECT_TRUE(listener);
  listener_ = std::move(*listener);
  port_ = port_of(listener_.get());
  thread_ = std::thread([this] { serve(); });
}

EchoServer::~EchoServer() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

void EchoServer::serve() const {
  while (true) {
    const UniqueFd one(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!one.valid()) return;
    ::setsockopt(one.get(), SOL_SOCKET, SO_RCVTIMEO, &kStepLimit, sizeof kStepLimit);
    std::array<char, 65536> buffer{};
    ssize_t got = 0;
    while ((got = ::recv(one.get(), buffer.data(), buffer.size(), 0)) > 0) {
      for (char& c : buffer) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      if (::send(one.get(), buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) < 0) break;
    }
  }
}

ProxyFixture::ProxyFixture() {
  auto listener = enforcer::proxy::listen_at("127.0.0.1:0");
  EXPECT_TRUE(listener);
  listener_ = std::move(*listener);
  port_ = port_of(listener_.get());
  options.listener = listener_.get();
  options.workers = 2;
  for (auto [read, write] :
       {std::pair{&stop_read_, &stop_write_}, {&reload_read_, &reload_write_}}) {
    std::array<int, 2> fds{};
    EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
    read->reset(fds[0]);
    write->reset(fds[1]);
  }
}

ProxyFixture::~ProxyFixture() { stop(); }

void ProxyFixture::write_policy(std::string_view egress, std::string_view mode) const {
  write_text(file("policy.new"), "version: \"1\"\nmode: " + std::string(mode) + "\negress:\n" +
                                     std::string(egress) +
                                     "audit:\n  enabled: true\n  log_path: \"" + log() + "\"\n");
  EXPECT_EQ(::rename(file("policy.new").c_str(), file("policy.yaml").c_str()), 0);
}

void ProxyFixture::start() {
  enforcer::GateOptions gate;
  gate.policy = file("policy.yaml");
  gate.session = "session-1";
  gate.keeps_policy = true;
  enforcer::Places places;
  places.system_policy = file("none.yaml");
  places.system_recorder = file("none.sock");
  places.system_state = file("system-state");
  places.user_state = file("state");
  gate_ = std::make_unique<enforcer::Gate>(
      gate, system_clock(), rules::real_file_system(), rules::UserRecord{"dev", 1000, "/home/dev"},
      places, enforcer::AgentProcess{4711, "8823912", "/usr/bin/lilith"}, "/");
  server_ = std::make_unique<enforcer::proxy::Server>(
      options, *gate_, resolver, enforcer::proxy::AddressGuard::of_this_machine());
  thread_ =
      std::thread([this] { EXPECT_TRUE(server_->serve(stop_read_.get(), reload_read_.get())); });
}

void ProxyFixture::stop() {
  if (!thread_.joinable()) return;
  EXPECT_EQ(::write(stop_write_.get(), "x", 1), 1);
  thread_.join();
}

void ProxyFixture::reload() const { EXPECT_EQ(::write(reload_write_.get(), "x", 1), 1); }

std::vector<audit::Event> ProxyFixture::events(audit::EventType type) const {
  std::vector<audit::Event> out;
  if (::access(log().c_str(), F_OK) != 0) return out;
  for (const std::string& line : lines_of(read_text(log()))) {
    auto event = audit::decode(line);
    // The last line may be on its way.
    if (event && event->type == type) out.push_back(std::move(*event));
  }
  return out;
}

std::string client_hello(std::string_view name, bool encrypted_hello) {
  std::string extensions = big_endian(0x002B, 2) + vector_of("\x02\x03\x04", 2);
  if (!name.empty()) {
    const std::string entry = std::string(1, '\0') + vector_of(std::string(name), 2);
    extensions += big_endian(0, 2) + vector_of(vector_of(entry, 2), 2);
  }
  if (encrypted_hello) extensions += big_endian(0xFE0D, 2) + vector_of("xxxx", 2);
  const std::string body = "\x03\x03" + std::string(32, 'r') + vector_of(std::string(32, 's'), 1) +
                           vector_of("\x13\x01", 2) + vector_of(std::string(1, '\0'), 1) +
                           vector_of(extensions, 2);
  const std::string message = "\x01" + vector_of(body, 3);
  return "\x16\x03\x01" + vector_of(message, 2);
}

}  // namespace lilith::test
