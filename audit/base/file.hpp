#pragma once
// Files at the edges: short functions over the system calls, every failure a Result.

#include "audit/base/result.hpp"
#include "audit/base/unique_fd.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lilith {

// The whole file, at most bytes_max bytes (kLimitExceeded above). "-" is not special.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t bytes_max);
// Everything from a descriptor up to its end, at most bytes_max bytes.
[[nodiscard]] Result<std::string> read_all(int fd, std::size_t bytes_max);
// All bytes, going on after EINTR and short writes.
[[nodiscard]] Result<void> write_all(int fd, std::string_view bytes);
// Temporary file in the same directory, fsync, rename, fsync of the directory: afterwards the path
// holds either the old or the new content, whole.
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view bytes,
                                        unsigned mode);
// Where the last component of a path stands: "." for a bare name.
[[nodiscard]] std::string directory_of(const std::string& path);
// The names in a directory, sorted, without "." and ".."; kNotFound when it does not exist. Not by
// std::filesystem, which brings std::locale into every start of a hook.
[[nodiscard]] Result<std::vector<std::string>> names_in(const std::string& directory);
// Whether the path, or what a link there leads to, is a directory.
[[nodiscard]] bool is_directory(const std::string& path);
// fsync(2): what was created, renamed or removed in it stays so.
[[nodiscard]] Result<void> sync_directory(const std::string& directory);
// mkdir -p; directories made get `mode`.
[[nodiscard]] Result<void> make_directories(const std::string& path, unsigned mode);

}  // namespace lilith
