#include "tests/crash/disk.hpp"

#include "tests/support/support.hpp"

#include <climits>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace lilith::test {
namespace fs = std::filesystem;
namespace {

using FileId = std::size_t;

struct Step {
  enum class Kind { kWrite, kTruncate, kSyncFile, kCreate, kLink, kUnlink, kRename, kSyncFolder };
  Kind kind = Kind::kWrite;
  FileId file = 0;          // kWrite to kCreate
  std::uint64_t at = 0;     // kWrite: offset; kTruncate: length
  std::string bytes;        // kWrite
  std::string path, path2;  // names; kSyncFolder: the folder
};

// The one recording of this process; a test records on one thread.
struct Recording {
  std::string root;
  std::vector<Step> steps;
  std::map<std::pair<dev_t, ino_t>, FileId> ids;
  FileId next_id = 1;
  std::string archive;  // every file that was made, by its id: a disk keeps the numbers of inodes
};
std::optional<Recording> recording;
// Of its steps: a test may ask for their number while the recorder works.
std::mutex steps_mutex;

bool is_ours(const std::string& path) {
  return recording && path.starts_with(recording->root + "/");
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::optional<FileId> id_of(int fd, struct stat& info) {
  if (!recording || ::fstat(fd, &info) != 0) return std::nullopt;
  const auto found = recording->ids.find({info.st_dev, info.st_ino});
  if (found == recording->ids.end() || !S_ISREG(info.st_mode)) return std::nullopt;
  return found->second;
}

void note(Step step) {
  const std::lock_guard lock(steps_mutex);
  recording->steps.push_back(std::move(step));
}

void note_created(int fd, const std::string& path) {
  struct stat info{};
  if (fd < 0 || ::fstat(fd, &info) != 0) return;
  const FileId id = recording->next_id++;
  fs::create_hard_link(path, recording->archive + "/" + std::to_string(id));
  recording->ids[{info.st_dev, info.st_ino}] = id;
  note({.kind = Step::Kind::kCreate, .file = id, .path = path});
}

void note_write(int fd, std::uint64_t at, const void* bytes, ssize_t size) {
  struct stat info{};
  const auto id = size > 0 ? id_of(fd, info) : std::nullopt;
  if (!id) return;
  note({.kind = Step::Kind::kWrite,
        .file = *id,
        .at = at,
        .bytes = std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size))});
}

void note_sync(int fd) {
  struct stat info{};
  if (!recording || ::fstat(fd, &info) != 0) return;
  if (S_ISREG(info.st_mode)) {
    if (const auto id = id_of(fd, info)) note({.kind = Step::Kind::kSyncFile, .file = *id});
    return;
  }
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  std::array<char, PATH_MAX> path{};
  if (::readlink(link.c_str(), path.data(), path.size() - 1) <= 0) return;
  if (is_ours(path.data())) note({.kind = Step::Kind::kSyncFolder, .path = path.data()});
}

std::uint64_t place_of_next_write(int fd) {
  struct stat info{};
  if (!recording || ::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  if ((::fcntl(fd, F_GETFL) & O_APPEND) != 0) return static_cast<std::uint64_t>(info.st_size);
  return static_cast<std::uint64_t>(std::max<off_t>(0, ::lseek(fd, 0, SEEK_CUR)));
}

}  // namespace

// ---- between the program and the C library

extern "C" {
// Names that ld(1)'s --wrap gives.
// NOLINTBEGIN(bugprone-reserved-identifier)
int __real_open(const char* path, int flags, ...);
int __real_mkostemp(char* path, int flags);
ssize_t __real_write(int fd, const void* bytes, size_t size);
ssize_t __real_pwrite(int fd, const void* bytes, size_t size, off_t at);
int __real_ftruncate(int fd, off_t length);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_rename(const char* from, const char* to);
int __real_link(const char* from, const char* to);
int __real_unlink(const char* path);

int __wrap_open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  struct stat info{};
  const bool creates = (flags & O_CREAT) != 0 && is_ours(path) && ::lstat(path, &info) != 0;
  const int fd = __real_open(path, flags, mode);
  if (creates) note_created(fd, path);
  return fd;
}
int __wrap_mkostemp(char* path, int flags) {
  const int fd = __real_mkostemp(path, flags);
  if (is_ours(path)) note_created(fd, path);
  return fd;
}
ssize_t __wrap_write(int fd, const void* bytes, size_t size) {
  const std::uint64_t at = place_of_next_write(fd);
  const ssize_t put = __real_write(fd, bytes, size);
  note_write(fd, at, bytes, put);
  return put;
}
ssize_t __wrap_pwrite(int fd, const void* bytes, size_t size, off_t at) {
  const ssize_t put = __real_pwrite(fd, bytes, size, at);
  note_write(fd, static_cast<std::uint64_t>(at), bytes, put);
  return put;
}
int __wrap_ftruncate(int fd, off_t length) {
  struct stat info{};
  const int done = __real_ftruncate(fd, length);
  if (const auto id = id_of(fd, info); id && done == 0) {
    note({.kind = Step::Kind::kTruncate, .file = *id, .at = static_cast<std::uint64_t>(length)});
  }
  return done;
}
int __wrap_fsync(int fd) {
  const int done = __real_fsync(fd);
  note_sync(fd);
  return done;
}
int __wrap_fdatasync(int fd) {
  const int done = __real_fdatasync(fd);
  note_sync(fd);
  return done;
}
int __wrap_rename(const char* from, const char* to) {
  const int done = __real_rename(from, to);
  if (done == 0 && is_ours(from)) {
    note({.kind = Step::Kind::kRename, .path = from, .path2 = to});
  }
  return done;
}
int __wrap_link(const char* from, const char* to) {
  const int done = __real_link(from, to);
  if (done == 0 && is_ours(from)) note({.kind = Step::Kind::kLink, .path = from, .path2 = to});
  return done;
}
int __wrap_unlink(const char* path) {
  const int done = __real_unlink(path);
  if (done == 0 && is_ours(path)) note({.kind = Step::Kind::kUnlink, .path = path});
  return done;
}
// NOLINTEND(bugprone-reserved-identifier)
}

// ---- what is left

namespace {

bool is_of_file(const Step& step) {
  return step.kind == Step::Kind::kWrite || step.kind == Step::Kind::kTruncate;
}

void redo(const Step& step, std::string& content) {
  if (step.kind == Step::Kind::kTruncate) {
    content.resize(step.at);
    return;
  }
  if (content.size() < step.at + step.bytes.size()) content.resize(step.at + step.bytes.size());
  content.replace(step.at, step.bytes.size(), step.bytes);
}

void redo(const Step& step, std::map<std::string, FileId>& names) {
  switch (step.kind) {
    case Step::Kind::kCreate:
      names[step.path] = step.file;
      break;
    case Step::Kind::kLink:
      if (names.contains(step.path)) names[step.path2] = names[step.path];
      break;
    case Step::Kind::kUnlink:
      names.erase(step.path);
      break;
    case Step::Kind::kRename:
      if (const auto from = names.extract(step.path)) names[step.path2] = from.mapped();
      break;
    default:
      break;
  }
}

// How many of the steps at `indices` are durable: those up to the last sync, and by luck some more.
std::size_t durable(const std::vector<std::size_t>& indices, std::size_t synced_up_to,
                    const std::string& name, bool is_folder, const Disk::Luck& luck) {
  const auto synced = static_cast<std::size_t>(
      std::lower_bound(indices.begin(), indices.end(), synced_up_to) - indices.begin());
  return synced +
         std::min(indices.size() - synced, luck.durable(name, indices.size() - synced, is_folder));
}

struct Unsynced {
  std::vector<std::size_t> indices;
  std::size_t synced_up_to = 0;  // steps before this one are durable
};

std::string content_of(const std::vector<Step>& steps, const Unsynced& file,
                       const std::string& name, const Disk::Luck& luck) {
  std::string content;
  const std::size_t whole = durable(file.indices, file.synced_up_to, name, false, luck);
  for (std::size_t i = 0; i < whole; ++i) redo(steps[file.indices[i]], content);
  if (whole == file.indices.size()) return content;
  Step next = steps[file.indices[whole]];
  if (next.kind != Step::Kind::kWrite) return content;
  const std::size_t size = next.bytes.size();
  const std::size_t kept = std::min(size, luck.torn(size));
  if (luck.zeros()) {
    std::fill(next.bytes.begin() + static_cast<std::ptrdiff_t>(kept), next.bytes.end(), '\0');
  } else {
    next.bytes.resize(kept);
  }
  if (!next.bytes.empty()) redo(next, content);
  return content;
}

}  // namespace

Disk::Disk(std::string root) : root_(std::move(root)) {
  recording.emplace();
  recording->root = root_;
  recording->archive = root_ + ".inodes";
  fs::create_directory(recording->archive);
}
Disk::~Disk() { recording.reset(); }

std::size_t Disk::steps() const {
  const std::lock_guard lock(steps_mutex);
  return recording->steps.size();
}

void Disk::stop() { recording->ids.clear(), recording->root = "/nowhere"; }

Disk::Image Disk::cut_after(std::size_t count, const Luck& luck) const {
  const std::vector<Step>& steps = recording->steps;
  std::map<FileId, Unsynced> files;
  std::map<std::string, Unsynced> folders;
  for (std::size_t i = 0; i < count; ++i) {
    const Step& step = steps[i];
    if (step.kind == Step::Kind::kSyncFile) {
      files[step.file].synced_up_to = i;
    } else if (step.kind == Step::Kind::kSyncFolder) {
      folders[step.path].synced_up_to = i;
    } else if (is_of_file(step)) {
      files[step.file].indices.push_back(i);
    } else {
      folders[folder_of(step.path)].indices.push_back(i);
    }
  }
  std::map<std::string, FileId> names;
  for (const auto& [folder, unsynced] : folders) {
    const std::size_t whole = durable(unsynced.indices, unsynced.synced_up_to, folder, true, luck);
    for (std::size_t i = 0; i < whole; ++i) redo(steps[unsynced.indices[i]], names);
  }
  Image image;
  std::map<FileId, std::string> contents;  // one for all names of a file
  for (const auto& [path, id] : names) {
    if (!contents.contains(id)) contents[id] = content_of(steps, files[id], path, luck);
    image[path] = {id, contents[id]};
  }
  return image;
}

std::string Disk::history() const {
  constexpr std::array kNames{"write", "truncate", "sync",   "create",
                              "link",  "unlink",   "rename", "sync folder"};
  std::string out;
  for (std::size_t i = 0; i < recording->steps.size(); ++i) {
    const Step& step = recording->steps[i];
    out += std::to_string(i + 1) + " " + kNames[static_cast<std::size_t>(step.kind)] + " file " +
           std::to_string(step.file) + " at " + std::to_string(step.at) + " bytes " +
           std::to_string(step.bytes.size()) + " " + step.path + " " + step.path2 + "\n";
  }
  return out;
}

void Disk::restore(const Image& image) const {
  std::vector<fs::path> old;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    if (!entry.is_directory()) old.push_back(entry.path());
  }
  for (const fs::path& path : old) fs::remove(path);
  for (const auto& [path, file] : image) {
    const std::string inode = recording->archive + "/" + std::to_string(file.id);
    fs::permissions(inode, fs::perms::owner_read | fs::perms::owner_write);
    write_text(inode, file.bytes);
    fs::create_hard_link(inode, path);
  }
}

}  // namespace lilith::test
