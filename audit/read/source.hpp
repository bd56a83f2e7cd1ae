#pragma once
// Bytes of a file as they were before compression; for the readers of this folder only.

#include "audit/base/result.hpp"
#include "audit/base/unique_fd.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace lilith::audit {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // At least one byte unless at the end (0). Bytes that stand before damaged compression are handed
  // out first; the error comes with the next call.
  [[nodiscard]] virtual Result<std::size_t> read(char* out, std::size_t size) = 0;
};

// Told apart by content: gzip (RFC 1952, one member or many), zstd (RFC 8878, one frame or many,
// skippable frames too), anything else as it is. `name` is for messages.
[[nodiscard]] Result<std::unique_ptr<ByteSource>> open_source(UniqueFd fd, const std::string& name);
// "-" is standard input.
[[nodiscard]] Result<std::unique_ptr<ByteSource>> open_source(const std::string& path);

[[nodiscard]] Result<UniqueFd> open_for_reading(const std::string& path);
// Whether the file begins like gzip or zstd; the descriptor's offset stays where it is.
[[nodiscard]] bool looks_compressed(int fd);

}  // namespace lilith::audit
