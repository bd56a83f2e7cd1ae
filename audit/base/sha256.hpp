#pragma once
// SHA-256 (FIPS 180-4) by libsodium.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lilith {

class Sha256 {
 public:
  Sha256();
  Sha256& update(std::string_view bytes);
  [[nodiscard]] std::array<std::uint8_t, 32> finish();
  [[nodiscard]] std::string finish_hex();  // 64 lower-case hex characters

 private:
  alignas(
      8) std::array<std::uint8_t, 128> state_{};  // crypto_hash_sha256_state, checked in the .cpp
};

[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace lilith
