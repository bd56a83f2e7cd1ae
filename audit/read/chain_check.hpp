#pragma once
// The judgement behind `lilith verify`, without files: lines go in, findings come out.

#include "audit/read/verify.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace lilith::audit {

class ChainCheck {
 public:
  explicit ChainCheck(const VerifyOptions& options);
  ~ChainCheck();
  ChainCheck(const ChainCheck&) = delete;
  ChainCheck& operator=(const ChainCheck&) = delete;

  // `log` names the log that a file belongs to: a second chain in one log is a restart, in two logs
  // it is not.
  void begin_file(const std::string& file, const std::string& log);
  void whole_line(std::uint64_t number, std::string_view line);
  void torn_line(std::uint64_t number, std::string_view bytes);
  void too_long_line(std::uint64_t number);
  // The rest of this file could not be read: what is missing next is not held against the chain.
  void unreadable_rest();
  // Fills chains, findings, findings_total.
  void finish(VerifyReport& report);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lilith::audit
