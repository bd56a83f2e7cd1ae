#include "rules/path.hpp"

#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::rules {
namespace {

class RealFileSystem final : public FileSystem {
 public:
  [[nodiscard]] Entry look(const std::string& path) const override {
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0) {
      return {errno == ENOENT || errno == ENOTDIR ? Kind::kMissing : Kind::kUnreadable, {}};
    }
    if (S_ISDIR(info.st_mode)) return {Kind::kDirectory, {}};
    if (!S_ISLNK(info.st_mode)) return {Kind::kOther, {}};
    std::string target(limits::kPathBytesMax, '\0');
    const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    if (size <= 0 || static_cast<std::size_t>(size) >= target.size()) {
      return {Kind::kUnreadable, {}};
    }
    target.resize(static_cast<std::size_t>(size));
    return {Kind::kSymlink, std::move(target)};
  }

  [[nodiscard]] bool root_owned(const std::string& path) const override {
    const auto trusted = [](const std::string& one) {
      struct stat info{};
      return ::stat(one.c_str(), &info) == 0 && info.st_uid == 0 &&
             (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
    };
    const auto whole_way = [&trusted](const std::string& one) {
      for (std::size_t slash = one.find('/', 1); slash != std::string::npos;
           slash = one.find('/', slash + 1)) {
        if (!trusted(one.substr(0, slash))) return false;
      }
      return one.starts_with('/') && trusted("/") && trusted(one);
    };
    if (!whole_way(path)) return false;
    // A link may lead into a directory that someone else can write.
    const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr),
                                                      [](void* p) { std::free(p); });
    return real != nullptr && whole_way(real.get());
  }
};

class LexicalFileSystem final : public FileSystem {
 public:
  [[nodiscard]] Entry look(const std::string&) const override { return {Kind::kDirectory, {}}; }
  [[nodiscard]] bool root_owned(const std::string&) const override { return false; }
};

constexpr std::string_view kMagicLink =
    "path.magic_link: /proc/*/root, cwd, fd, exe, map_files, mem, task and /dev/fd can lead "
    "anywhere";

// /proc/*/root, cwd, fd, exe, map_files and /dev/fd are magic links: where they lead is not what
// readlink(2) says; mem is the memory of a process (proc(5)).
bool is_magic(std::string_view resolved_parent, std::string_view component) {
  if (resolved_parent == "/dev" && component == "fd") return true;
  const bool in_process = resolved_parent.starts_with("/proc/") && resolved_parent.size() > 6;
  return in_process &&
         (component == "root" || component == "cwd" || component == "fd" || component == "exe" ||
          component == "mem" || component == "map_files" || component == "task");
}

// Resolves one path by taking its components off a stack, as path_resolution(7) does.
class Walk {
 public:
  Walk(const FileSystem& file_system, ResolvedPath& out) : file_system_(file_system), out_(out) {}

  void run(std::string_view absolute) {
    push(absolute);
    while (!pending_.empty() && out_.reason.empty()) {
      std::string component = std::move(pending_.back());
      pending_.pop_back();
      step(component);
    }
    if (out_.reason.empty()) out_.resolved = at_.empty() ? "/" : at_;
  }

 private:
  void push(std::string_view path) {
    std::vector<std::string> parts;
    for (std::size_t from = 0; from < path.size();) {
      const std::size_t end = std::min(path.find('/', from), path.size());
      if (end > from) parts.emplace_back(path.substr(from, end - from));
      from = end + 1;
    }
    pending_.insert(pending_.end(), std::make_move_iterator(parts.rbegin()),
                    std::make_move_iterator(parts.rend()));
  }

  void step(const std::string& component) {
    if (component == ".") return;
    if (component == "..") {
      if (missing_) {
        out_.reason = "path.parent_of_missing: '..' follows a directory that does not exist";
      }
      at_.erase(std::min(at_.rfind('/'), at_.size()));
      return;
    }
    if (is_magic(at_, component)) {
      out_.reason = kMagicLink;
      return;
    }
    const std::string next = at_ + "/" + component;
    if (next.size() > limits::kPathBytesMax) {
      out_.reason = "path.too_long: more than " + std::to_string(limits::kPathBytesMax) + " bytes";
      return;
    }
    if (missing_) {
      at_ = next;
      return;
    }
    FileSystem::Entry entry = file_system_.look(next);
    switch (entry.kind) {
      case FileSystem::Kind::kUnreadable:
        out_.reason = "path.unreadable: cannot look at " + next;
        return;
      case FileSystem::Kind::kSymlink:
        if (++hops_ > limits::kSymlinkHopsMax) {
          out_.reason = "path.link_loop: more than " + std::to_string(limits::kSymlinkHopsMax) +
                        " symbolic links";
          return;
        }
        if (entry.link_target.starts_with('/')) at_.clear();
        push(entry.link_target);
        return;
      case FileSystem::Kind::kMissing:
        missing_ = true;
        break;
      case FileSystem::Kind::kDirectory:
      case FileSystem::Kind::kOther:
        break;
    }
    at_ = next;
  }

  const FileSystem& file_system_;
  ResolvedPath& out_;
  std::vector<std::string> pending_;  // components still to walk, the next one last
  std::string at_;                    // resolved so far, without the final slash
  bool missing_ = false;
  int hops_ = 0;
};

// Why `given` can't be judged whatever the file system holds; empty when it may be.
std::string_view refused(std::string_view given, std::string_view cwd) {
  if (given.empty()) return "path.empty: the path is empty";
  if (given.find('\0') != std::string_view::npos) return "path.nul: the path has a NUL";
  if (!is_valid_utf8(given)) return "path.encoding: the path is not UTF-8";
  if (given.starts_with('~')) return "path.tilde: some tools expand ~, others do not";
  if (given.size() >= 5 && given[4] == ':' && ascii_lower(given.substr(0, 5)) == "file:") {
    return "path.file_url: some tools read file: as a URL, others as a name";
  }
  if (given.starts_with('/')) {
    return given.size() > limits::kPathBytesMax ? "path.too_long: over 4096 bytes"
                                                : std::string_view();
  }
  if (!cwd.starts_with('/')) {
    return "path.relative_without_cwd: a relative path, and the session's directory is not known";
  }
  return given.size() + cwd.size() + 1 > limits::kPathBytesMax ? "path.too_long: over 4096 bytes"
                                                               : std::string_view();
}

}  // namespace

const FileSystem& real_file_system() {
  static const RealFileSystem file_system;
  return file_system;
}

const FileSystem& lexical_file_system() {
  static const LexicalFileSystem file_system;
  return file_system;
}

std::string join_path(std::string_view given, std::string_view cwd) {
  TextArena texts;
  return std::string(join_path(given, cwd, texts));
}

std::string_view join_path(std::string_view given, std::string_view cwd, TextArena& texts) {
  if (given.starts_with('/')) return given;
  return texts.joined({cwd, cwd.ends_with('/') ? "" : "/", given});
}

FoldedView fold_path(std::string_view given, std::string_view cwd, TextArena& texts) {
  FoldedView out;
  out.reason = refused(given, cwd);
  if (!out.reason.empty()) return out;
  const std::string_view base = given.starts_with('/') ? std::string_view() : cwd;
  // Each component is written with its slash, which `given` need not begin with.
  char* const text = texts.room(base.size() + given.size() + 2);
  std::size_t size = 0;
  for (const std::string_view part : {base, given}) {
    for (std::size_t from = 0; from < part.size();) {
      const std::size_t end = component_end(part, from);
      const std::string_view one = part.substr(from, end - from);
      from = end + 1;
      if (one.empty() || one == ".") continue;
      const std::string_view before(text, size);
      if (one == "..") {
        out.has_parent = true;
        size = std::min(before.rfind('/'), size);
        continue;
      }
      if (out.reason.empty() && is_magic(before, one)) out.reason = kMagicLink;
      text[size] = '/';
      std::memcpy(text + size + 1, one.data(), one.size());
      size += one.size() + 1;
    }
  }
  if (size == 0) text[size++] = '/';
  out.lexical = {text, size};
  return out;
}

FoldedPath fold_path(std::string_view given, std::string_view cwd) {
  TextArena texts;
  const FoldedView folded = fold_path(given, cwd, texts);
  return {std::string(folded.lexical), folded.reason, folded.has_parent};
}

ResolvedPath resolve_path(std::string_view given, std::string_view cwd,
                          const FileSystem& file_system) {
  ResolvedPath out;
  FoldedPath folded = fold_path(given, cwd);
  out.lexical = std::move(folded.lexical);
  if (&file_system == &lexical_file_system()) {
    out.reason = folded.reason;
    if (out.reason.empty()) out.resolved = out.lexical;
    return out;
  }
  if (out.lexical.empty()) {
    out.reason = folded.reason;
    return out;
  }
  Walk(file_system, out).run(join_path(given, cwd));
  return out;
}

}  // namespace lilith::rules
