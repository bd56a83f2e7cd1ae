#pragma once
// What the shipper gives up before it touches a receiver or begins a thread, whoever started it:
// capabilities, writing elsewhere (Landlock), and system calls that it never makes (seccomp).
// docs/shipping.md says what each keeps; what the kernel can't do is left out and told, since
// events that are not shipped are the worse loss.

#include "audit/base/result.hpp"
#include "audit/base/unique_fd.hpp"
#include "shipper/config.hpp"
#include "shipper/counters.hpp"

#include <string>
#include <vector>

namespace lilith::shipper {

class Confinement {
 public:
  Confinement() = default;  // of nothing
  // Confines the calling thread and all that it begins later. Makes config.state_dir. With
  // Confine::kRequire kUnavailable, with every reason, when something can't be had.
  [[nodiscard]] static Result<Confinement> enter(const Config& config);

  [[nodiscard]] const ConfinementState& state() const { return state_; }
  // Whether a file may be made and written at `path`, as far as the confinement goes. Asks the file
  // system; any thread.
  [[nodiscard]] bool admits(const std::string& path) const;
  // Whether a sink of a new configuration can do its work; the error says the place and the remedy.
  [[nodiscard]] Result<void> admits(const SinkConfig& sink) const;

 private:
  Result<void> confine_writes(const Config& config);

  ConfinementState state_;
  // Held open: as long as they are, their inodes are nobody else's.
  std::vector<UniqueFd> places_;
};

}  // namespace lilith::shipper
