#include "audit/base/users.hpp"

#include <grp.h>
#include <pwd.h>

namespace lilith {
namespace {

constexpr std::size_t kEntryBytesMax = std::size_t{1024} * 1024;  // groups can be long

// Calls look_up(buffer) with a growing buffer for as long as it is too small (getpwuid_r(3)).
template <class LookUp>
int with_buffer(LookUp look_up) {
  std::string buffer(4096, '\0');
  int error = look_up(buffer);
  while (error == ERANGE && buffer.size() < kEntryBytesMax) {
    buffer.resize(buffer.size() * 4);
    error = look_up(buffer);
  }
  return error;
}

}  // namespace

Result<UserEntry> user_by_id(std::uint32_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  UserEntry user;
  const int error = with_buffer([&](std::string& buffer) {
    const int status = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    if (status == 0 && found != nullptr) user = {entry.pw_name, entry.pw_dir};
    return status;
  });
  if (error != 0) return fail_errno("cannot read the user database", error);
  if (found == nullptr) {
    return fail(ErrorCode::kNotFound,
                "uid " + std::to_string(uid) + " is not in the user database");
  }
  return user;
}

Result<std::uint32_t> group_by_name(const std::string& name) {
  group entry{};
  group* found = nullptr;
  std::uint32_t gid = 0;
  const int error = with_buffer([&](std::string& buffer) {
    const int status = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (status == 0 && found != nullptr) gid = entry.gr_gid;
    return status;
  });
  if (error != 0) return fail_errno("cannot read the group database", error);
  if (found == nullptr) return fail(ErrorCode::kNotFound, "there is no group '" + name + "'");
  return gid;
}

}  // namespace lilith
