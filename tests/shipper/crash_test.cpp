// kill -9 at random moments: nothing is lost, what is repeated is bounded by the checkpoint
// interval, order holds.

#include "tests/shipper/log_writer.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <random>
#include <thread>

namespace lilith::test {
namespace {

TEST(ShipCrash, LosesNothingWhenKilledAgainAndAgain) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const TempDir dir;
  Receiver receiver(Receiver::Kind::kTcp);
  audit::LogOptions writer = log_options(dir.file("audit.log"));
  writer.rotate_bytes = 60'000;
  writer.rotate_interval_min = std::chrono::seconds(0);
  append_events(writer, 1);
  write_text(dir.file("ship.yaml"),
             "version: \"1\"\nsources: [\"" + writer.path + "\"]\nstate_dir: \"" +
                 dir.file("state") +
                 "\"\nsinks:\n  - {name: soc, type: syslog, address: \"127.0.0.1:" +
                 std::to_string(receiver.port()) + "\"}\n  - {name: copy, type: file, path: \"" +
                 dir.file("copy") + "\"}\n");
  const std::vector<std::string> command{std::string(LILITH_BIN_DIR) + "/lilith-ship", "--config",
                                         dir.file("ship.yaml")};
  const int kills = std::getenv("LILITH_LONG") != nullptr ? 1000 : 40;
  for (int i = 0; i < kills; ++i) {
    Process shipper(command);
    append_events(writer, 1 + random() % 40);
    std::this_thread::sleep_for(
        std::chrono::microseconds(random() % 40'000));  // the moment of the kill, not a wait
    shipper.signal(SIGKILL);
    (void)shipper.wait();
  }
  std::vector<std::string> last = command;
  last.emplace_back("--once");
  const auto finished = run(last);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  const std::vector<std::string> written = all_lines(writer.path);
  // Frames that a kill tore stand at the end of their connection; the receiver keeps all
  // connections in one stream, so that the file sink is the place to count bytes, and the stream is
  // searched for every event.
  const std::size_t repeats =
      expect_at_least_once_in_order(lines_of(read_text(dir.file("copy"))), written);
  std::cout << written.size() << " events, " << kills << " kills, " << repeats
            << " repeats in the file\n";
  const std::string stream = receiver.received();
  std::size_t at = 0;
  for (const std::string& line : written) {
    const std::size_t found = stream.find(line);
    ASSERT_NE(found, std::string::npos) << "seq " << seq_of(line) << " never reached the receiver";
    EXPECT_GE(found, at) << "seq " << seq_of(line)
                         << " came for the first time before an earlier one";
    at = found;
  }
}

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
