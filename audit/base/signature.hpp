#pragma once
// Ed25519 signatures (RFC 8032) by libsodium, and secrets that are wiped when they are done with.

#include "audit/base/result.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lilith {

inline constexpr std::size_t kPublicKeyHexSize = 64;
inline constexpr std::size_t kSeedHexSize = 64;
inline constexpr std::size_t kSignatureHexSize = 128;

// One secret key, held as its seed of 32 bytes. Its memory is overwritten when it goes.
class SigningKey {
 public:
  // kIo when the kernel gives no randomness.
  [[nodiscard]] static Result<SigningKey> random();
  // kInvalidInput for anything but 64 hex characters.
  [[nodiscard]] static Result<SigningKey> from_seed(std::string_view hex);
  SigningKey(SigningKey&& other) noexcept;
  SigningKey& operator=(SigningKey&& other) noexcept;
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;
  ~SigningKey();

  [[nodiscard]] std::string public_key() const;                    // 64 lower-case hex
  [[nodiscard]] std::string sign(std::string_view message) const;  // 128 lower-case hex
  void append_seed(std::string& out) const;  // 64 lower-case hex; the caller wipes `out`

 private:
  SigningKey() = default;
  void wipe();

  std::array<unsigned char, 32> seed_{};
};

// Whether `signature` (128 hex) over `message` was made with the secret of `public_key` (64 hex).
[[nodiscard]] bool is_signed(std::string_view public_key, std::string_view message,
                             std::string_view signature);

// Overwrites all that the string has allocated, and empties it. What it held before it last grew is
// out of reach: reserve first.
void wipe(std::string& secret);

}  // namespace lilith
