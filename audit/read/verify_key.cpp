#include "audit/read/verify_key.hpp"

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/number.hpp"
#include "audit/base/signature.hpp"
#include "audit/seal.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>

namespace lilith::audit {
namespace {

constexpr std::string_view kMagic = "lilith-verify-key 1 ";

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// One NAME=VALUE; false for a name that is not known or a value that can't be.
bool take_member(VerifyKey& key, std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view member = word.substr(0, equals), value = word.substr(equals + 1);
  if (member == "epoch" || member == "seq") {
    const auto number = decimal(value);
    if (number) (member == "seq" ? key.seq : key.epoch) = *number;
    return number.has_value();
  }
  for (const auto& [known, into] : {std::pair<std::string_view, std::string*>{"host", &key.host},
                                    {"key", &key.key},
                                    {"public", &key.public_key},
                                    {"chain", &key.chain_id},
                                    {"hash", &key.hash}}) {
    if (member != known) continue;
    *into = value;
    return !value.empty();
  }
  return false;
}

std::optional<VerifyKey> parse_line(std::string_view line) {
  if (!line.starts_with(kMagic)) return std::nullopt;
  line.remove_prefix(kMagic.size());
  VerifyKey key;
  while (!line.empty()) {
    const std::string_view word = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(word.size() + 1, line.size()));
    if (!word.empty() && !take_member(key, word)) return std::nullopt;
  }
  const bool is_first = key.epoch == 0;
  const bool whole = !key.host.empty() && is_hex(key.key, 16) &&
                     is_hex(key.public_key, kPublicKeyHexSize) &&
                     (!is_first || seal_key_id(key.public_key) == key.key);
  return whole ? std::optional(std::move(key)) : std::nullopt;
}

}  // namespace

std::string to_line(const VerifyKey& key) {
  std::string out(kMagic);
  out += "host=" + key.host + " key=" + key.key + " epoch=" + std::to_string(key.epoch) +
         " public=" + key.public_key;
  if (!key.chain_id.empty()) {
    out += " chain=" + key.chain_id + " seq=" + std::to_string(key.seq) + " hash=" + key.hash;
  }
  return out;
}

Result<std::vector<VerifyKey>> parse_verify_keys(std::string_view text, const std::string& file) {
  std::vector<VerifyKey> keys;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    auto key = parse_line(line);
    if (!key) {
      return fail(ErrorCode::kInvalidInput,
                  file + ":" + std::to_string(number) +
                      ": this is no verify key; lilith seal export-verify-key prints them");
    }
    keys.push_back(std::move(*key));
  }
  if (keys.empty()) return fail(ErrorCode::kInvalidInput, file + " has no verify key in it");
  return keys;
}

Result<std::vector<VerifyKey>> read_verify_keys(const std::string& file) {
  const auto text = read_file(file, limits::kVerifyKeyFileBytesMax);
  if (!text) return fail(text.error().code, text.error().message, text.error().os_errno);
  return parse_verify_keys(*text, file);
}

Result<std::vector<VerifyKey>> read_verify_keys(const std::vector<std::string>& places) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& place : places) {
    std::error_code error;
    if (!fs::is_directory(place, error)) {
      files.push_back(place);
      continue;
    }
    std::vector<std::string> inside;
    for (fs::directory_iterator at(place, error), end; !error && at != end; at.increment(error)) {
      const bool hidden = at->path().filename().string().starts_with('.');
      if (std::error_code ignored; !hidden && at->is_regular_file(ignored))
        inside.push_back(at->path());
    }
    if (error)
      return fail(ErrorCode::kIo, "cannot list " + place + ": " + error.message(), error.value());
    if (inside.empty()) return fail(ErrorCode::kInvalidInput, place + " has no file of keys in it");
    std::sort(inside.begin(), inside.end());
    files.insert(files.end(), inside.begin(), inside.end());
  }
  std::vector<VerifyKey> out;
  for (const std::string& file : files) {
    auto keys = read_verify_keys(file);
    if (!keys) return keys;
    out.insert(out.end(), std::make_move_iterator(keys->begin()),
               std::make_move_iterator(keys->end()));
  }
  return out;
}

Result<std::string> file_to_remember_in(const std::vector<std::string>& places) {
  std::error_code ignored;
  if (places.size() == 1 && std::filesystem::is_regular_file(places.front(), ignored))
    return places.front();
  return fail(ErrorCode::kInvalidInput,
              "--remember writes the file of --verify-key: give one file with the lines of all "
              "hosts (cat KEYS/* > FILE)");
}

}  // namespace lilith::audit
