#pragma once
// One settings file of somebody else's program, read and replaced without following links.

#include "audit/base/result.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace lilith::enforcer::setup {

// `relative` below `anchor`. The anchor is taken as it is; below it nothing may be a link.
struct SettingsPlace {
  std::string anchor;
  std::string relative;
  bool of_one_user = true;  // new files 0600 and new directories 0700, else 0644 and 0755

  [[nodiscard]] std::string path() const { return anchor + "/" + relative; }
  [[nodiscard]] SettingsPlace beside(std::string_view suffix) const {
    return {anchor, relative + std::string(suffix), of_one_user};
  }
};

struct SettingsFile {
  bool there = false;
  std::string text;
  mode_t mode = 0;
  uid_t owner = 0;
  gid_t group = 0;
};
// A file that is not there is a value. kInvalidInput with a remedy: a link, no regular file, or one
// with several names; kIo: it can't be read.
[[nodiscard]] Result<SettingsFile> read_settings(const SettingsPlace& place);

// Replaces the file as a whole, with mode and owner of `as_read`; one without a mode, which was not
// there, belongs to the owner of its directory. kIo when the file is no longer as it was read.
[[nodiscard]] Result<void> write_settings(const SettingsPlace& place, const SettingsFile& as_read,
                                          std::string_view text);
// Removes the file, if it is as it was read.
[[nodiscard]] Result<void> remove_settings(const SettingsPlace& place, const SettingsFile& as_read);

}  // namespace lilith::enforcer::setup
