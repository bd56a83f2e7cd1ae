#pragma once
// lilith-ship as a process, from a log of real events to a receiver.

#include "tests/shipper/log_writer.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace lilith::test {

inline bool is_long() { return std::getenv("LILITH_LONG") != nullptr; }

// The number behind `key` in a file of /proc.
inline std::uint64_t number_in(const std::string& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string word; in >> word;) {
    std::uint64_t value = 0;
    if (word == key && in >> value) return value;
  }
  return 0;
}

class ShipProcess : public testing::Test {
 protected:
  [[nodiscard]] std::string log() const { return dir_.file("audit.log"); }
  // A configuration with one sink, written to the directory: `settings` are those of the sink but
  // its name, as in "type: http, url: ...".
  void configure(const std::string& settings) {
    write_text(dir_.file("ship.yaml"), "version: \"1\"\nsources: [\"" + log() +
                                           "\"]\nstate_dir: \"" + dir_.file("state") +
                                           "\"\nsinks:\n  - {name: soc, " + settings + "}\n");
  }
  [[nodiscard]] std::vector<std::string> command() const {
    return {std::string(LILITH_BIN_DIR) + "/lilith-ship", "--config", dir_.file("ship.yaml")};
  }
  ProcessResult once(int timeout_s = 30) {
    auto argv = command();
    argv.insert(argv.end(), {"--once", "--timeout", std::to_string(timeout_s)});
    return run(argv);
  }
  // A port on loopback that nothing listens on.
  static int free_port() { return Receiver(Receiver::Kind::kTcp).port(); }
  [[nodiscard]] std::vector<std::string> dead_letters() const {
    const std::string path = dir_.file("state/soc.dead-letter.ndjson");
    return ::access(path.c_str(), R_OK) == 0 ? lines_of(read_text(path))
                                             : std::vector<std::string>();
  }
  // Lines of a file that another process writes; none while it is not there.
  static std::vector<std::string> lines_in(const std::string& path) {
    return ::access(path.c_str(), R_OK) == 0 ? lines_of(read_text(path))
                                             : std::vector<std::string>();
  }

  TempDir dir_;
};

// What of each line begins with its event.
inline std::vector<std::string> events_of(const std::vector<std::string>& lines) {
  std::vector<std::string> out;
  for (const std::string& line : lines)
    out.push_back(line.substr(std::min(line.find('{'), line.size())));
  return out;
}

}  // namespace lilith::test
