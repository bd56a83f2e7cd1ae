#pragma once
// The seals of `lilith verify --verify-key`: whether checkpoints are there, one for each epoch, and
// signed by the key that the one before certified. That lines between them are whole is for
// chain_check.hpp; without that check these say nothing.

#include "audit/json/writer.hpp"
#include "audit/read/verify.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::audit {

struct SealReport {
  std::vector<SealedUpTo> seals;  // by key
  std::vector<Finding> findings;
  std::uint64_t findings_beyond = 0;  // more of them
};
// Half a line for people: up to where, and which tail follows.
[[nodiscard]] std::string to_text(const SealedUpTo& sealed);
void write_sealed(json::Writer& writer, const SealedUpTo& sealed);

// What a line says that seals are about.
struct SealLine {
  const std::string& file;
  std::uint64_t number;
  std::string_view chain_id, host, hash;  // chain.hash as 64 hex
  std::uint64_t seq;
  WallTime time;
};

// Memory goes by keys and by gaps between epochs, not by checkpoints.
class SealCheck {
 public:
  enum class Input {
    kLog,      // all of a log, but for older files
    kArrived,  // any part of what many hosts sent
  };
  SealCheck(const std::vector<VerifyKey>& keys, Input input);
  ~SealCheck();
  SealCheck(const SealCheck&) = delete;
  SealCheck& operator=(const SealCheck&) = delete;

  // Whole lines of one or many logs. In order within a chain counts and tails are checked; the
  // checkpoints themselves may come in any order, and twice.
  void whole_line(const std::string& file, std::uint64_t number, std::string_view line);
  // The same of an event that is no checkpoint, and whose line was taken apart already: `line` is
  // the event's own bytes.
  void whole_event(const SealLine& event, std::string_view line);
  // Whether there is a key of that host.
  [[nodiscard]] bool knows(std::string_view host) const;
  // Only members of a checkpoint of this host arrived: neither it nor what follows it by its
  // certificate can be verified, and that is no finding.
  void taken_apart(std::string_view host);

  // Everything so far; may be asked again and again.
  [[nodiscard]] SealReport report() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lilith::audit
