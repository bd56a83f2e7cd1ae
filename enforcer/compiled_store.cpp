#include "enforcer/compiled_store.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/base/text.hpp"
#include "rules/policy_compiled.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::enforcer {
namespace {

constexpr unsigned kFileMode = 0644, kDirectoryMode = 0755;

std::string file_of(const std::string& directory, std::string_view sha256) {
  return directory + "/" + std::string(sha256) + ".policy";
}

std::unexpected<Error> distrusted(const std::string& path, std::string_view why) {
  return fail(ErrorCode::kIo, printable(path) + " " + std::string(why));
}

// From the root down to `directory`: directories of root that nobody else can write, and from some
// point on those of one other user, to whom root gave the first. In a sticky directory (/tmp) a
// name that root owns is root's to replace. Returns that user, or 0. kNotFound: it is not there.
Result<uid_t> owner_of(const std::string& directory) {
  uid_t owner = 0;
  bool must_be_root = false;  // stands in a directory where everyone may put names
  for (std::size_t slash = 0; slash != std::string::npos;) {
    slash = directory.find('/', slash + 1);
    const std::string part = slash == std::string::npos ? directory : directory.substr(0, slash);
    struct stat info{};
    if (::lstat(part.c_str(), &info) != 0) return fail(ErrorCode::kNotFound, "no " + part, errno);
    if (!S_ISDIR(info.st_mode)) return distrusted(part, "is no directory");
    if (info.st_uid != owner) {
      if (owner != 0 || must_be_root) return distrusted(part, "belongs to the wrong user");
      owner = info.st_uid;
    }
    const bool open = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    must_be_root = open && (info.st_mode & S_ISVTX) != 0 && owner == 0;
    if (open && (!must_be_root || slash == std::string::npos)) {
      return distrusted(part, "can be written by others");
    }
  }
  return owner;
}

// Who owns what is there of `directory`: its nearest parent that exists.
Result<uid_t> owner_of_existing(std::string directory) {
  for (;;) {
    auto owner = owner_of(directory);
    const std::size_t slash = directory.rfind('/');
    if (owner || owner.error().code != ErrorCode::kNotFound || slash == 0) return owner;
    directory.resize(slash);
  }
}

// Root becomes that user for as long as this lives: what it makes in the user's directory is the
// user's, and no link there leads it to a file of root's.
class AsUser {
 public:
  explicit AsUser(uid_t user) : changed_(user != 0 && ::geteuid() == 0) {
    if (changed_) good_ = ::seteuid(user) == 0;
  }
  ~AsUser() {
    if (changed_ && ::seteuid(0) != 0) std::abort();
  }
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;
  [[nodiscard]] bool good() const { return good_; }

 private:
  bool changed_;
  bool good_ = true;
};

}  // namespace

Result<std::string> read_compiled(const std::string& directory, std::string_view sha256) {
  const std::string path = file_of(directory, sha256);
  const UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) return std::string();
    return distrusted(path, "cannot be opened");
  }
  // The directories are looked at after the open: who could not write them then could not before.
  const auto owner = owner_of(directory);
  if (!owner) return fail(ErrorCode::kIo, owner.error().message);
  // What the agent's own user can write, the agent can.
  if (*owner != 0 && *owner == ::geteuid()) {
    return distrusted(directory, "can be written by this user");
  }
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return distrusted(path, "is no file");
  if (info.st_uid != 0 && info.st_uid != *owner) {
    return distrusted(path, "belongs to the wrong user");
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return distrusted(path, "can be written by others");
  auto bytes = read_all(fd.get(), limits::kCompiledPolicyBytesMax);
  if (!bytes) return distrusted(path, "cannot be read");
  return bytes;
}

Result<std::string> write_compiled(const std::string& directory, std::string_view yaml,
                                   std::string_view engine) {
  auto compiled = rules::compile_policy(yaml, engine);
  if (!compiled) return pass_error(compiled);
  const auto parent = owner_of_existing(directory);
  if (!parent) return fail(ErrorCode::kIo, "hooks would not believe it: " + parent.error().message);
  const AsUser as_owner(*parent);
  if (!as_owner.good())
    return fail(ErrorCode::kIo, "cannot act as the owner of " + directory, errno);
  if (auto made = make_directories(directory, kDirectoryMode); !made) return pass_error(made);
  const auto owner = owner_of(directory);
  if (!owner) return fail(ErrorCode::kIo, "hooks would not believe it: " + owner.error().message);
  std::string path = file_of(directory, sha256_hex(yaml));
  if (auto put = replace_file(path, *compiled, kFileMode); !put) return pass_error(put);
  return path;
}

}  // namespace lilith::enforcer
