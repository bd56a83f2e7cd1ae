// Put before the C library by LD_PRELOAD: while the file that LILITH_FAILING_READS names is there,
// the disk gives nothing of a file called audit.log (EIO).

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string_view>
#include <unistd.h>

namespace {

bool fails(int fd) {
  const char* const trouble = std::getenv("LILITH_FAILING_READS");
  if (trouble == nullptr || ::access(trouble, F_OK) != 0) return false;
  char link[64], target[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = ::readlink(link, target, sizeof target);
  return size > 0 &&
         std::string_view(target, static_cast<std::size_t>(size)).ends_with("/audit.log");
}

ssize_t read_at(const char* function, int fd, void* into, size_t size, off_t offset) {
  if (fails(fd)) {
    errno = EIO;
    return -1;
  }
  using Read = ssize_t (*)(int, void*, size_t, off_t);
  void* const found = ::dlsym(RTLD_NEXT, function);
  Read real = nullptr;
  std::memcpy(&real, &found, sizeof real);
  return real(fd, into, size, offset);
}

}  // namespace

extern "C" {
ssize_t pread(int fd, void* into, size_t size, off_t offset) {
  return read_at("pread", fd, into, size, offset);
}
ssize_t pread64(int fd, void* into, size_t size, off64_t offset) {
  return read_at("pread64", fd, into, size, offset);
}
}
