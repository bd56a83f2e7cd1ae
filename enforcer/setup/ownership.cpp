#include "enforcer/setup/ownership.hpp"

#include "audit/base/text.hpp"

#include <filesystem>
#include <sys/stat.h>

namespace lilith::enforcer::setup {

std::string who_else_can_write(const std::string& path, uid_t owner) {
  std::error_code error;
  std::filesystem::path part = std::filesystem::canonical(path, error);
  if (error) return {};
  for (bool file = true;; file = false) {
    struct stat info{};
    if (::stat(part.c_str(), &info) == 0) {
      const std::string text = printable(part.string());
      const bool sticky = !file && (info.st_mode & S_ISVTX) != 0;
      if (info.st_uid != 0 && info.st_uid != owner) {
        return text + " belongs to uid " + std::to_string(info.st_uid);
      }
      if ((info.st_mode & S_IWOTH) != 0 && !sticky) return text + " can be written by everyone";
      if ((info.st_mode & S_IWGRP) != 0 && !sticky && info.st_gid != 0) {
        return text + " can be written by its group";
      }
    }
    if (!part.has_relative_path()) return {};
    part = part.parent_path();
  }
}

}  // namespace lilith::enforcer::setup
