#include "audit/base/signature.hpp"

#include "audit/base/text.hpp"

#include <sodium.h>

#include <cerrno>
#include <sys/random.h>
#include <utility>

namespace lilith {
namespace {

static_assert(crypto_sign_SEEDBYTES * 2 == kSeedHexSize);
static_assert(crypto_sign_PUBLICKEYBYTES * 2 == kPublicKeyHexSize);
static_assert(crypto_sign_BYTES * 2 == kSignatureHexSize);

// The key pair of a seed. None of this needs sodium_init(): it takes its randomness from the caller
// and dispatches nothing at run time.
class KeyPair {
 public:
  explicit KeyPair(const std::array<unsigned char, 32>& seed) {
    crypto_sign_seed_keypair(public_.data(), secret_.data(), seed.data());
  }
  KeyPair(const KeyPair&) = delete;
  KeyPair& operator=(const KeyPair&) = delete;
  ~KeyPair() { sodium_memzero(secret_.data(), secret_.size()); }

  [[nodiscard]] const auto& public_key() const { return public_; }
  [[nodiscard]] const auto& secret_key() const { return secret_; }

 private:
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> public_{};
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> secret_{};
};

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

template <std::size_t N>
bool from_hex(std::string_view hex, std::array<unsigned char, N>& out) {
  std::size_t size = 0;
  return hex.size() == 2 * N &&
         sodium_hex2bin(out.data(), N, hex.data(), hex.size(), nullptr, &size, nullptr) == 0 &&
         size == N;
}

}  // namespace

SigningKey::SigningKey(SigningKey&& other) noexcept : seed_(other.seed_) { other.wipe(); }
SigningKey& SigningKey::operator=(SigningKey&& other) noexcept {
  if (this != &other) {
    seed_ = other.seed_;
    other.wipe();
  }
  return *this;
}
SigningKey::~SigningKey() { wipe(); }

void SigningKey::wipe() { sodium_memzero(seed_.data(), seed_.size()); }

Result<SigningKey> SigningKey::random() {
  SigningKey key;
  std::size_t have = 0;
  while (have < key.seed_.size()) {
    const ssize_t got = ::getrandom(key.seed_.data() + have, key.seed_.size() - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("the kernel gives no randomness");
    have += static_cast<std::size_t>(got);
  }
  return key;
}

Result<SigningKey> SigningKey::from_seed(std::string_view hex) {
  SigningKey key;
  if (!from_hex(hex, key.seed_)) {
    return fail(ErrorCode::kInvalidInput, "a secret key has 64 hexadecimal characters");
  }
  return key;
}

std::string SigningKey::public_key() const {
  const KeyPair pair(seed_);
  return to_hex(pair.public_key().data(), pair.public_key().size());
}

std::string SigningKey::sign(std::string_view message) const {
  const KeyPair pair(seed_);
  std::array<unsigned char, crypto_sign_BYTES> signature{};
  crypto_sign_detached(signature.data(), nullptr, bytes_of(message), message.size(),
                       pair.secret_key().data());
  return to_hex(signature.data(), signature.size());
}

void SigningKey::append_seed(std::string& out) const {
  std::array<char, kSeedHexSize + 1> hex{};
  sodium_bin2hex(hex.data(), hex.size(), seed_.data(), seed_.size());
  out.append(hex.data(), kSeedHexSize);
  sodium_memzero(hex.data(), hex.size());
}

bool is_signed(std::string_view public_key, std::string_view message, std::string_view signature) {
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> key{};
  std::array<unsigned char, crypto_sign_BYTES> given{};
  return from_hex(public_key, key) && from_hex(signature, given) &&
         crypto_sign_verify_detached(given.data(), bytes_of(message), message.size(), key.data()) ==
             0;
}

void wipe(std::string& secret) {
  secret.resize(secret.capacity());
  sodium_memzero(secret.data(), secret.size());
  secret.clear();
}

}  // namespace lilith
