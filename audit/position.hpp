#pragma once

#include <cstdint>
#include <string>

namespace lilith::audit {

// Where a reader stands: the file by identity, and the byte after the last line taken.
struct Position {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t offset = 0;
  std::string first_line_sha256;  // of the file's first line, so that a reused inode is noticed;
                                  // empty: none yet
  std::string
      last_line_sha256;  // of the line that ends at offset; empty at offset 0: notices copytruncate
  std::uint64_t seq = 0;  // of that line when it is an event of ours, else 0
  std::string chain_id;

  friend bool operator==(const Position&, const Position&) = default;
};

}  // namespace lilith::audit
