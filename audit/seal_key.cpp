#include "audit/seal_key.hpp"

#include "audit/base/file.hpp"
#include "audit/base/number.hpp"
#include "audit/base/text.hpp"
#include "audit/codec.hpp"

#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace lilith::audit {
namespace {

constexpr std::string_view kMagic = "lilith-seal-key 1";
constexpr std::string_view kHost = "host ", kLog = "log ", kFirst = "first ", kEpoch = "epoch ",
                           kSealedAt = "sealed_at ", kCheckpoint = "checkpoint ",
                           kSecret = "secret ";
constexpr std::size_t kFileBytesMax = limits::kEventLineBytesMax + 2 * limits::kPathBytesMax;
constexpr unsigned kMode = 0600;
constexpr std::uint64_t kLastMicros =
    253'402'300'799'999'999;  // of the year 9999, as RFC 3339 ends

// A text that is overwritten at the end of its life.
struct Wiped {
  std::string text;
  Wiped() = default;
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  ~Wiped() { wipe(text); }
};

// Takes the line that begins with `word`; nullopt when the next one does not.
std::optional<std::string_view> take(std::string_view& text, std::string_view word) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(word)) return std::nullopt;
  const std::string_view value = text.substr(word.size(), end - word.size());
  text.remove_prefix(end + 1);
  return value;
}

// The checkpoint's place in the chain, from its line.
bool take_checkpoint(SealKey& key, std::string_view line, std::string_view micros) {
  const auto at = decimal(micros);
  const auto fields = chain_fields(line);
  if (!at || *at > kLastMicros || !fields) return false;
  key.checkpoint = line;
  key.sealed = {std::string(fields->id), std::string(fields->hash), fields->seq};
  key.sealed_at = WallTime(std::chrono::microseconds(*at));
  return true;
}

std::optional<SealKey> parse(std::string_view text, std::string_view& secret) {
  SealKey key;
  const auto magic = take(text, kMagic);
  const auto host = take(text, kHost), log = take(text, kLog), first = take(text, kFirst);
  const auto epoch = take(text, kEpoch);
  const auto count = epoch ? decimal(*epoch) : std::nullopt;
  if (!magic || !magic->empty() || !host || !log || !first || !count) return std::nullopt;
  if (first->size() != kPublicKeyHexSize) return std::nullopt;
  key.host = *host;
  key.log = *log;
  key.first_public_key = *first;
  key.epoch = *count;
  if (text.starts_with(kSealedAt)) {
    const auto at = take(text, kSealedAt), line = take(text, kCheckpoint);
    if (!at || !line || !take_checkpoint(key, *line, *at)) return std::nullopt;
  }
  const auto seed = take(text, kSecret);
  if (!seed || seed->size() != kSeedHexSize || !text.empty()) return std::nullopt;
  secret = *seed;
  return key;
}

void put_key(std::string& out, const SealKey& key, const SigningKey& secret) {
  out.reserve(kFileBytesMax);
  out.append(kMagic).append("\n");
  out.append(kHost).append(key.host).append("\n").append(kLog).append(key.log).append("\n");
  out.append(kFirst).append(key.first_public_key).append("\n");
  out.append(kEpoch).append(std::to_string(key.epoch)).append("\n");
  if (key.sealed.seq != 0) {
    const auto at =
        std::chrono::duration_cast<std::chrono::microseconds>(key.sealed_at.time_since_epoch());
    out.append(kSealedAt).append(std::to_string(at.count())).append("\n");
    out.append(kCheckpoint).append(key.checkpoint).append("\n");
  }
  out.append(kSecret);
  secret.append_seed(out);
  out.append("\n");
}

std::unexpected<Error> unusable(ErrorCode code, const std::string& path, const std::string& why,
                                int os_errno = 0) {
  return fail(code, "the log can't be sealed: " + path + " " + why, os_errno);
}

Result<void> read_checked(const std::string& path, std::string& text) {
  const UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK));
  if (!fd.valid()) {
    const int error = errno;
    if (error == ENOENT) {
      return unusable(ErrorCode::kNotFound, path, "does not exist; lilith seal init makes it",
                      error);
    }
    return unusable(ErrorCode::kIo, path,
                    std::string("can't be opened: ") + std::strerror(error) +
                        "; it must belong to the user who writes the log",
                    error);
  }
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno("cannot look at " + path);
  if (!S_ISREG(info.st_mode)) return unusable(ErrorCode::kInvalidInput, path, "is no file");
  if ((info.st_mode & 077U) != 0) {
    return unusable(ErrorCode::kInvalidInput, path,
                    "can be read or written by others; after chmod 600 begin a new key, since "
                    "others may have this one");
  }
  text.reserve(kFileBytesMax);
  text.resize(static_cast<std::size_t>(info.st_size) > kFileBytesMax
                  ? 0
                  : static_cast<std::size_t>(info.st_size));
  const ssize_t got = ::pread(fd.get(), text.data(), text.size(), 0);
  if (got < 0) return fail_errno("cannot read " + path);
  text.resize(static_cast<std::size_t>(got));
  return {};
}

Result<SealKey> read_any(const std::string& path, std::string& text, std::string_view& secret) {
  if (auto read = read_checked(path, text); !read) return pass_error(read);
  auto key = parse(text, secret);
  if (!key) {
    return unusable(ErrorCode::kInvalidInput, path,
                    "is no seal key of this version; move it away and begin a new one with lilith "
                    "seal init");
  }
  return std::move(*key);
}

Result<void> check_owner(const SealKey& key, const std::string& path, std::string_view host,
                         std::string_view log) {
  const auto foreign = [&](std::string_view what, std::string_view whose, std::string_view ours) {
    return unusable(ErrorCode::kInvalidInput, path,
                    "belongs to the " + std::string(what) + " " + printable(whose) +
                        ", and this is " + printable(ours) +
                        "; move it away and begin a new key with lilith seal init");
  };
  if (key.host != host) return foreign("host", key.host, host);
  if (key.log != log) return foreign("log", key.log, log);
  return {};
}

// Best effort, as far as the file system writes in place (docs/seals.md).
void overwrite(int fd) {
  struct stat info{};
  if (fd < 0 || ::fstat(fd, &info) != 0 || info.st_size <= 0) return;
  const std::string zeros(static_cast<std::size_t>(info.st_size), '\0');
  if (::pwrite(fd, zeros.data(), zeros.size(), 0) == static_cast<ssize_t>(zeros.size())) {
    ::fdatasync(fd);
  }
}

// What a crash left of a replacement: a key that nobody may use any more.
void drop_leftover(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY));
  overwrite(fd.get());
  ::unlink(path.c_str());
}

// A new file with the key in it, on the disk. `owner`: whose it is to be; only root can give it
// away.
Result<void> write_new(const std::string& path, const SealKey& key, const SigningKey& secret,
                       const struct stat& owner) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, kMode));
  if (!fd.valid()) return fail_errno("cannot create " + path);
  if (::geteuid() == 0 && ::fchown(fd.get(), owner.st_uid, owner.st_gid) != 0) {
    return fail_errno("cannot give " + path + " to its owner");
  }
  Wiped bytes;
  put_key(bytes.text, key, secret);
  auto written = write_all(fd.get(), bytes.text);
  if (written && ::fsync(fd.get()) != 0) written = fail_errno("cannot sync " + path);
  return written;
}

}  // namespace

std::optional<SealKey> parse_seal_key(std::string_view text) {
  std::string_view secret;
  return parse(text, secret);
}

Result<SealKey> any_seal_key(const std::string& path) {
  Wiped bytes;
  std::string_view secret;
  return read_any(path, bytes.text, secret);
}

Result<SealKey> read_seal_key(const std::string& path, std::string_view host,
                              std::string_view log) {
  auto key = any_seal_key(path);
  if (!key) return key;
  if (auto ours = check_owner(*key, path, host, log); !ours) return pass_error(ours);
  return key;
}

Result<SecretSealKey> load_seal_key(const std::string& path, std::string_view host,
                                    std::string_view log) {
  Wiped bytes;
  std::string_view seed;
  auto key = read_any(path, bytes.text, seed);
  if (!key) return pass_error(key);
  if (auto ours = check_owner(*key, path, host, log); !ours) return pass_error(ours);
  auto secret = SigningKey::from_seed(seed);
  if (!secret) {
    return unusable(ErrorCode::kInvalidInput, path, "has no usable secret in it");
  }
  return SecretSealKey{std::move(*key), std::move(*secret)};
}

Result<SealKey> create_seal_key(const std::string& path, const std::string& host,
                                const std::string& log) {
  const std::string directory = directory_of(path);
  struct stat owner{};
  if (::stat(directory.c_str(), &owner) != 0) return fail_errno("cannot look at " + directory);
  auto secret = SigningKey::random();
  if (!secret) return pass_error(secret);
  SealKey key;
  key.host = host;
  key.log = log;
  key.first_public_key = secret->public_key();
  if (auto made = write_new(path, key, *secret, owner); !made) {
    if (made.error().os_errno == EEXIST) {
      return fail(ErrorCode::kInvalidInput,
                  path +
                      " exists: a key is never overwritten. To begin a new one, move it away, "
                      "and give verifiers the new verify key",
                  EEXIST);
    }
    return pass_error(made);
  }
  if (auto synced = sync_directory(directory); !synced) return pass_error(synced);
  return key;
}

Result<void> evolve_seal_key(const std::string& path, const SealKey& key,
                             const SigningKey& secret) {
  const std::string next = path + ".next";
  const UniqueFd old(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY));
  struct stat owner{};
  if (!old.valid() || ::fstat(old.get(), &owner) != 0) return fail_errno("cannot open " + path);
  drop_leftover(next);
  auto written = write_new(next, key, secret, owner);
  if (written && ::rename(next.c_str(), path.c_str()) != 0) {
    written = fail_errno("cannot rename " + next + " to " + path);
  }
  if (!written) {
    drop_leftover(next);
    return written;
  }
  // Only when the new one will be found after a crash may the old one be lost.
  if (auto synced = sync_directory(directory_of(path)); !synced) return synced;
  overwrite(old.get());
  return {};
}

}  // namespace lilith::audit
