#include "shipper/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lilith::shipper {
namespace {

const std::string kGood =
    "version: \"1\"\n"
    "sources: [/var/log/lilith/agent-audit.log]\n"
    "state_dir: /var/lib/lilith\n"
    "sinks:\n"
    "  - {name: soc, type: syslog, address: \"[::1]:6514\", format: wazuh, framing: newline, "
    "facility: 16}\n"
    "  - {name: copy, type: file, path: /tmp/x, fsync: false}\n";

TEST(ShipConfig, ReadsEverySetting) {
  const ConfigLoad load = load_config(kGood);
  ASSERT_TRUE(load.problems.empty()) << load.problems[0].message;
  ASSERT_EQ(load.config.sinks.size(), 2U);
  const SinkConfig& soc = load.config.sinks[0];
  EXPECT_EQ(soc.host, "::1");
  EXPECT_EQ(soc.port, 6514);
  EXPECT_EQ(soc.format, SyslogFormat::kWazuh);
  EXPECT_EQ(soc.framing, Framing::kNewline);
  EXPECT_EQ(soc.facility, 16);
  EXPECT_FALSE(load.config.sinks[1].fsync);
  EXPECT_THAT(describe(load.config),
              testing::HasSubstr("soc: syslog tcp ::1:6514 wazuh, newline framing, facility 16"));
}

TEST(ShipConfig, SaysWhatASinkGets) {
  std::string text = kGood;
  text.replace(text.find("fsync: false"), 12,
               "only: {category: [egress, tool_invocation], agent: [cursor]}, "
               "except: {action: [recorded]}, sample_one_in: {allowed: 100}");
  const ConfigLoad load = load_config(text);
  ASSERT_TRUE(load.problems.empty()) << load.problems[0].message;
  EXPECT_THAT(describe(load.config),
              testing::HasSubstr("fsync, only category egress|tool_invocation agent cursor, "
                                 "except action recorded, one in 100 of the allowed\n"));
  EXPECT_TRUE(load.config.sinks[0].route.takes_all());
}

TEST(ShipConfig, ListensOnLoopbackUnlessTold) {
  const auto listen = [](const std::string& value) {
    const ConfigLoad load = load_config(kGood + "listen: " + value + "\n");
    EXPECT_TRUE(load.problems.empty()) << load.problems[0].message;
    return load.config.listen;
  };
  EXPECT_EQ(listen("9464"), (ListenConfig{"127.0.0.1", 9464}));
  EXPECT_EQ(listen("\"[::]:9464\""), (ListenConfig{"::", 9464}));
  EXPECT_EQ(load_config(kGood).config.listen, ListenConfig{});
  EXPECT_THAT(describe(load_config(kGood + "listen: 9464\nheartbeat_s: 0\n").config),
              testing::AllOf(testing::HasSubstr("listen     127.0.0.1:9464\n"),
                             testing::HasSubstr("heartbeat  none\n")));
}

TEST(ShipConfig, ConfinesAsFarAsItCanUnlessTold) {
  EXPECT_EQ(load_config(kGood).config.confine, Confine::kAuto);
  EXPECT_EQ(load_config(kGood + "confine: require\n").config.confine, Confine::kRequire);
  EXPECT_THAT(describe(load_config(kGood + "confine: off\n").config),
              testing::HasSubstr("confine    off\n"));
}

struct BadConfig {
  const char* name;
  std::string from, to;  // replaced in the good one
  int line;
  const char* says;
};
void PrintTo(const BadConfig& c, std::ostream* out) { *out << c.name; }
class ShipConfigRefuses : public testing::TestWithParam<BadConfig> {};
TEST_P(ShipConfigRefuses, WithLineAndRemedy) {
  std::string text = kGood;
  const std::size_t at = text.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, GetParam().from.size(), GetParam().to);
  const ConfigLoad load = load_config(text);
  ASSERT_FALSE(load.problems.empty());
  EXPECT_EQ(load.problems[0].line, GetParam().line) << load.problems[0].message;
  EXPECT_THAT(load.problems[0].message, testing::HasSubstr(GetParam().says));
}
INSTANTIATE_TEST_SUITE_P(
    Cases, ShipConfigRefuses,
    testing::Values(
        BadConfig{"unknown_key", "state_dir:", "stat_dir:", 1, "state_dir must be"},
        BadConfig{"unknown_sink_key", "facility: 16", "facilty: 16", 5, "did you mean 'facility'?"},
        BadConfig{"duplicate_key", "state_dir: /var/lib/lilith", "state_dir: /a\nstate_dir: /b", 4,
                  "twice"},
        BadConfig{"no_version", "version: \"1\"\n", "", 1, "version"},
        BadConfig{"other_version", "version: \"1\"", "version: \"2\"", 1, "version must be"},
        BadConfig{"relative_source", "[/var", "[var", 2, "absolute"},
        BadConfig{"sources_no_list", "[/var/log/lilith/agent-audit.log]", "/var/log/a.log", 1,
                  "no source"},
        BadConfig{"unknown_type", "type: file", "type: files", 6,
                  "must be one of file, stdout, syslog, kafka, http, wazuh"},
        BadConfig{"port_out_of_range", ":6514", ":65536", 5, "port must be 1-65535"},
        BadConfig{"facility_out_of_range", "facility: 16", "facility: 24", 5, "at most 23"},
        BadConfig{"wazuh_with_octet_counting", ", framing: newline", "", 5, "newline framing only"},
        BadConfig{"udp_with_framing", "format: wazuh", "transport: udp", 5, "udp has no framing"},
        BadConfig{"same_name", "name: copy", "name: soc", 6, "two sinks"},
        BadConfig{"name_with_slash", "name: copy", "name: a/b", 6, "letters, digits"},
        BadConfig{"file_without_path", "path: /tmp/x, ", "", 6, "absolute path"},
        BadConfig{"key_of_another_type", "path: /tmp/x", "path: /tmp/x, address: h", 6,
                  "has no key 'address'"},
        BadConfig{"sink_is_source", "/tmp/x", "/var/log/lilith/agent-audit.log", 1,
                  "its own source"},
        BadConfig{"heartbeat_no_number", "state_dir:", "heartbeat_s: often\nstate_dir:", 3,
                  "heartbeat_s must be a whole number of at most 86400"},
        BadConfig{"confined_a_little", "state_dir:", "confine: yes\nstate_dir:", 3,
                  "confine must be one of auto, require, off"},
        BadConfig{"listen_without_port", "state_dir:", "listen: localhost\nstate_dir:", 3,
                  "listen needs a port"},
        BadConfig{"listen_port_out_of_range", "state_dir:", "listen: 99999\nstate_dir:", 3,
                  "listen: the port must be 1-65535"},
        BadConfig{
            "sampled_denials", "fsync: false", "sample_one_in: {denied: 10}", 6,
            "only allowed decisions can be sampled, 'denied' cannot: each denial is evidence"},
        BadConfig{"sampled_would_deny", "fsync: false", "sample_one_in: {would_deny: 2}", 6,
                  "only allowed decisions can be sampled"},
        BadConfig{"sampled_away", "fsync: false", "sample_one_in: {allowed: 0}", 6,
                  "must be at least 1; to send none, use except"},
        BadConfig{"sample_is_a_share", "fsync: false", "sample_one_in: 0.1", 6,
                  "sample_one_in must be {allowed: N}"},
        BadConfig{"route_of_unknown_action", "fsync: false", "only: {action: [deny]}", 6,
                  "no event has the action 'deny'"},
        BadConfig{"route_of_unknown_category", "fsync: false", "except: {category: [network]}", 6,
                  "no event has the category 'network'"},
        BadConfig{"route_by_unknown_key", "fsync: false", "only: {agents: [cursor]}", 6,
                  "did you mean 'agent'?"},
        BadConfig{"route_of_nothing", "fsync: false", "only: {}", 6, "needs at least one of"},
        BadConfig{"route_no_list", "fsync: false", "only: {agent: cursor}", 6, "must be a list"},
        BadConfig{"wazuh_without_a_way", "type: file, path: /tmp/x, fsync: false", "type: wazuh", 6,
                  "needs an absolute path, or the url of a manager's server API"},
        BadConfig{"wazuh_by_both_ways", "type: file, path: /tmp/x, fsync: false",
                  "type: wazuh, path: /q, url: \"https://m\", username: u", 6,
                  "a wazuh sink with a url has no path"},
        BadConfig{"wazuh_queue_with_user", "type: file, path: /tmp/x, fsync: false",
                  "type: wazuh, path: /q, username: u", 6,
                  "a wazuh sink with a path has no username"},
        BadConfig{"wazuh_api_without_password", "type: file, path: /tmp/x, fsync: false",
                  "type: wazuh, url: \"https://m\", username: u", 6,
                  "the server API needs username and password"},
        BadConfig{"wazuh_api_without_requests", "type: file, path: /tmp/x, fsync: false",
                  "type: wazuh, requests_per_minute: 0", 6, "must be at least 1"},
        BadConfig{"not_yaml", "sinks:", "sinks: [", 5, ""},
        BadConfig{"tab", "  - {name: soc", "\t- {name: soc", 5, ""}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

}  // namespace
}  // namespace lilith::shipper
