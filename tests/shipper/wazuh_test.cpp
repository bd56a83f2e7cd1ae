// The wazuh sink against a datagram socket that behaves as Wazuh's queue: a short queue, gone and
// back again.

#include "audit/base/unique_fd.hpp"
#include "tests/shipper/ship_fixture.hpp"

#include <gmock/gmock.h>

#include <csignal>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>

namespace lilith::test {
namespace {

class WazuhQueue : public ShipProcess {
 protected:
  [[nodiscard]] std::string path() const { return dir_.file("queue"); }
  UniqueFd bind() const {
    ::unlink(path().c_str());
    UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path().c_str(), path().size() + 1);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
  // The next datagram, as Wazuh's own reader takes it.
  static std::string take(const UniqueFd& socket) {
    std::string buffer(65'536, '\0');
    const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    EXPECT_GT(got, 0);
    buffer.resize(got > 0 ? static_cast<std::size_t>(got) : 0U);
    return buffer;
  }
  void configure_queue(const std::string& location = "lilith") {
    configure("type: wazuh, path: \"" + path() + "\", location: \"" + location + "\"");
  }
};

TEST_F(WazuhQueue, GetsEachEventAsOneDatagramHoweverShortItsQueue) {
  const UniqueFd queue = bind();
  append_events(log_options(log()), 200);  // the kernel's queue holds about ten
  configure_queue("a:b|c");
  Process shipper(command());
  for (const std::string& line : all_lines(log())) EXPECT_EQ(take(queue), "1:a|:b||c:" + line);
  shipper.signal(SIGTERM);
  EXPECT_EQ(shipper.wait().exit_code, 0);
}

TEST_F(WazuhQueue, IsReachedAgainAfterTheAgentRestarts) {
  configure_queue();
  append_events(log_options(log()), 5);
  const auto failed = once(1);
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.err, testing::HasSubstr("group wazuh"));
  UniqueFd queue = bind();
  Process shipper(command());
  const auto written = all_lines(log());
  std::vector<std::string> got;
  for (std::size_t i = 0; i < written.size(); ++i) got.push_back(take(queue).substr(9));
  EXPECT_EQ(got, written);
  queue = bind();
  append_events(log_options(log()), 5);
  const auto all = all_lines(log());
  while (got.empty() || got.back() != all.back()) got.push_back(take(queue).substr(9));
  (void)expect_at_least_once_in_order(got, all);
}

}  // namespace
}  // namespace lilith::test
