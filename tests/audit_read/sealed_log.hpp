#pragma once
// A sealed log as its writer makes it, and what somebody who may write its files can do to it.

#include "audit/log.hpp"
#include "audit/read/verify.hpp"
#include "audit/seal_key.hpp"
#include "tests/support/support.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lilith::test {

class SealedLog {
 public:
  static constexpr std::uint64_t kInterval = 8;  // events between two checkpoints

  SealedLog();

  void append(int count, const std::string& reason = "work");
  void rotate();  // with the next event
  [[nodiscard]] audit::VerifyReport verify(const std::vector<std::string>& more = {}) const;
  // The kinds of what is found, in order, each once.
  [[nodiscard]] std::string kinds(const std::vector<std::string>& more = {}) const;
  // Keeps in the verify key how far the log was whole.
  void remember();

  // Lines of the live log.
  [[nodiscard]] std::vector<std::string> lines() const;
  void write(const std::vector<std::string>& lines) const;
  // Makes seq, prev and hash follow from line `from` on, as whoever knows the format can.
  static void rechain(std::vector<std::string>& lines, std::size_t from);
  // Signs the checkpoints from line `from` on with the secret that is in the key now.
  void sign_with_present_key(std::vector<std::string>& lines, std::size_t from) const;
  [[nodiscard]] std::size_t checkpoint(std::size_t number) const;  // index of its line, from 0

  // Copies of all files, and back.
  [[nodiscard]] std::string backup(const std::string& name) const;
  void restore(const std::string& backup, bool with_key) const;

  TempDir dir;
  ManualClock clock;
  audit::LogOptions options;
  audit::VerifyOptions verifier;
};

}  // namespace lilith::test
