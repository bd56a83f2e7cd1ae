#pragma once
// Verify keys: what a verifier knows of the keys of sealed logs. Public; one line of a file for
// each, so that files of many hosts are put together with cat(1).
//   lilith-verify-key 1 host=HOST key=ID epoch=N public=HEX [chain=ID seq=N hash=HEX]

#include "audit/base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::audit {

struct VerifyKey {
  std::string host;
  std::string key;          // 16 hex (audit/seal.hpp)
  std::uint64_t epoch = 0;  // of the public key
  std::string public_key;   // 64 hex
  // The checkpoint that certified this key, where it was verified before; empty: none was.
  std::string chain_id;
  std::uint64_t seq = 0;
  std::string hash;
};

[[nodiscard]] std::string to_line(const VerifyKey& key);  // without LF
// Empty lines and those that begin with # are passed over. kInvalidInput names the line that is
// none.
[[nodiscard]] Result<std::vector<VerifyKey>> parse_verify_keys(std::string_view text,
                                                               const std::string& file);
[[nodiscard]] Result<std::vector<VerifyKey>> read_verify_keys(const std::string& file);
// Of all of them: files, and directories with one or many files in them (hidden ones left out).
[[nodiscard]] Result<std::vector<VerifyKey>> read_verify_keys(
    const std::vector<std::string>& places);
// The one file that can be written anew with what was verified; kInvalidInput where `places` are
// more, or a directory.
[[nodiscard]] Result<std::string> file_to_remember_in(const std::vector<std::string>& places);

}  // namespace lilith::audit
