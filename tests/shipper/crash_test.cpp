// kill -9 at random moments while logs are written, rotated, copied, cut and compressed, and while
// receivers stall, reset and half-accept: nothing is lost or invented, order holds.

#include "audit/read/arrival_check.hpp"
#include "tests/audit_read/random_log.hpp"
#include "tests/shipper/log_writer.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>
#include <unistd.h>

namespace lilith::test {
namespace {

bool is_long() { return std::getenv("LILITH_LONG") != nullptr; }

// The program, a log of ours that rotates, one to which all happens that happens to logs, and
// receivers of four kinds.
class ShipCrash : public testing::TestWithParam<int> {
 protected:
  void start_receivers(unsigned seed) {
    faulty_ = std::make_unique<Process>(std::vector<std::string>{
        "/usr/bin/python3", std::string(LILITH_SOURCE_DIR) + "/tests/shipper/faulty_receiver.py",
        "--dir", dir_.path(), "--seed", std::to_string(seed)});
    ASSERT_TRUE(eventually([&] {
      return ::access(dir_.file("bulk.port").c_str(), R_OK) == 0 || !faulty_->running();
    }));
    ASSERT_TRUE(faulty_->running()) << faulty_->wait().err;
  }
  void configure(const std::vector<std::string>& sources) {
    const auto port = [&](const char* of) { return read_text(dir_.file(of)); };
    std::string text = "version: \"1\"\nstate_dir: \"" + dir_.file("state") + "\"\nsources:\n";
    for (const std::string& source : sources) text += "  - \"" + source + "\"\n";
    text += "sinks:\n  - {name: copy, type: file, path: \"" + dir_.file("copy") +
            "\"}\n  - {name: soc, type: syslog, address: \"127.0.0.1:" +
            std::to_string(stream_.port()) +
            "\"}\n  - {name: relp, type: syslog, transport: relp, address: \"127.0.0.1:" +
            port("relp.port") +
            "\"}\n  - {name: bulk, type: http, api: elasticsearch, index: lilith, url: "
            "\"http://127.0.0.1:" +
            port("bulk.port") +
            "/_bulk\"}\n  - {name: some, type: file, sample_one_in: {allowed: 3}, except: {action: "
            "[denied]}, path: \"" +
            dir_.file("some") + "\"}\n";
    write_text(dir_.file("ship.yaml"), text);
  }
  // Of what a receiver has, the events of this host.
  static std::vector<std::string> of_host(const std::vector<std::string>& lines,
                                          const std::string& host) {
    std::vector<std::string> out;
    for (const std::string& line : lines)
      if (line.find(R"("host":")" + host + R"(")") != std::string::npos) out.push_back(line);
    return out;
  }
  // A kill tears the frame at the end of its connection and the receiver keeps all connections in
  // one stream: it is searched for every event.
  static void expect_in_stream(const std::string& stream, const std::vector<std::string>& written) {
    std::size_t at = 0;
    for (const std::string& line : written) {
      const std::size_t found = stream.find(line);
      ASSERT_NE(found, std::string::npos) << "never reached the receiver: " << line;
      EXPECT_GE(found, at) << "came for the first time before an earlier one: " << line;
      at = found;
    }
  }
  void expect_all(const std::vector<std::string>& written, const std::string& host) {
    for (const char* file : {"copy", "relp", "bulk"}) {
      SCOPED_TRACE(std::string(file) + ", " + host);
      const std::size_t repeats = expect_at_least_once_in_order(
          of_host(lines_of(read_text(dir_.file(file))), host), written);
      std::cout << file << ", " << host << ": " << written.size() << " events, " << repeats
                << " repeats\n";
    }
    SCOPED_TRACE("stream, " + host);
    expect_in_stream(stream_.received(), written);
  }

  // Behind a route: what did not arrive was named as withheld, all of it.
  void expect_named(std::size_t written) {
    audit::ArrivalOptions options;
    options.from_start = true;
    audit::ArrivalCheck check(options);
    check.begin("some");
    std::uint64_t number = 0;
    for (const std::string& line : lines_of(read_text(dir_.file("some"))))
      check.line(++number, line, system_clock().now());
    const audit::ArrivalReport report = check.report(system_clock().now());
    for (const audit::ArrivalFinding& finding : report.findings)
      ADD_FAILURE() << finding.chain_id << ": " << finding.message;
    std::uint64_t ours = 0;
    for (const audit::ArrivedChain& chain : report.chains)
      if (chain.host == "ws-42" || chain.host == "any") ours += chain.events + chain.withheld;
    EXPECT_EQ(ours, written);
    std::cout << "some: " << report.withheld << " withheld and named\n";
  }

  TempDir dir_;
  Receiver stream_{Receiver::Kind::kTcp};
  std::unique_ptr<Process> faulty_;
};

TEST_P(ShipCrash, LosesNothingWhenKilledAgainAndAgain) {
  const char* const given = std::getenv("LILITH_CRASH_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                         : std::random_device{}();
  SCOPED_TRACE("LILITH_CRASH_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  ASSERT_NO_FATAL_FAILURE(start_receivers(seed));
  audit::LogOptions ours = log_options(dir_.file("audit.log"));
  ours.rotate_bytes = 60'000;
  ours.rotate_interval_min = std::chrono::seconds(0);
  append_events(ours, 1);
  RandomLog any(dir_.file("any.log"), {.odd = true}, random, ChainWriter("chain-any", "any"));
  configure({ours.path, any.path()});
  const std::vector<std::string> command{std::string(LILITH_BIN_DIR) + "/lilith-ship", "--config",
                                         dir_.file("ship.yaml")};
  const int kills = is_long() ? 100 : 30;
  for (int i = 0; i < kills; ++i) {
    Process shipper(command);
    append_events(ours, random() % 20);
    for (std::size_t steps = random() % 5; steps > 0; --steps) any.step();
    std::this_thread::sleep_for(
        std::chrono::microseconds(random() % 60'000));  // the moment of the kill, not a wait
    shipper.signal(SIGKILL);
    (void)shipper.wait();
  }
  any.finish();
  write_text(dir_.file("healthy"), "");
  std::vector<std::string> last = command;
  last.insert(last.end(), {"--once", "--timeout", "300"});
  const auto finished = run(last, {.timeout = std::chrono::minutes(6)});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  std::cout << kills << " kills, seed " << seed << "\n";
  expect_all(all_lines(ours.path), "ws-42");
  expect_all(of_host(any.written(), "any"), "any");
  expect_named(all_lines(ours.path).size() + of_host(any.written(), "any").size());
}

// Rounds, each with logs of its own: what a kill interrupts should be delivery and not the reading
// of thousands of old files.
INSTANTIATE_TEST_SUITE_P(Rounds, ShipCrash, testing::Range(0, is_long() ? 30 : 1));

TEST(ShipStop, SigtermDeliversWhatIsThereAndExitsWithZero) {
  const TempDir dir;
  const audit::LogOptions writer = log_options(dir.file("audit.log"));
  append_events(writer, 200);
  write_text(dir.file("ship.yaml"), "version: \"1\"\nsources: [\"" + writer.path +
                                        "\"]\nstate_dir: \"" + dir.file("state") +
                                        "\"\nsinks:\n  - {name: copy, type: file, path: \"" +
                                        dir.file("copy") + "\"}\n");
  Process shipper(
      {std::string(LILITH_BIN_DIR) + "/lilith-ship", "--config", dir.file("ship.yaml")});
  ASSERT_TRUE(eventually([&] { return ::access(dir.file("copy").c_str(), R_OK) == 0; }));
  append_events(writer, 50);
  shipper.signal(SIGTERM);
  const auto result = shipper.wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(read_text(dir.file("copy")), read_text(writer.path));
}

}  // namespace
}  // namespace lilith::test
