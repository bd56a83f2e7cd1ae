#include "enforcer/setup/settings_file.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "audit/base/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::enforcer::setup {
namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t kPermissions = 07777;

std::unexpected<Error> is_link(const std::string& path) {
  return fail(ErrorCode::kInvalidInput,
              printable(path) +
                  " is a symbolic link, and what it leads to may not be meant; name the file "
                  "itself with --file");
}

std::unexpected<Error> cannot(std::string_view what, const std::string& path) {
  return fail_errno(std::string(what) + " " + printable(path));
}

struct Opened {
  UniqueFd directory;
  std::string name;  // the file's, in it
};

// The directory of the file, by one step after the other, none of which may be a link. kNotFound:
// it is not there.
Result<Opened> open_directory(const SettingsPlace& place, bool make) {
  Opened opened;
  opened.directory = UniqueFd(::open(place.anchor.c_str(), kDirectory));
  if (!opened.directory.valid()) {
    return fail(ErrorCode::kNotFound, "cannot open the directory " + printable(place.anchor),
                errno);
  }
  std::string path = place.anchor;
  std::size_t from = 0;
  for (std::size_t slash = place.relative.find('/'); slash != std::string::npos;
       slash = place.relative.find('/', from)) {
    const std::string part = place.relative.substr(from, slash - from);
    from = slash + 1;
    path += "/" + part;
    const int parent = opened.directory.get();
    if (make && ::mkdirat(parent, part.c_str(), place.of_one_user ? 0700 : 0755) == 0) {
      struct stat info{};
      if (::geteuid() == 0 &&
          (::fstat(parent, &info) != 0 ||
           ::fchownat(parent, part.c_str(), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0)) {
        return cannot("cannot give its owner", path);
      }
    }
    UniqueFd next(::openat(parent, part.c_str(), kDirectory | O_NOFOLLOW));
    if (!next.valid()) {
      const int error = errno;
      struct stat info{};
      if (::fstatat(parent, part.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
          S_ISLNK(info.st_mode)) {
        return is_link(path);
      }
      const ErrorCode code = error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
      return fail(code, "cannot open the directory " + printable(path), error);
    }
    opened.directory = std::move(next);
  }
  opened.name = place.relative.substr(from);
  return opened;
}

Result<SettingsFile> read_in(const Opened& opened, const std::string& path) {
  SettingsFile file;
  const UniqueFd fd(::openat(opened.directory.get(), opened.name.c_str(),
                             O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
  if (!fd.valid()) {
    if (errno == ENOENT) return file;
    if (errno == ELOOP) return is_link(path);
    return cannot("cannot open", path);
  }
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return cannot("cannot look at", path);
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::kInvalidInput, printable(path) + " is no regular file");
  }
  if (info.st_nlink > 1) {
    return fail(ErrorCode::kInvalidInput,
                printable(path) + " has " + std::to_string(info.st_nlink) +
                    " names (hard links), and a change would part them; remove the others first");
  }
  auto text = read_all(fd.get(), limits::kSettingsBytesMax);
  if (!text) {
    return fail(text.error().code, printable(path) + ": " + text.error().message);
  }
  file.there = true;
  file.text = std::move(*text);
  file.mode = info.st_mode & kPermissions;
  file.owner = info.st_uid;
  file.group = info.st_gid;
  return file;
}

Result<void> must_be_as_read(const Opened& opened, const std::string& path,
                             const SettingsFile& as_read) {
  auto now = read_in(opened, path);
  if (!now) return pass_error(now);
  if (now->there != as_read.there || now->text != as_read.text) {
    return fail(ErrorCode::kIo, printable(path) + " was changed meanwhile; try again");
  }
  return {};
}

std::string temporary_name(const std::string& name) {
  std::array<unsigned char, 8> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    random.fill(static_cast<unsigned char>(::getpid()));
  }
  return "." + name + "." + to_hex(random.data(), random.size());
}

// Mode and owner before there is a byte in it.
Result<void> prepare(int fd, const Opened& opened, const SettingsPlace& place,
                     const SettingsFile& as_read) {
  mode_t mode = as_read.mode;
  uid_t owner = as_read.owner;
  gid_t group = as_read.group;
  struct stat info{};
  if (!as_read.there && as_read.mode == 0) {
    if (::fstat(opened.directory.get(), &info) != 0) return cannot("cannot look at", place.anchor);
    mode = place.of_one_user ? 0600 : 0644;
    owner = info.st_uid;
    group = info.st_gid;
  }
  if (::fstat(fd, &info) != 0) return cannot("cannot look at", place.path());
  const bool other = info.st_uid != owner || (as_read.mode != 0 && info.st_gid != group);
  if (other && ::fchown(fd, owner, group) != 0 && (as_read.mode != 0 || ::geteuid() == 0)) {
    return cannot("cannot keep the owner of", place.path());
  }
  if (::fchmod(fd, mode) != 0) return cannot("cannot set the mode of", place.path());
  return {};
}

}  // namespace

Result<SettingsFile> read_settings(const SettingsPlace& place) {
  auto opened = open_directory(place, false);
  if (opened) return read_in(*opened, place.path());
  if (opened.error().code == ErrorCode::kNotFound) return SettingsFile{};
  return pass_error(opened);
}

Result<void> write_settings(const SettingsPlace& place, const SettingsFile& as_read,
                            std::string_view text) {
  auto opened = open_directory(place, true);
  if (!opened) return pass_error(opened);
  const int directory = opened->directory.get();
  const std::string temporary = temporary_name(opened->name);
  const UniqueFd fd(::openat(directory, temporary.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return cannot("cannot write beside", place.path());
  auto done = prepare(fd.get(), *opened, place, as_read);
  if (done) done = write_all(fd.get(), text);
  if (done && ::fsync(fd.get()) != 0) done = cannot("cannot sync", place.path());
  if (done) done = must_be_as_read(*opened, place.path(), as_read);
  if (done && ::renameat(directory, temporary.c_str(), directory, opened->name.c_str()) != 0) {
    done = cannot("cannot replace", place.path());
  }
  if (!done) {
    ::unlinkat(directory, temporary.c_str(), 0);
    return done;
  }
  if (::fsync(directory) != 0) return cannot("cannot sync the directory of", place.path());
  return {};
}

Result<void> remove_settings(const SettingsPlace& place, const SettingsFile& as_read) {
  auto opened = open_directory(place, false);
  if (!opened) return pass_error(opened);
  if (auto same = must_be_as_read(*opened, place.path(), as_read); !same) return same;
  if (::unlinkat(opened->directory.get(), opened->name.c_str(), 0) != 0) {
    return cannot("cannot remove", place.path());
  }
  return {};
}

}  // namespace lilith::enforcer::setup
