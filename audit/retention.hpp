#pragma once
// Which rotated files of a log may go, and how much room is left; for log.cpp only.

#include "audit/base/result.hpp"
#include "audit/log.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lilith::audit {

// Bytes of all rotated files.
[[nodiscard]] Result<std::uint64_t> rotated_bytes(const std::string& log);

// Deletes rotated files beyond options.rotate_keep, oldest first, up to the first that a sink of
// options.shipper_state has not delivered. `chain_id` is that of the log now. A file that can't be
// deleted stays, and so do those after it.
void delete_beyond_keep(const LogOptions& options, std::string_view chain_id);

// Deletes delivered files, oldest first, until `enough` bytes are freed or there are no more of
// them; returns the bytes. Without a shipper nothing is known to be delivered.
std::uint64_t delete_delivered(const LogOptions& options, std::string_view chain_id,
                               std::uint64_t enough);

// What the user may still write to the file system of `fd`; all of it where that is not known.
[[nodiscard]] std::uint64_t free_bytes(int fd);

}  // namespace lilith::audit
