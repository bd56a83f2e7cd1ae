// The rest of the kit: decoders, ossec.conf blocks, and a real manager where there is one.

#include "tests/support/support.hpp"
#include "tests/wazuh/samples.hpp"

#include <gmock/gmock.h>
#include <pugixml.hpp>

#include <filesystem>
#include <unistd.h>

namespace lilith::test {
namespace {

const std::string kKit = std::string(LILITH_SOURCE_DIR) + "/wazuh/";

pugi::xml_document load(const std::string& name) {
  pugi::xml_document document;
  const std::string text = read_text(kKit + name);
  const auto parsed =
      document.load_buffer(text.data(), text.size(), pugi::parse_default | pugi::parse_fragment);
  EXPECT_TRUE(parsed) << name << ": " << parsed.description() << " at byte " << parsed.offset;
  return document;
}

TEST(Decoders, AreAllNamedJsonSoThatDecodedAsHolds) {
  const auto document = load("lilith_decoders.xml");
  std::size_t count = 0;
  for (const auto& decoder : document.children("decoder")) {
    EXPECT_STREQ(decoder.attribute("name").as_string(), "json");
    EXPECT_STREQ(decoder.child_value("plugin_decoder"), "JSON_Decoder");
    ++count;
  }
  EXPECT_EQ(count, 2U);
}

TEST(ConfBlocks, AreWellFormedAndEachHasOneRoot) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kKit + "ossec.conf.d")) {
    const auto document = load("ossec.conf.d/" + entry.path().filename().string());
    EXPECT_TRUE(document.child("ossec_config")) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 3U);
}

TEST(ConfBlocks, LocalfilePassesLinesOnUnchanged) {
  const auto document = load("ossec.conf.d/agent-localfile.xml");
  const auto block = document.child("ossec_config").child("localfile");
  EXPECT_STREQ(block.child_value("log_format"), "syslog");
  EXPECT_STREQ(block.child_value("location"), "/var/log/lilith/agent-audit.log");
}

TEST(ConfBlocks, RemoteSyslogNamesWhoMaySend) {
  const auto document = load("ossec.conf.d/manager-remote-syslog.xml");
  const auto block = document.child("ossec_config").child("remote");
  EXPECT_STREQ(block.child_value("connection"), "syslog");
  EXPECT_STRNE(block.child_value("allowed-ips"), "");
  EXPECT_STRNE(block.child_value("allowed-ips"), "0.0.0.0/0");
}

// A real manager says which rule fires on every sample, when the kit is installed there.
TEST(RealManager, WazuhLogtestAgreesWithTheSamples) {
  const std::string logtest = "/var/ossec/bin/wazuh-logtest";
  if (::access(logtest.c_str(), X_OK) != 0) GTEST_SKIP() << logtest << " is not installed here";
  if (::access("/var/ossec/etc/rules/lilith_rules.xml", R_OK) != 0) {
    GTEST_SKIP() << "lilith_rules.xml is not installed in /var/ossec/etc/rules";
  }
  for (const WazuhSample& sample : wazuh_samples()) {
    ProcessOptions options;
    for (const std::string& line : sample.lines) options.input += line + "\n";
    const auto result = run({logtest}, options);
    EXPECT_THAT(result.out + result.err,
                testing::HasSubstr("id: '" + std::to_string(sample.rule) + "'"))
        << sample.name;
  }
}

}  // namespace
}  // namespace lilith::test
