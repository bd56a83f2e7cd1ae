#pragma once
// Writing kept to certain places by the kernel (landlock(7)), for the calling thread and all that
// it starts.

#include "audit/base/result.hpp"

#include <string>
#include <vector>

namespace lilith::confine {

// What the kernel's Landlock can do: its version, 0 where there is none. 3 and later also keep
// truncation, 6 and later signals.
[[nodiscard]] int landlock_version();

struct WritablePlaces {
  std::vector<std::string> directories;  // everything below: files, directories, links, renames
  std::vector<std::string> new_files;    // below: files are written to and made, nothing goes
  std::vector<std::string> files_only;   // below: what is there may be written to, nothing made
  // Whether no signal reaches another process, where the kernel can do that.
  bool keep_signals = false;
};
// Wants no_new_privs to be set. Places that are not there are an error: what is made later in their
// stead would not be meant. Reading and running programs stay as they are.
[[nodiscard]] Result<void> confine_writes(const WritablePlaces& places);

}  // namespace lilith::confine
