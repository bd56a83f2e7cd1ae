#include "audit/confine/landlock.hpp"

#include "audit/base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lilith::confine {
namespace {

// Renaming between directories came with version 2; without it the kernel refuses all of them.
constexpr int kVersionMin = 2, kVersionOfTruncate = 3, kVersionOfScopes = 6;

// The headers of Debian 12 know version 2.
constexpr std::uint64_t kTruncate = 1ULL << 14U;
constexpr std::uint64_t kScopeSignal = 1ULL << 1U;
struct Handled {  // landlock_ruleset_attr of version 6
  std::uint64_t files = 0, network = 0, scoped = 0;
};

constexpr std::uint64_t kFile = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr std::uint64_t kDirectory =
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
    LANDLOCK_ACCESS_FS_REFER;

Result<void> allow(int rules, const std::string& path, std::uint64_t access) {
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat info{};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) {
    return fail_errno("cannot keep writes to " + path);
  }
  landlock_path_beneath_attr rule{};
  rule.parent_fd = fd.get();
  rule.allowed_access = S_ISDIR(info.st_mode) ? access : access & ~kDirectory;
  if (::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return fail_errno("cannot keep writes to " + path);
  }
  return {};
}

}  // namespace

int landlock_version() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < kVersionMin ? 0 : static_cast<int>(version);
}

Result<void> confine_writes(const WritablePlaces& places) {
  const int version = landlock_version();
  if (version == 0) {
    return fail(
        ErrorCode::kUnavailable,
        "writes can't be confined: the kernel has no Landlock, or one before Linux 5.19, or "
        "a filter of system calls keeps it away");
  }
  const std::uint64_t file = version >= kVersionOfTruncate ? kFile | kTruncate : kFile;
  const bool scopes = places.keep_signals && version >= kVersionOfScopes;
  Handled handled;
  handled.files = file | kDirectory;
  handled.scoped = scopes ? kScopeSignal : 0;
  const std::size_t size = scopes ? sizeof handled : sizeof handled.files;
  const UniqueFd rules(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, size, 0)));
  if (!rules.valid()) return fail_errno("cannot make rules of Landlock");
  const std::pair<const std::vector<std::string>*, std::uint64_t> kinds[] = {
      {&places.directories, file | kDirectory},
      {&places.new_files, file | LANDLOCK_ACCESS_FS_MAKE_REG},
      {&places.files_only, file}};
  for (const auto& [paths, access] : kinds) {
    for (const std::string& path : *paths) {
      if (auto done = allow(rules.get(), path, access); !done) return done;
    }
  }
  if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) {
    return fail_errno("cannot apply the rules of Landlock");
  }
  return {};
}

}  // namespace lilith::confine
