#pragma once
// The seals of `lilith verify --verify-key`: whether checkpoints are there, one for each epoch, and
// signed by the key that the one before certified. That lines between them are whole is for
// chain_check.hpp; without that check these say nothing.

#include "audit/read/verify.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace lilith::audit {

class SealCheck {
 public:
  explicit SealCheck(const std::vector<VerifyKey>& keys);
  ~SealCheck();
  SealCheck(const SealCheck&) = delete;
  SealCheck& operator=(const SealCheck&) = delete;

  // Whole lines of one or many logs. In order within a chain counts and tails are checked; the
  // checkpoints themselves may come in any order, and twice.
  void whole_line(const std::string& file, std::uint64_t number, std::string_view line);
  // Adds findings, at most `findings_max` in all, and fills `seals`.
  void finish(VerifyReport& report, std::size_t findings_max);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lilith::audit
