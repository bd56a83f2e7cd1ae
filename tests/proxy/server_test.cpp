// The egress proxy between real sockets.

#include "tests/proxy/proxy_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace lilith {
namespace {

using audit::Action;
using audit::EventType;
using test::Client;
using test::client_hello;
using test::EchoServer;
using test::eventually;
using test::ProxyFixture;
using test::Receiver;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

// An entry for up.example and one for the address behind it, without which it would be refused.
std::string allow(int port, std::string_view protocol) {
  const std::string rest =
      ", ports: [" + std::to_string(port) + "], protocols: [" + std::string(protocol) + "]}\n";
  return "  default_action: deny\n  allowed_destinations:\n    - {host: up.example" + rest +
         "    - {host: 127.0.0.1" + rest;
}

std::string connect_to(std::string_view host, int port) {
  const std::string authority = std::string(host) + ":" + std::to_string(port);
  return "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n";
}

class ProxyServerTest : public testing::Test {
 protected:
  void SetUp() override { proxy.resolver.set("up.example", {"127.0.0.1"}); }
  [[nodiscard]] audit::Event decision() const {
    auto all = proxy.events(EventType::kDecision);
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? audit::Event() : all.back();
  }
  // Whether a connection was closed and recorded.
  [[nodiscard]] std::optional<audit::Event> closed() const {
    std::optional<audit::Event> out;
    eventually([&] {
      auto all = proxy.events(EventType::kConnectionClosed);
      if (!all.empty()) out = all.back();
      return !all.empty();
    });
    return out;
  }
  ProxyFixture proxy;
};

TEST_F(ProxyServerTest, AnAllowedTunnelCarriesBothWaysAndIsRecordedBeforeAndAfter) {
  const EchoServer server;
  proxy.write_policy(allow(server.port(), "tcp"));
  proxy.start();
  const Client client(proxy.port());
  client.send(connect_to("up.example", server.port()) + "early ");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 200 Connection established\r\n\r\n");
  client.send("bytes");
  client.end_input();
  EXPECT_EQ(client.read(), "EARLY BYTES");
  const audit::Event before = decision();
  EXPECT_EQ(before.action, Action::kAllowed);
  EXPECT_EQ(before.operation.host, "up.example");
  EXPECT_EQ(before.operation.protocol, "tcp");
  EXPECT_THAT(before.detail, Contains(Pair("addresses", "127.0.0.1")));
  const auto after = closed();
  ASSERT_TRUE(after);
  EXPECT_THAT(after->detail, Contains(Pair("decision", before.id)));
  EXPECT_THAT(after->detail, Contains(Pair("bytes_up", "11")));
  EXPECT_THAT(after->detail, Contains(Pair("bytes_down", "11")));
  EXPECT_GT(after->seq, before.seq);
}

TEST_F(ProxyServerTest, ManyBytesComeThroughWholeAndSlowReadersAreWaitedFor) {
  const EchoServer server;
  proxy.write_policy(allow(server.port(), "tcp"));
  proxy.start();
  const Client client(proxy.port());
  client.send(connect_to("up.example", server.port()));
  (void)client.read_until("\r\n\r\n");
  constexpr std::size_t kBytes = 20'000'000;
  // Sends all before it reads anything, so that every buffer on the way fills up.
  std::thread writer([&] {
    client.send(std::string(kBytes, 'x'));
    client.end_input();
  });
  const std::string back = client.read();
  writer.join();
  EXPECT_EQ(back.size(), kBytes);
  EXPECT_EQ(back.find_first_not_of('X'), std::string::npos);
}

TEST_F(ProxyServerTest, WhatIsDeniedIsNeitherLookedUpNorDialled) {
  Receiver server(Receiver::Kind::kTcp);
  proxy.write_policy(allow(1, "tcp"));
  proxy.start();
  for (const std::string host : {"evil.example", "127.0.0.1", "up.example"}) {
    const Client client(proxy.port());
    client.send(connect_to(host, server.port()));
    const std::string answer = client.read();
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 403 Forbidden\r\n"));
    EXPECT_THAT(answer, HasSubstr("[rule egress.default_action]"));
  }
  EXPECT_EQ(proxy.resolver.asked(), 0);
  EXPECT_EQ(server.connections(), 0U);
  const auto decisions = proxy.events(EventType::kDecision);
  ASSERT_EQ(decisions.size(), 3U);
  for (const auto& event : decisions) EXPECT_EQ(event.action, Action::kDenied);
}

TEST_F(ProxyServerTest, ANameThatLeadsToThisMachineNeedsAnEntryForTheAddress) {
  Receiver server(Receiver::Kind::kTcp);
  proxy.write_policy(
      "  default_action: deny\n  allowed_destinations:\n    - {host: up.example, ports: [" +
      std::to_string(server.port()) + "], protocols: [tcp]}\n");
  proxy.start();
  const Client client(proxy.port());
  client.send(connect_to("up.example", server.port()));
  EXPECT_THAT(client.read(), HasSubstr("403"));
  EXPECT_EQ(server.connections(), 0U);
  EXPECT_EQ(decision().action, Action::kDenied);
  EXPECT_EQ(decision().operation.host, "127.0.0.1");
}

TEST_F(ProxyServerTest, DefaultAllowDoesNotOpenThisMachine) {
  Receiver server(Receiver::Kind::kTcp);
  proxy.write_policy("  default_action: allow\n");
  proxy.start();
  for (const std::string host : {"up.example", "127.0.0.1", "[::1]", "2130706433"}) {
    const Client client(proxy.port());
    client.send(connect_to(host, server.port()));
    const std::string answer = client.read();
    EXPECT_THAT(answer, HasSubstr("403")) << host;
    EXPECT_THAT(answer, HasSubstr("needs an entry of its own")) << host;
  }
  EXPECT_EQ(server.connections(), 0U);
}

TEST_F(ProxyServerTest, ABlockedAddressIsNotReachedThroughAName) {
  proxy.resolver.set("up.example", {"192.0.2.7"});
  proxy.write_policy("  default_action: allow\n  blocked_destinations: [192.0.2.0/24]\n");
  proxy.start();
  const Client client(proxy.port());
  client.send(connect_to("up.example", 443));
  EXPECT_THAT(client.read(), HasSubstr("403"));
  EXPECT_EQ(decision().rule, "egress.blocked_destinations[\"192.0.2.0/24\"]");
}

TEST_F(ProxyServerTest, TheAddressThatWasCheckedIsTheOneDialledAndTheNameIsResolvedOnce) {
  const EchoServer server;
  // The first address is refused, the second is dialled.
  proxy.resolver.set("up.example", {"169.254.169.254", "127.0.0.1"});
  proxy.write_policy(allow(server.port(), "tcp"));
  proxy.start();
  const Client client(proxy.port());
  client.send(connect_to("up.example", server.port()));
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("200"));
  client.end_input();
  EXPECT_EQ(client.read(), "");
  EXPECT_EQ(proxy.resolver.asked(), 1);
  const auto after = closed();
  ASSERT_TRUE(after);
  EXPECT_THAT(after->detail, Contains(Pair("address", "127.0.0.1")));
}

TEST_F(ProxyServerTest, ATlsTunnelMustAskForTheHostThatWasDecided) {
  struct Row {
    std::string name, bytes;
    bool passes;
  };
  const Row rows[] = {
      {"the host", client_hello("up.example"), true},
      {"the host in upper case", client_hello("UP.example"), true},
      {"another host", client_hello("evil.example"), false},
      {"no host", client_hello(""), false},
      {"a longer name", client_hello("up.example.evil.example"), false},
      {"HTTP", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", false},
      {"SSH", "SSH-2.0-x\r\n", false},
  };
  for (const Row& row : rows) {
    Receiver server(Receiver::Kind::kTcp);
    ProxyFixture own;
    own.resolver.set("up.example", {"127.0.0.1"});
    own.write_policy(allow(server.port(), "https"));
    own.start();
    const Client client(own.port());
    client.send(connect_to("up.example", server.port()));
    EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("200"));
    client.send(row.bytes);
    if (row.passes) {
      EXPECT_TRUE(server.wait_for([&](const std::string& got) { return got == row.bytes; }))
          << row.name;
      continue;
    }
    EXPECT_EQ(client.read(), "") << row.name;
    own.stop();
    EXPECT_EQ(server.received(), "") << row.name;
    const auto decisions = own.events(EventType::kDecision);
    ASSERT_EQ(decisions.size(), 2U) << row.name;
    EXPECT_EQ(decisions[1].action, Action::kDenied) << row.name;
    EXPECT_EQ(decisions[1].hook, "tls");
  }
}

TEST_F(ProxyServerTest, APlainRequestGoesToTheServerWithTheHostThatWasDecided) {
  Receiver server(Receiver::Kind::kTcp);
  proxy.write_policy(allow(server.port(), "http"));
  proxy.start();
  const std::string port = std::to_string(server.port());
  const Client client(proxy.port());
  client.send(
      "POST http://up.example:" + port +
      "/a/../b?q=1#f HTTP/1.1\r\nHost: evil.example\r\nProxy-Authorization: Basic x\r\n"
      "Connection: X-Drop, Content-Length\r\nX-Drop: 1\r\nX-Keep: 2\r\nContent-Length: 4\r\n\r\n"
      "bodyGET http://up.example/second HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  const std::string expected = "POST /b?q=1 HTTP/1.1\r\nHost: up.example:" + port +
                               "\r\nx-keep: 2\r\ncontent-length: 4\r\nVia: 1.1 lilith\r\n"
                               "Connection: close\r\n\r\nbody";
  EXPECT_TRUE(
      server.wait_for([&](const std::string& got) { return got.size() >= expected.size(); }));
  proxy.stop();
  EXPECT_EQ(server.received(), expected);
  EXPECT_EQ(decision().operation.protocol, "http");
}

struct BadRow {
  std::string name, bytes;
  int status;
};

TEST_F(ProxyServerTest, WhatIsNoRequestIsAnsweredAndRecorded) {
  const BadRow rows[] = {
      {"origin form", "GET / HTTP/1.1\r\nHost: up.example\r\n\r\n", 400},
      {"https in the clear", "GET https://up.example/ HTTP/1.1\r\n\r\n", 400},
      {"ftp", "GET ftp://up.example/ HTTP/1.1\r\n\r\n", 400},
      {"userinfo", "GET http://a@up.example/ HTTP/1.1\r\n\r\n", 400},
      {"no port", "CONNECT up.example HTTP/1.1\r\n\r\n", 400},
      {"port 0", "CONNECT up.example:0 HTTP/1.1\r\n\r\n", 400},
      {"big port", "CONNECT up.example:65536 HTTP/1.1\r\n\r\n", 400},
      {"bare IPv6", "CONNECT ::1:443 HTTP/1.1\r\n\r\n", 400},
      {"a path", "CONNECT up.example:443/x HTTP/1.1\r\n\r\n", 400},
      {"NUL in the host", std::string("CONNECT evil\0.up.example:443 HTTP/1.1\r\n\r\n", 41), 400},
      {"folded header", "GET http://up.example/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400},
      {"blank before the colon", "GET http://up.example/ HTTP/1.1\r\nHost : x\r\n\r\n", 400},
      {"bare LF", "GET http://up.example/ HTTP/1.1\nA: b\r\n\r\n", 400},
      {"two lengths",
       "POST http://up.example/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"length and chunks",
       "POST http://up.example/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: "
       "chunked\r\n\r\n",
       400},
      {"gzip coding",
       "POST http://up.example/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"HTTP/2", "GET http://up.example/ HTTP/2.0\r\n\r\n", 505},
      {"TLS", client_hello("up.example"), 400},
      {"a long head",
       "GET http://up.example/ HTTP/1.1\r\nA: " + std::string(17'000, 'x') + "\r\n\r\n", 431},
  };
  proxy.write_policy("  default_action: allow\n");
  proxy.start();
  std::size_t count = 0;
  for (const BadRow& row : rows) {
    const Client client(proxy.port());
    client.send(row.bytes);
    EXPECT_THAT(client.read(), HasSubstr("HTTP/1.1 " + std::to_string(row.status) + " "))
        << row.name;
    EXPECT_EQ(proxy.events(EventType::kDecision).size(), ++count) << row.name;
  }
}

TEST_F(ProxyServerTest, ClientsThatSayNothingAreEnded) {
  proxy.options.head_deadline = std::chrono::milliseconds(50);
  proxy.write_policy("  default_action: deny\n");
  proxy.start();
  const Client slow(proxy.port());
  slow.send("CONN");
  EXPECT_THAT(slow.read(), HasSubstr("408"));
}

TEST_F(ProxyServerTest, TheOldestSilentClientMakesRoomForNewOnes) {
  proxy.write_policy("  default_action: deny\n");
  proxy.start();
  const Client first(proxy.port());
  std::vector<std::unique_ptr<Client>> others;
  for (std::size_t i = 0; i < limits::kProxyHeadsMax; ++i) {
    others.push_back(std::make_unique<Client>(proxy.port()));
  }
  EXPECT_EQ(first.read(), "");
  others.back()->send(connect_to("evil.example", 443));
  EXPECT_THAT(others.back()->read(), HasSubstr("403"));
}

TEST_F(ProxyServerTest, MoreClientsThanAllowedAreToldSo) {
  const EchoServer server;
  proxy.options.connections_max = 1;
  proxy.write_policy(allow(server.port(), "tcp"));
  proxy.start();
  const Client first(proxy.port());
  first.send(connect_to("up.example", server.port()));
  EXPECT_THAT(first.read_until("\r\n\r\n"), HasSubstr("200"));
  EXPECT_THAT(Client(proxy.port()).read(), HasSubstr("503"));
}

TEST_F(ProxyServerTest, AChangedPolicyHoldsForNewConnectionsAndABrokenOneIsLeftAside) {
  const EchoServer server;
  proxy.write_policy(allow(server.port(), "tcp"));
  proxy.start();
  const Client old(proxy.port());
  old.send(connect_to("up.example", server.port()));
  EXPECT_THAT(old.read_until("\r\n\r\n"), HasSubstr("200"));
  proxy.write_policy("  default_action: deny\n");
  proxy.reload();
  ASSERT_TRUE(eventually([&] { return !proxy.events(EventType::kPolicyLoaded).empty(); }));
  const Client refused(proxy.port());
  refused.send(connect_to("up.example", server.port()));
  EXPECT_THAT(refused.read(), HasSubstr("403"));
  proxy.write_policy("  default_action: nonsense\n");
  proxy.reload();
  ASSERT_TRUE(eventually([&] { return !proxy.events(EventType::kPolicyLoadFailed).empty(); }));
  const Client again(proxy.port());
  again.send(connect_to("up.example", server.port()));
  EXPECT_THAT(again.read(), HasSubstr("is not in egress.allowed_destinations"));
  old.send("still");
  old.end_input();
  EXPECT_EQ(old.read(), "STILL");
}

TEST_F(ProxyServerTest, WithoutAUsablePolicyEverythingIsDenied) {
  proxy.start();
  const Client client(proxy.port());
  client.send(connect_to("up.example", 443));
  const std::string answer = client.read();
  EXPECT_THAT(answer, HasSubstr("403"));
  EXPECT_THAT(answer, HasSubstr("policy"));
}

TEST_F(ProxyServerTest, AuditModeLetsEverythingPassAndRecordsIt) {
  const EchoServer server;
  proxy.write_policy("  default_action: log\n");
  proxy.start();
  const Client client(proxy.port());
  client.send(connect_to("up.example", server.port()));
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("200"));
  client.send("no tls");
  client.end_input();
  EXPECT_EQ(client.read(), "NO TLS");
  const auto decisions = proxy.events(EventType::kDecision);
  ASSERT_EQ(decisions.size(), 2U);
  EXPECT_EQ(decisions[0].action, Action::kWouldDeny);
  EXPECT_EQ(decisions[1].action, Action::kWouldDeny);
}

TEST_F(ProxyServerTest, ANameWithoutAddressAndADeadServerAreToldApart) {
  proxy.write_policy(
      "  default_action: deny\n  allowed_destinations: [nowhere.example, up.example, 127.0.0.1]\n");
  proxy.start();
  const Client unknown(proxy.port());
  unknown.send(connect_to("nowhere.example", 443));
  EXPECT_THAT(unknown.read(), testing::AllOf(HasSubstr("502"), HasSubstr("no such name")));
  const Client dead(proxy.port());
  dead.send(connect_to("up.example", 443));
  EXPECT_THAT(dead.read(), testing::AllOf(HasSubstr("502"), HasSubstr("can't be reached")));
}

}  // namespace
}  // namespace lilith
