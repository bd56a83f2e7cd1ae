#include "audit/base/sha256.hpp"

#include "audit/base/text.hpp"

#include <sodium.h>

#include <new>

namespace lilith {
namespace {

static_assert(sizeof(crypto_hash_sha256_state) <= 128);
static_assert(alignof(crypto_hash_sha256_state) <= 8);

crypto_hash_sha256_state* state_of(std::array<std::uint8_t, 128>& memory) {
  return std::launder(reinterpret_cast<crypto_hash_sha256_state*>(memory.data()));
}

}  // namespace

// The hash needs no sodium_init(): it uses neither randomness nor run-time dispatch.
Sha256::Sha256() {
  auto* state = new (state_.data()) crypto_hash_sha256_state;
  crypto_hash_sha256_init(state);
}

Sha256& Sha256::update(std::string_view bytes) {
  crypto_hash_sha256_update(state_of(state_), reinterpret_cast<const unsigned char*>(bytes.data()),
                            bytes.size());
  return *this;
}

std::array<std::uint8_t, 32> Sha256::finish() {
  std::array<std::uint8_t, 32> digest{};
  crypto_hash_sha256_final(state_of(state_), digest.data());
  return digest;
}

std::string Sha256::finish_hex() {
  const auto digest = finish();
  return to_hex(digest.data(), digest.size());
}

std::string sha256_hex(std::string_view bytes) { return Sha256().update(bytes).finish_hex(); }

}  // namespace lilith
