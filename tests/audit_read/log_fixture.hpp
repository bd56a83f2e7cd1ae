#pragma once
// Lines and files for the tests of the readers.

#include "audit/codec.hpp"
#include "audit/event.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::test {

// Writes the lines of one chain, as the appender does.
class ChainWriter {
 public:
  explicit ChainWriter(std::string id = "chain-a", std::string host = "ws-42")
      : id_(std::move(id)), host_(std::move(host)) {}

  // The next line, without LF.
  std::string line(audit::EventType type = audit::EventType::kDecision,
                   std::string command = "git status",
                   std::vector<std::pair<std::string, std::string>> detail = {});
  std::vector<std::string> lines(std::size_t count);
  // A line that goes on from another place than the last one.
  ChainWriter fork() const { return *this; }

 private:
  std::string id_, host_;
  std::uint64_t seq_ = 0;
  std::string prev_{audit::kGenesis};
};

[[nodiscard]] std::string joined(const std::vector<std::string>& lines);  // each with LF
[[nodiscard]] std::string gzipped(std::string_view bytes);
[[nodiscard]] std::string zstd_compressed(std::string_view bytes);
// What `zstd --rm` and `gzip` do: the compressed form appears with the old modification time, then
// the plain one goes.
void compress_file(const std::string& path, std::string_view ending);

}  // namespace lilith::test
