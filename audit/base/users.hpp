#pragma once
// The user and group databases.
//
// One interface, two bodies, and a program is linked with one of them. users.cpp asks the name
// service (nsswitch.conf(5): files, LDAP, sssd, systemd, ...), which loads shared libraries.
// users_of_files.cpp is for a program without a dynamic loader: it reads /etc/passwd and /etc/group
// and answers only where the name service would answer the same; elsewhere it says kUnavailable,
// and the caller hands over to a program that can ask.

#include "audit/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace lilith {

struct UserEntry {
  std::string name;
  std::string home;
};
// kNotFound: no such user. kIo: the database can't be read.
[[nodiscard]] Result<UserEntry> user_by_id(std::uint32_t uid);
// The group's number. kNotFound: no such group.
[[nodiscard]] Result<std::uint32_t> group_by_name(const std::string& name);

// What users_of_files.cpp does, on texts: `nsswitch` as in nsswitch.conf(5), `passwd` and `group`
// as in passwd(5) and group(5). kUnavailable unless the database is asked of the files first, no
// action follows, and the entry stands in the file behind well-formed lines only.
[[nodiscard]] Result<UserEntry> user_in_files(std::string_view nsswitch, std::string_view passwd,
                                              std::uint32_t uid);
[[nodiscard]] Result<std::uint32_t> group_in_files(std::string_view nsswitch,
                                                   std::string_view group, std::string_view name);

}  // namespace lilith
