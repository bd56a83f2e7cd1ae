#include "shipper/confinement.hpp"

#include "audit/base/file.hpp"
#include "audit/confine/capabilities.hpp"
#include "audit/confine/landlock.hpp"
#include "audit/confine/system_calls.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lilith::shipper {
namespace {

constexpr mode_t kStateMode = 0750;
constexpr int kPrivilegedPorts = 1024;

// The leak checker of AddressSanitizer stops the process's threads with ptrace(2) when it ends.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kLeakChecker = true;
#elif defined(__has_feature)
constexpr bool kLeakChecker = __has_feature(address_sanitizer);
#else
constexpr bool kLeakChecker = false;
#endif

// No program is ever started. librdkafka would run kinit(1) for Kerberos, which no setting of ours
// can ask for.
constexpr std::array<long, 2> kPrograms{SYS_execve, SYS_execveat};
// Files in other places than where they seem to be.
constexpr std::array<long, 12> kNamespaces{
    SYS_unshare,    SYS_mount,  SYS_umount2,  SYS_pivot_root, SYS_chroot, SYS_open_tree,
    SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount,    SYS_fspick, SYS_mount_setattr};
constexpr std::array<long, 2> kMoreOfTheKernel{SYS_kexec_file_load, SYS_delete_module};
constexpr std::uint32_t kNewNamespace = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                        CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
// Receivers, the service manager and the status socket; netlink is how the C library sees which
// addresses there are.
constexpr std::array<std::uint32_t, 4> kFamilies{AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

Result<void> confine_system_calls() {
  confine::SystemCallFilter filter(confine::SystemCallFilter::Foreign::kRefuse);
  filter.refuse(kPrograms);
  filter.refuse(confine::kUnseenIo);
  if (!kLeakChecker) filter.refuse(SYS_ptrace);
  filter.refuse(confine::kOtherProcesses);
  filter.refuse(kNamespaces);
  filter.refuse_bits(SYS_clone, 0, kNewNamespace);
  // Its flags stand in memory, where no filter looks; the C library then makes threads by clone(2).
  filter.refuse(SYS_clone3, ENOSYS);
  filter.refuse(confine::kKernel);
  filter.refuse(kMoreOfTheKernel);
  filter.allow_sockets(kFamilies);
  filter.refuse_typing();
  auto installed = filter.install();
  if (!installed) return pass_error(installed);
  return {};
}

constexpr confine::Capabilities bit(int capability) {
  return confine::Capabilities{1} << static_cast<unsigned>(capability);
}

// Root without any could not read the logs and secrets of other users, and neither write into
// directories of theirs nor to Wazuh's queue: it would deliver nothing.
Result<void> give_up_capabilities(const Config& config) {
  confine::Capabilities keep = bit(CAP_DAC_OVERRIDE) | bit(CAP_DAC_READ_SEARCH);
  if (config.listen.port > 0 && config.listen.port < kPrivilegedPorts)
    keep |= bit(CAP_NET_BIND_SERVICE);
  auto kept = confine::keep_capabilities(keep);
  if (!kept) return pass_error(kept);
  return {};
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

UniqueFd open_directory(int at, const char* path) {
  return UniqueFd(::openat(at, path, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

// The directory at `path`, or the nearest one above it that is there.
UniqueFd nearest_directory(std::string path) {
  for (;;) {
    UniqueFd fd = open_directory(AT_FDCWD, path.c_str());
    if (fd.valid() || path == "/") return fd;
    path = parent_of(path);
  }
}

bool same_file(int left, int right) {
  struct stat a{}, b{};
  return ::fstat(left, &a) == 0 && ::fstat(right, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

}  // namespace

Result<void> Confinement::confine_writes(const Config& config) {
  confine::WritablePlaces places;
  places.keep_signals = true;
  places.directories = {config.state_dir};
  // Libraries open it.
  if (::access("/dev/null", F_OK) == 0) places.files_only = {"/dev/null"};
  for (const SinkConfig& sink : config.sinks) {
    if (sink.type == SinkType::kFile) places.new_files.push_back(parent_of(sink.path));
  }
  std::vector<UniqueFd> opened;
  for (const std::vector<std::string>* const paths : {&places.directories, &places.new_files}) {
    for (const std::string& path : *paths) {
      opened.push_back(open_directory(AT_FDCWD, path.c_str()));
      // What is made there later would be out of reach, and the sink with it.
      if (!opened.back().valid())
        return fail_errno("writes are not confined, since " + path +
                          " can't be opened; when it can, restart the shipper");
    }
  }
  if (auto done = confine::confine_writes(places); !done) return done;
  places_ = std::move(opened);
  return {};
}

Result<Confinement> Confinement::enter(const Config& config) {
  Confinement out;
  ConfinementState& state = out.state_;
  state.wanted = config.confine != Confine::kOff;
  if (!state.wanted) return out;
  if (auto made = make_directories(config.state_dir, kStateMode); !made) return pass_error(made);
  const auto holds = [&](const Result<void>& done) {
    if (!done) state.problem += (state.problem.empty() ? "" : "; ") + done.error().message;
    return done.has_value();
  };
  const bool no_new = holds(confine::forbid_new_privileges());
  state.writes = holds(out.confine_writes(config));
  state.capabilities = holds(give_up_capabilities(config)) && no_new;
  state.syscalls = holds(confine_system_calls());
  if (config.confine == Confine::kRequire && !state.problem.empty())
    return fail(ErrorCode::kUnavailable, "confine: require: " + state.problem);
  return out;
}

// As the kernel looks: from the directory up, over mounts.
bool Confinement::admits(const std::string& path) const {
  if (!state_.writes) return true;
  UniqueFd at = nearest_directory(parent_of(path));
  while (at.valid()) {
    for (const UniqueFd& place : places_) {
      if (same_file(at.get(), place.get())) return true;
    }
    UniqueFd up = open_directory(at.get(), "..");
    if (!up.valid() || same_file(at.get(), up.get())) return false;
    at = std::move(up);
  }
  return false;
}

Result<void> Confinement::admits(const SinkConfig& sink) const {
  if (sink.type != SinkType::kFile || admits(sink.path)) return {};
  return fail(ErrorCode::kInvalidInput,
              "sink " + sink.name + ": " + sink.path +
                  " lies outside the directories to which the shipper confined its writes when it "
                  "started; restart it");
}

std::array<std::pair<std::string_view, bool>, 3> confined_things(const ConfinementState& state) {
  return {{{"capabilities", state.capabilities},
           {"writes", state.writes},
           {"syscalls", state.syscalls}}};
}

std::string confined_words(const ConfinementState& state) {
  std::string out;
  for (const auto& [what, holds] : confined_things(state)) {
    if (holds) out.append(out.empty() ? "" : ",").append(what);
  }
  return out.empty() ? "none" : out;
}

}  // namespace lilith::shipper
