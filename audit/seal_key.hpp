#pragma once
// The key of a sealed log: one file of mode 0600, a secret that is replaced with each checkpoint,
// and what the next writer must know of the last one. docs/seals.md has the form, the order of
// writes, and what a crash between two of them loses.
//
// Whoever evolves a key holds the lock of its log.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "audit/base/signature.hpp"
#include "audit/log_state.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lilith::audit {

// All of the file but the secret.
struct SealKey {
  std::string host, log;         // whom it belongs to; another's is refused
  std::string first_public_key;  // of epoch 0: what verifiers know
  std::uint64_t epoch = 0;       // of the secret: that of the next checkpoint
  Head sealed;                   // the last checkpoint; seq 0: none yet
  WallTime sealed_at{};
  std::string checkpoint;  // its line without LF, which a crash may keep out of the log
};
struct SecretSealKey {
  SealKey key;
  SigningKey secret;
};

// kNotFound when there is none; kInvalidInput when it is no key, belongs to another host or log, or
// can be read by others. The message has the remedy.
[[nodiscard]] Result<SealKey> read_seal_key(const std::string& path, std::string_view host,
                                            std::string_view log);
[[nodiscard]] Result<SecretSealKey> load_seal_key(const std::string& path, std::string_view host,
                                                  std::string_view log);
// The content of such a file; nullopt for any other.
[[nodiscard]] std::optional<SealKey> parse_seal_key(std::string_view text);
// Whoever it belongs to.
[[nodiscard]] Result<SealKey> any_seal_key(const std::string& path);

// A new key at epoch 0. kInvalidInput when the file exists: nobody overwrites a key. Root gives the
// file to the owner of its directory.
[[nodiscard]] Result<SealKey> create_seal_key(const std::string& path, const std::string& host,
                                              const std::string& log);
// Replaces the file, durably, and then overwrites what the old secret's file held.
[[nodiscard]] Result<void> evolve_seal_key(const std::string& path, const SealKey& key,
                                           const SigningKey& secret);

}  // namespace lilith::audit
