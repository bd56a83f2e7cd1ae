#pragma once
// Lines of many hosts with sealed logs, mixed as a topic or an archive mixes them: some of one
// host, then of another. Made without files, so that there can be millions.

#include "audit/base/signature.hpp"
#include "audit/event.hpp"
#include "audit/read/verify_key.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lilith::test {

class SealedFleet {
 public:
  struct Line {
    std::string host, text;  // without LF
  };

  explicit SealedFleet(std::size_t hosts);
  // The next event, and in front of it the checkpoint that is due: one after each 1,024 events of a
  // host and in front of its first.
  [[nodiscard]] std::vector<Line> next();
  [[nodiscard]] const std::vector<audit::VerifyKey>& keys() const { return keys_; }
  [[nodiscard]] std::uint64_t lines() const { return lines_; }  // that next() gave so far

 private:
  struct Host {
    std::string name, chain_id, prev, key;
    std::uint64_t seq = 0, epoch = 0, sealed = 0;
    SigningKey secret;
  };
  std::string line(Host& host, audit::Event& event);
  std::string checkpoint(Host& host);

  std::vector<Host> hosts_;
  std::vector<audit::VerifyKey> keys_;
  audit::Event event_;
  std::uint64_t events_ = 0, lines_ = 0;
};

}  // namespace lilith::test
