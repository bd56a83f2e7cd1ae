#pragma once
// A process in namespaces of its own (user, network, mount, process ids, IPC, host name) whose only
// way out is a listening socket that was made inside and handed out. namespaces(7),
// user_namespaces(7).

#include "audit/base/result.hpp"
#include "audit/base/unique_fd.hpp"
#include "audit/confine/landlock.hpp"

#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace lilith::enforcer::run {

struct FenceOptions {
  std::vector<std::string> command;  // program, looked for in PATH, and its arguments
  std::vector<std::pair<std::string, std::string>> environment;  // set for it
  std::vector<std::string> remove_from_environment;
  std::vector<int> local_ports;        // --allow-local: listened on inside as well
  std::vector<std::string> read_only;  // files and directories that it must not change
  int proxy_port = 3128;               // inside
  // Where the recorder of the moment listens, or empty. It is the one unix socket that programs
  // inside get connected to; unset: they get none.
  std::function<std::string()> recorder;
  std::optional<confine::WritablePlaces> writable;  // unset: whatever the user may write
};

class Fence {
 public:
  // Makes the namespaces and everything in them but the program, which waits. Only while this
  // process has one thread. kUnavailable, with the remedy, where the system refuses namespaces.
  [[nodiscard]] static Result<Fence> make(const FenceOptions& options);
  Fence(Fence&&) = default;
  Fence& operator=(Fence&&) = default;

  // Listening sockets inside, to be accepted from here: the proxy's, then one for each local port.
  [[nodiscard]] const std::vector<UniqueFd>& listeners() const { return listeners_; }
  // Tries to get out, once the proxy answers; `host_port` is where the host's loopback listens.
  // kUnavailable names what leaks.
  [[nodiscard]] Result<void> prove(int host_port);
  // Starts the program. An error when it can't be.
  [[nodiscard]] Result<void> release();
  [[nodiscard]] pid_t pid() const { return pid_; }  // of the namespace's first process

 private:
  Fence() = default;
  pid_t pid_ = -1;
  UniqueFd control_;
  std::vector<UniqueFd> listeners_;
};

}  // namespace lilith::enforcer::run
