#pragma once
// Bounds of limits.hpp that only the commands around agents' settings read.

#include <chrono>
#include <cstddef>

namespace lilith::limits {

// An agent's own settings file, and what `lilith inventory` names of one machine.
inline constexpr std::size_t kSettingsBytesMax = std::size_t{16} * 1024 * 1024;
inline constexpr std::size_t kInventoryUsersMax = 4096;
inline constexpr std::size_t kInventoryServersMax = 10'000;
// How long `lilith doctor` waits for a hook that it tries: the time that agents are told to wait.
inline constexpr std::chrono::milliseconds kDoctorCanaryDeadline{10'000};

}  // namespace lilith::limits
