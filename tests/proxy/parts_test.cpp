// The proxy's readers: heads, bodies, TLS client hellos, addresses.

#include "enforcer/proxy/address_guard.hpp"
#include "enforcer/proxy/client_hello.hpp"
#include "enforcer/proxy/http_head.hpp"
#include "tests/proxy/proxy_fixture.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lilith {
namespace {

using enforcer::proxy::AddressGuard;
using enforcer::proxy::BodyFollower;
using enforcer::proxy::HelloState;
using enforcer::proxy::peek_client_hello;
using enforcer::proxy::read_head;

TEST(ProxyHead, IsReadWhenItIsWholeAndNotBefore) {
  const std::string whole = "CONNECT Ex\xC3\xA4mple.com.:443 HTTP/1.1\r\nHost: x\r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto head = read_head(std::string_view(whole).substr(0, size));
    ASSERT_TRUE(head) << size;
    EXPECT_FALSE(*head) << size;
  }
  const auto head = read_head(whole + "more");
  ASSERT_TRUE(head && *head);
  EXPECT_EQ((*head)->host.text, "xn--exmple-cua.com");
  EXPECT_EQ((*head)->port, 443);
  EXPECT_EQ((*head)->head_bytes, whole.size());
}

TEST(ProxyBody, EndsWhereItsFramingSays) {
  struct Row {
    std::string headers, body;
    bool good;
  };
  const Row rows[] = {
      {"", "", true},
      {"Content-Length: 5\r\n", "12345", true},
      {"Transfer-Encoding: chunked\r\n", "0\r\n\r\n", true},
      {"Transfer-Encoding: chunked\r\n",
       "5\r\n12345\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nT: v\r\n\r\n", true},
      {"Transfer-Encoding: chunked\r\n", "5\r\n12345X", false},
      {"Transfer-Encoding: chunked\r\n", "x\r\n", false},
      {"Transfer-Encoding: chunked\r\n", "\r\n", false},
      {"Transfer-Encoding: chunked\r\n", "5\n12345\r\n", false},
      {"Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\n", false},
      {"Transfer-Encoding: chunked\r\n", "0\r\nT: v\n\r\n", false},
  };
  for (const Row& row : rows) {
    const auto head = read_head("POST http://h/ HTTP/1.1\r\n" + row.headers + "\r\n");
    ASSERT_TRUE(head && *head);
    const std::string sent = row.body + "GET http://evil/ HTTP/1.1\r\n\r\n";
    for (std::size_t step = 1; step <= sent.size(); ++step) {
      BodyFollower body(**head);
      std::size_t mine = 0;
      bool good = true;
      for (std::size_t at = 0; at < sent.size() && good; at += step) {
        const auto took = body.take(std::string_view(sent).substr(at, step));
        good = took.has_value();
        mine += took.value_or(0);
      }
      EXPECT_EQ(good, row.good) << row.body << " in steps of " << step;
      if (!row.good) continue;
      EXPECT_EQ(mine, row.body.size()) << row.body << " in steps of " << step;
      EXPECT_TRUE(body.done());
    }
  }
}

TEST(ProxyClientHello, IsIncompleteUntilItsLastByte) {
  const std::string hello = test::client_hello("API.example.com");
  for (std::size_t size = 0; size < hello.size(); ++size) {
    EXPECT_EQ(peek_client_hello(std::string_view(hello).substr(0, size)).state,
              HelloState::kIncomplete)
        << size;
  }
  const auto peek = peek_client_hello(hello + "more");
  EXPECT_EQ(peek.state, HelloState::kWhole);
  EXPECT_EQ(peek.hello.server_name, "api.example.com");
  EXPECT_FALSE(peek.hello.encrypted);
  EXPECT_TRUE(peek_client_hello(test::client_hello("a.example", true)).hello.encrypted);
}

TEST(ProxyClientHello, MayBeCutIntoRecords) {
  const std::string hello = test::client_hello("api.example.com");
  const std::string message = hello.substr(5);
  std::string cut;
  for (std::size_t at = 0; at < message.size(); at += 7) {
    const std::string piece = message.substr(at, 7);
    cut += std::string("\x16\x03\x01\x00", 4) + static_cast<char>(piece.size()) + piece;
  }
  EXPECT_EQ(peek_client_hello(cut).hello.server_name, "api.example.com");
}

TEST(ProxyClientHello, WhatIsNoneIsNotTakenForOne) {
  std::string wrong_type = test::client_hello("a.example");
  wrong_type[5] = 2;  // a server's hello
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1"), std::string("SSH-2.0-OpenSSH"), std::string("\x80\x2e\x01"),
        std::string("\x16\x02"), std::string("\x16\x03\x01\x00\x00", 5),
        std::string("\x16\x03\x01\xff\xff", 5), wrong_type, test::client_hello("a b"),
        test::client_hello(std::string_view("a\0b", 3))}) {
    EXPECT_EQ(peek_client_hello(bytes).state, HelloState::kNotTls) << bytes.substr(0, 8);
  }
}

TEST(ProxyAddressGuard, KnowsSpecialAddressesInAllTheirForms) {
  enforcer::proxy::AddressBytes own{};
  own = rules::canonical_host("203.0.113.9")->address;
  const AddressGuard guard({own});
  struct Row {
    std::string_view address, why;
  };
  constexpr Row kRows[] = {
      {"127.0.0.1", "loopback"},
      {"127.255.0.1", "loopback"},
      {"::1", "loopback"},
      {"::ffff:127.0.0.1", "loopback"},
      {"64:ff9b::127.0.0.1", "loopback"},
      {"2002:7f00:1::", "loopback"},
      {"0.0.0.0", "unspecified"},
      {"0.1.2.3", "unspecified"},
      {"::", "unspecified"},
      {"169.254.169.254", "link-local"},
      {"fe80::1", "link-local"},
      {"febf::1", "link-local"},
      {"224.0.0.1", "multicast"},
      {"ff02::1", "multicast"},
      {"255.255.255.255", "reserved"},
      {"100.100.100.200", "cloud metadata"},
      {"168.63.129.16", "cloud metadata"},
      {"fd00:ec2::254", "cloud metadata"},
      {"fd20:ce::254", "cloud metadata"},
      {"203.0.113.9", "of this machine"},
      {"64:ff9b::203.0.113.9", "of this machine"},
      {"128.0.0.1", ""},
      {"10.0.0.1", ""},
      {"192.168.1.1", ""},
      {"100.64.0.1", ""},
      {"fd12::1", ""},
      {"2001:db8::1", ""},
      {"223.255.255.255", ""},
      {"fec0::1", "site-local"},
  };
  for (const Row& row : kRows) {
    const auto host = rules::canonical_host(row.address);
    ASSERT_TRUE(host) << row.address;
    EXPECT_EQ(guard.why_special(*host), row.why) << row.address;
  }
  EXPECT_EQ(guard.why_special(*rules::canonical_host("localhost")), "");
}

}  // namespace
}  // namespace lilith
