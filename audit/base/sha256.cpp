#include "audit/base/sha256.hpp"

#include "audit/base/text.hpp"

// The functions of one algorithm alone. OpenSSL 3 calls them deprecated in favour of EVP, which
// looks the algorithm up among providers loaded first, at every start of a hook.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <new>
#include <openssl/sha.h>

namespace lilith {
namespace {

static_assert(sizeof(SHA256_CTX) == 112);
static_assert(alignof(SHA256_CTX) <= 8);

template <class Bytes>
SHA256_CTX* state_of(Bytes& memory) {
  return std::launder(reinterpret_cast<SHA256_CTX*>(memory.data()));
}

}  // namespace

// None of the three can fail (SHA256_Init(3): they "return 1 for success", always).
Sha256::Sha256() { SHA256_Init(new (state_.data()) SHA256_CTX); }

Sha256& Sha256::update(std::string_view bytes) {
  SHA256_Update(state_of(state_), bytes.data(), bytes.size());
  return *this;
}

std::array<std::uint8_t, 32> Sha256::finish() {
  std::array<std::uint8_t, 32> digest;
  SHA256_Final(digest.data(), state_of(state_));
  return digest;
}

std::string Sha256::finish_hex() {
  const auto digest = finish();
  return to_hex(digest.data(), digest.size());
}

std::string sha256_hex(std::string_view bytes) { return Sha256().update(bytes).finish_hex(); }

}  // namespace lilith
