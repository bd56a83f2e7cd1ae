#include "rules/host.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace lilith::rules {
namespace {

struct HostCase {
  const char* name;
  std::string given;
  const char* canonical;  // nullptr: refused
};
void PrintTo(const HostCase& c, std::ostream* out) { *out << c.name; }
class Host : public testing::TestWithParam<HostCase> {};
TEST_P(Host, HasOneCanonicalFormOrNone) {
  const auto host = canonical_host(GetParam().given);
  if (GetParam().canonical == nullptr) {
    EXPECT_FALSE(host.has_value()) << host->text;
  } else {
    ASSERT_TRUE(host.has_value()) << host.error().message;
    EXPECT_EQ(host->text, GetParam().canonical);
  }
}
// Spellings of facts on public bypasses: sandbox-runtime's SOCKS NUL, IP spellings (WHATWG
// URL 3.5), IDN (UTS 46).
INSTANTIATE_TEST_SUITE_P(
    Spellings, Host,
    testing::Values(
        HostCase{"plain", "api.github.com", "api.github.com"},
        HostCase{"upper_case", "API.GitHub.COM", "api.github.com"},
        HostCase{"root_dot", "api.github.com.", "api.github.com"},
        HostCase{"two_dots", "api.github.com..", nullptr},
        HostCase{"empty_label", "api..com", nullptr}, HostCase{"empty", "", nullptr},
        HostCase{"nul", std::string("evil\0.openai.com", 16), nullptr},
        HostCase{"hash", "evil#.openai.com", nullptr},
        HostCase{"slash", "evil/.openai.com", nullptr}, HostCase{"at", "user@openai.com", nullptr},
        HostCase{"backslash", "evil\\.openai.com", nullptr},
        HostCase{"percent", "evil%2eopenai.com", nullptr}, HostCase{"space", "evil .com", nullptr},
        HostCase{"tab", "evil\t.com", nullptr}, HostCase{"star", "*.com", nullptr},
        HostCase{"port", "openai.com:443", nullptr}, HostCase{"decimal", "2130706433", "127.0.0.1"},
        HostCase{"hexadecimal", "0x7f000001", "127.0.0.1"},
        HostCase{"octal", "017700000001", "127.0.0.1"}, HostCase{"short", "127.1", "127.0.0.1"},
        HostCase{"mixed", "0x7f.1", "127.0.0.1"},
        HostCase{"mapped", "::ffff:127.0.0.1", "127.0.0.1"},
        HostCase{"mapped_hex", "[::ffff:7f00:1]", "127.0.0.1"},
        HostCase{"ipv6", "[2001:DB8::1]", "2001:db8::1"}, HostCase{"zone", "fe80::1%eth0", nullptr},
        HostCase{"number_too_large", "4294967296", nullptr},
        HostCase{"fullwidth", "\xEF\xBD\x85xample.com", nullptr},
        HostCase{"soft_hyphen",
                 "ex\xC2\xAD"
                 "ample.com",
                 nullptr},
        HostCase{"fullwidth_in_a_real_name", "\xEF\xBD\x8D\xC3\xBCnchen.example",
                 "xn--mnchen-3ya.example"},
        HostCase{"long_s_behind_a_real_name", "\xC3\xBC.te\xC5\xBFt", nullptr},
        HostCase{"idn", "m\xC3\xBCnchen.example", "xn--mnchen-3ya.example"},
        HostCase{"ideographic_dot",
                 "a\xE3\x80\x82"
                 "b",
                 nullptr},
        HostCase{"long_label", std::string(64, 'a') + ".com", nullptr},
        HostCase{"invalid_utf8", "a\xFF.com", nullptr}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

struct UrlCase {
  const char* name;
  std::string url;
  const char* host;  // nullptr: refused
  int port;
};
void PrintTo(const UrlCase& c, std::ostream* out) { *out << c.name; }
class Url : public testing::TestWithParam<UrlCase> {};
TEST_P(Url, GivesOneDestinationOrNone) {
  const auto url = parse_url(GetParam().url);
  if (GetParam().host == nullptr) {
    EXPECT_FALSE(url.has_value());
  } else {
    ASSERT_TRUE(url.has_value()) << url.error().message;
    EXPECT_EQ(url->host.text, GetParam().host);
    EXPECT_EQ(url->port, GetParam().port);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Spellings, Url,
    testing::Values(UrlCase{"https", "https://API.github.com/x?y#z", "api.github.com", 443},
                    UrlCase{"http", "http://h.example/", "h.example", 80},
                    UrlCase{"port", "https://h.example:8443/", "h.example", 8443},
                    UrlCase{"wss", "wss://h.example/s", "h.example", 443},
                    UrlCase{"userinfo", "https://api.github.com@evil.example/", nullptr, 0},
                    UrlCase{"user_only", "https://u@h.example/", nullptr, 0},
                    UrlCase{"backslash", "https://api.github.com\\@evil.example/", nullptr, 0},
                    UrlCase{"tab", "https://ev\til.example/", nullptr, 0},
                    UrlCase{"newline", "https://evil.example/\n", nullptr, 0},
                    UrlCase{"relative", "//evil.example/x", nullptr, 0},
                    UrlCase{"file", "file:///etc/passwd", nullptr, 0},
                    UrlCase{"javascript", "javascript:alert(1)", nullptr, 0},
                    UrlCase{"data", "data:text/html,x", nullptr, 0},
                    UrlCase{"missing_slashes", "https:evil.example", nullptr, 0},
                    UrlCase{"decimal_address", "http://2130706433/", "127.0.0.1", 80},
                    UrlCase{"ipv6", "http://[::1]:81/", "::1", 81},
                    UrlCase{"star", "https://*.openai.com/", nullptr, 0},
                    UrlCase{"empty", "", nullptr, 0}, UrlCase{"no_host", "https://", nullptr, 0}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

// An independent set: WHATWG URL 3.3 and 4.4, UTS 46 4, CVE-2024-22259 and its like (userinfo), the
// SOCKS differential of sandbox-runtime.
INSTANTIATE_TEST_SUITE_P(
    Tricks, Url,
    testing::Values(
        UrlCase{"apex_of_userinfo", "https://api.github.com:443@evil.example/", nullptr, 0},
        UrlCase{"hash_userinfo", "https://evil.example#@api.github.com/", "evil.example", 443},
        UrlCase{"query_userinfo", "https://evil.example?@api.github.com/", "evil.example", 443},
        UrlCase{"backslash_dot", "https://api.github.com\\.evil.example/", nullptr, 0},
        UrlCase{"percent_dot", "https://api.github.com%2eevil.example/", nullptr, 0},
        UrlCase{"percent_full_width", "https://%EF%BD%81pi.github.com/", nullptr, 0},
        UrlCase{"percent_soft_hyphen", "https://ap%C2%ADi.github.com/", nullptr, 0},
        UrlCase{"full_width_a_label", "https://\xEF\xBD\x98n--mnchen-3ya.example/", nullptr, 0},
        UrlCase{"soft_hyphen_in_an_a_label", "https://xn--mnchen-3ya\xC2\xAD.example/", nullptr, 0},
        UrlCase{"ideographic_root_dot", "https://m\xC3\xBCnchen.example\xE3\x80\x82/", nullptr, 0},
        UrlCase{"idn_with_port", "https://m\xC3\xBCnchen.example:8443/x", "xn--mnchen-3ya.example",
                8443},
        UrlCase{"percent_nul", "https://api.github.com%00.evil.example/", nullptr, 0},
        UrlCase{"percent_hash", "https://api.github.com%23.evil.example/", nullptr, 0},
        UrlCase{"tab_inside", "https://api.github.com\t.evil.example/", nullptr, 0},
        UrlCase{"carriage_return", "https://api.github.com\r.evil.example/", nullptr, 0},
        UrlCase{"leading_space", " https://evil.example/", "evil.example", 443},
        UrlCase{"three_slashes", "https:///evil.example/", nullptr, 0},
        UrlCase{"one_slash", "https:/evil.example", nullptr, 0},
        UrlCase{"empty_user", "https://@evil.example/", nullptr, 0},
        UrlCase{"no_scheme", "evil.example", nullptr, 0},
        UrlCase{"empty_label", "https://a..openai.com/", nullptr, 0},
        UrlCase{"leading_dot", "https://.openai.com/", nullptr, 0},
        UrlCase{"full_width_port", "https://api.github.com:\xEF\xBC\x94\xEF\xBC\x94\xEF\xBC\x93/",
                nullptr, 0},
        UrlCase{"port_zero_padded", "https://api.github.com:0443/", "api.github.com", 443},
        UrlCase{"port_too_large", "https://api.github.com:65536/", nullptr, 0},
        UrlCase{"port_with_sign", "https://api.github.com:+443/", nullptr, 0},
        UrlCase{"comma", "https://api.github.com,evil.example/", nullptr, 0},
        UrlCase{"semicolon", "https://api.github.com;evil.example/", "api.github.com;evil.example",
                443},
        UrlCase{"pipe", "https://api.github.com|evil.example/", nullptr, 0},
        UrlCase{"brackets", "https://[api.github.com]/", nullptr, 0},
        UrlCase{"zone", "https://[fe80::1%25eth0]/", nullptr, 0},
        UrlCase{"octal", "https://017700000001/", "127.0.0.1", 443},
        UrlCase{"metadata_hexadecimal", "https://0xa9fea9fe/", "169.254.169.254", 443},
        UrlCase{"metadata_circled", "https://\xE2\x91\xAF\xE2\x91\xA8.254.169.254/", nullptr, 0},
        UrlCase{"mapped", "https://[::ffff:7f00:1]/", "127.0.0.1", 443},
        UrlCase{"full_width_slash", "https://api.github.com\xEF\xBC\x8F.evil.example/", nullptr, 0},
        UrlCase{"full_width_hash", "https://evil.example\xEF\xBC\x83.openai.com/", nullptr, 0},
        UrlCase{"full_width_question", "https://evil.example\xEF\xBC\x9F.openai.com/", nullptr, 0},
        UrlCase{"account_of", "https://evil.example\xE2\x84\x80.openai.com/", nullptr, 0},
        UrlCase{"cyrillic", "https://\xD0\xB0pi.github.com/", "xn--pi-6kc.github.com", 443},
        UrlCase{"percent_letters", "https://%61pi.github.com/", nullptr, 0},
        UrlCase{"blob", "blob:https://api.github.com/x", nullptr, 0},
        UrlCase{"gopher", "gopher://api.github.com:443/", nullptr, 0}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

// Whatever comes in: what goes out is canonical already, holds no byte that another reader could
// take for the end of the host, and is the same host in a URL.
TEST(Host, StaysWhatItBecame) {
  std::mt19937 random(23);
  const std::vector<std::string> seeds{
      "api.github.com", "m\xC3\xBCnchen.example", "127.0.0.1", "0x7f.1",
      "[2001:db8::1]",  "xn--mnchen-3ya.de",      "a.b.c.",    "2130706433",
      "::ffff:10.0.0.1"};
  const std::string bytes = ".:[]%/\\@#?*-_0x9aZ \t\xC2\xAD\xE3\x80\x82\xEF\xBC\x8F";
  std::size_t good = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string host = seeds[random() % seeds.size()];
    for (auto n = random() % 3; n > 0; --n) {
      const auto at = random() % (host.size() + 1);
      const char byte =
          random() % 8 == 0 ? static_cast<char>(random()) : bytes[random() % bytes.size()];
      if (random() % 2 == 0 && at < host.size()) {
        host[at] = byte;
      } else {
        host.insert(at, 1, byte);
      }
    }
    const auto first = canonical_host(host);
    if (!first) continue;
    ++good;
    const auto second = canonical_host(first->text);
    ASSERT_TRUE(second.has_value()) << first->text;
    ASSERT_EQ(second->text, first->text);
    ASSERT_EQ(second->is_address, first->is_address);
    ASSERT_EQ(second->address, first->address);
    for (const char c : first->text) {
      ASSERT_TRUE(c > 0x20 && c < 0x7F &&
                  std::string_view("/?#@\\%,*[]").find(c) == std::string::npos)
          << first->text;
    }
    const bool six = first->text.find(':') != std::string::npos;
    const auto url = parse_url("https://" + (six ? "[" + first->text + "]" : first->text) + "/");
    ASSERT_TRUE(url.has_value()) << first->text;
    ASSERT_EQ(url->host.text, first->text);
  }
  EXPECT_GT(good, 10'000U);
}

TEST(Host, CarriesAnIpv4AddressInFourForms) {
  const auto carried = [](const char* text) {
    const auto found = carried_ipv4(canonical_host(text).value());
    return found ? found->text : std::string();
  };
  EXPECT_EQ(carried("64:ff9b::a00:1"), "10.0.0.1");
  EXPECT_EQ(carried("2002:a00:1::5"), "10.0.0.1");
  EXPECT_EQ(carried("::10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(canonical_host("::ffff:10.0.0.1").value().text, "10.0.0.1");
  for (const char* none : {"::", "::1", "2001:db8::1", "64:ff9c::a00:1", "10.0.0.1", "a.example"}) {
    EXPECT_EQ(carried(none), "") << none;
  }
}

TEST(HostPattern, SuffixesMatchOnLabelsAndNeverTheApex) {
  const auto matches = [](const char* pattern, const char* host) {
    return HostPattern::parse(pattern).value().matches(canonical_host(host).value());
  };
  EXPECT_TRUE(matches("*.openai.com", "api.openai.com"));
  EXPECT_TRUE(matches("*.openai.com", "a.b.OPENAI.com."));
  EXPECT_FALSE(matches("*.openai.com", "openai.com"));
  EXPECT_FALSE(matches("*.openai.com", "evilopenai.com"));
  EXPECT_FALSE(matches("openai.com", "api.openai.com"));
  EXPECT_TRUE(matches("10.0.0.0/8", "10.1.2.3"));
  EXPECT_TRUE(matches("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_FALSE(matches("10.0.0.0/8", "11.1.2.3"));
  EXPECT_TRUE(matches("fc00::/7", "fd12::1"));
  EXPECT_FALSE(matches("127.0.0.1", "localhost"));
  EXPECT_TRUE(matches("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(matches("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(matches("172.16.0.0/12", "172.31.255.255"));
  EXPECT_FALSE(matches("172.16.0.0/12", "172.32.0.0"));
  EXPECT_TRUE(matches("2130706433", "127.0.0.1"));
  for (const char* bad : {"*", "*.", "*.*.com", "10.0.0.0/33", "a/8", "*.10.0.0.1", "a b",
                          "10.0.0.1/8", "10.0.0.0/-1", "10.0.0.0/8x", "fe80::/129"})
    EXPECT_FALSE(HostPattern::parse(bad).has_value()) << bad;
}

// canonical_host() reads plain names by itself, and must say what the URL parser says of them.
TEST(Hosts, PlainNamesAreReadAsTheUrlParserReadsThem) {
  std::mt19937 random(3);
  constexpr std::string_view kBytes = "aZ09-_.xn";
  int good = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string host;
    for (auto n = 1 + random() % 12; n > 0; --n) host += kBytes[random() % kBytes.size()];
    const auto plain = canonical_host(host);
    const auto url = parse_url_with_ada("https://" + host + "/");
    ASSERT_EQ(plain.has_value(), url.has_value()) << host;
    if (!plain) continue;
    ++good;
    ASSERT_EQ(plain->text, url->host.text) << host;
    ASSERT_EQ(plain->is_address, url->host.is_address) << host;
    // The serialised URL is the parser's own spelling.
    ASSERT_EQ(url->url.substr(8, plain->text.size()), plain->text) << host;
  }
  EXPECT_GT(good, 5'000);
}

// Whatever plain_url() takes, the URL parser reads so and writes back byte for byte.
TEST(Urls, PlainOnesAreReadAsTheUrlParserReadsThem) {
  std::mt19937 random(5);
  constexpr std::string_view kSchemes[]{"https://", "http://", "ws://",
                                        "wss://",   "https:/", "Http://"};
  int plain_ones = 0;
  for (int i = 0; i < 60'000; ++i) {
    std::string url(kSchemes[random() % 12 < 8 ? random() % 4 : random() % 6]);
    constexpr std::string_view kHost = "abcz0-_.xnA:@";
    for (auto n = 1 + random() % 12; n > 0; --n) url += kHost[random() % (random() % 9 ? 9 : 13)];
    url += '/';
    // Any byte now and then, mostly what stands in paths and queries.
    constexpr std::string_view kRest = "aZ09-._~/?=&+,;:@!$()*/./..";
    for (auto n = random() % 14; n > 0; --n) {
      url +=
          random() % 20 == 0 ? static_cast<char>(random() % 256) : kRest[random() % kRest.size()];
    }
    const auto plain = plain_url(url);
    if (!plain) continue;
    ++plain_ones;
    const auto whole = parse_url_with_ada(url);
    ASSERT_TRUE(whole.has_value()) << url << ": " << whole.error().message;
    ASSERT_EQ(whole->url, url);
    ASSERT_EQ(whole->host.text, plain->host) << url;
    ASSERT_FALSE(whole->host.is_address) << url;
    ASSERT_EQ(whole->port, plain->port) << url;
    ASSERT_EQ(whole->protocol, plain->protocol) << url;
  }
  EXPECT_GT(plain_ones, 2'000);
}

// Each byte behind the host: those that the parser changes, drops or reads otherwise are not plain.
TEST(Urls, NoByteOfAPlainOneIsChanged) {
  for (const char* form :
       {"https://a.example/x%y", "https://a.example/%", "https://a.example/x?%y",
        "https://a.example/x/%%", "https://a%.example/", "https://a.example%/"}) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string url;
      for (const char c : std::string_view(form)) url += c == '%' ? static_cast<char>(byte) : c;
      if (!plain_url(url)) continue;
      const auto whole = parse_url_with_ada(url);
      ASSERT_TRUE(whole.has_value()) << url;
      ASSERT_EQ(whole->url, url);
    }
  }
}

}  // namespace
}  // namespace lilith::rules
