#include "audit/base/file.hpp"

#include <algorithm>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith {
namespace {

constexpr std::size_t kFirstReadBytes = 4096;
constexpr std::size_t kReadChunkBytes = std::size_t{64} * 1024;

// Removes the temporary file of a replace_file() that did not come to its rename.
class Unlinker {
 public:
  explicit Unlinker(std::string path) : path_(std::move(path)) {}
  Unlinker(const Unlinker&) = delete;
  Unlinker& operator=(const Unlinker&) = delete;
  ~Unlinker() {
    if (armed_) ::unlink(path_.c_str());
  }
  void disarm() { armed_ = false; }

 private:
  std::string path_;
  bool armed_ = true;
};

struct CloseDirectory {
  void operator()(DIR* listing) const { ::closedir(listing); }
};

// From the errno of the call that just failed; what does not exist is kNotFound.
std::unexpected<Error> cannot(const std::string& what, int error = errno) {
  auto failure = fail_errno("cannot " + what, error);
  if (error == ENOENT) failure.error().code = ErrorCode::kNotFound;
  return failure;
}

}  // namespace

Result<std::string> read_all(int fd, std::size_t bytes_max) {
  // A file says how long it is, and one byte more finds its end: what is made larger than needed
  // costs page faults, which a hook feels.
  struct stat info{};
  std::size_t chunk = kFirstReadBytes;
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
    chunk = static_cast<std::size_t>(info.st_size) + 1;
  }
  std::string out;
  for (;;) {
    const std::size_t have = out.size();
    const std::size_t want = std::min({chunk, kReadChunkBytes, bytes_max + 1 - have});
    out.resize(have + want);
    const ssize_t got = ::read(fd, out.data() + have, want);
    if (got < 0 && errno == EINTR) {
      out.resize(have);
      continue;
    }
    if (got < 0) return fail_errno("cannot read");
    out.resize(have + static_cast<std::size_t>(got));
    if (got == 0) return out;
    chunk = static_cast<std::size_t>(got) < want ? want - static_cast<std::size_t>(got)
                                                 : kReadChunkBytes;
    if (out.size() > bytes_max) {
      return fail(ErrorCode::kLimitExceeded,
                  "more than " + std::to_string(bytes_max) + " bytes of input");
    }
  }
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return cannot("open " + path);
  auto content = read_all(fd.get(), bytes_max);
  if (!content) content.error().message += " (" + path + ")";
  return content;
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      return fail_errno("cannot write");
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::vector<std::string>> names_in(const std::string& directory) {
  const std::unique_ptr<DIR, CloseDirectory> listing(::opendir(directory.c_str()));
  if (!listing) return cannot("list " + directory);
  std::vector<std::string> out;
  for (;;) {
    errno = 0;  // readdir(3) says by it alone whether null is the end or a failure
    const dirent* entry = ::readdir(listing.get());
    if (entry == nullptr) break;
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name != "." && name != "..") out.emplace_back(name);
  }
  if (errno != 0) return cannot("list " + directory);
  std::sort(out.begin(), out.end());
  return out;
}

bool is_directory(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Result<void> sync_directory(const std::string& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) {
    return fail_errno("cannot sync directory " + directory);
  }
  return {};
}

Result<void> replace_file(const std::string& path, std::string_view bytes, unsigned mode) {
  const std::string directory = directory_of(path);
  std::string temporary = path + ".tmp.XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return fail_errno("cannot create " + temporary);
  Unlinker unlinker(temporary);
  if (::fchmod(fd.get(), mode) != 0) return fail_errno("cannot set the mode of " + temporary);
  if (auto written = write_all(fd.get(), bytes); !written) {
    written.error().message += " (" + temporary + ")";
    return written;
  }
  if (::fsync(fd.get()) != 0) return fail_errno("cannot sync " + temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno("cannot rename to " + path);
  unlinker.disarm();
  return sync_directory(directory);
}

Result<void> make_directories(const std::string& path, unsigned mode) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      return fail_errno("cannot make directory " + part);
    }
    if (slash == std::string::npos) break;
  }
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail_errno("cannot look at " + path);
  if (!S_ISDIR(info.st_mode)) return fail(ErrorCode::kIo, path + " is not a directory", ENOTDIR);
  return {};
}

}  // namespace lilith
