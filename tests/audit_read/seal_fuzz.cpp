// What reads the texts of seals: key files, verify keys and checkpoint events, as whoever may write
// a file or send an event can make them. The first byte says which.

#include "audit/codec.hpp"
#include "audit/read/seal_check.hpp"
#include "audit/read/verify_key.hpp"
#include "audit/seal.hpp"
#include "audit/seal_key.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace lilith::audit;

void require(bool held) {
  if (!held) std::abort();
}

void read_key_file(std::string_view text) {
  const auto key = parse_seal_key(text);
  if (!key) return;
  require(text.find(key->first_public_key) != std::string_view::npos);
  require(key->sealed.seq == 0 || text.find(key->checkpoint) != std::string_view::npos);
}

std::vector<VerifyKey> read_keys(std::string_view text) {
  const auto keys = parse_verify_keys(text, "in");
  if (!keys) return {};
  for (const VerifyKey& key : *keys) {
    const auto again = parse_verify_keys(to_line(key), "again");
    require(again && again->size() == 1 && to_line(again->front()) == to_line(key));
  }
  return *keys;
}

void read_checkpoint(std::string_view line) {
  const auto event = decode(line);
  if (!event) return;
  const auto seal = seal_of(*event);
  if (!seal) return;
  Event copy = *event;
  copy.detail.clear();
  put_seal(copy, *seal);
  const auto again = seal_of(copy);
  require(again && again->epoch == seal->epoch && again->first == seal->first &&
          again->counts == seal->counts && again->signature == seal->signature);
  // The signature covers all of it but itself.
  require(signed_text(copy).find(seal->next_public_key) != std::string::npos);
  require(signed_text(copy).find(seal->signature) == std::string::npos);
}

// Verify keys, an empty line, and lines of what arrived. Whatever it is, asking twice gives the
// same, and nothing is said to be sealed that is by no key.
void check(std::string_view text) {
  const std::size_t end = text.find("\n\n");
  if (end == std::string_view::npos) return;
  const auto keys = read_keys(text.substr(0, end));
  text.remove_prefix(end + 2);
  SealCheck seals(keys, SealCheck::Input::kArrived);
  for (std::uint64_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() < text.size() ? line.size() + 1 : text.size());
    seals.whole_line("in", number, line);
  }
  const SealReport report = seals.report();
  const SealReport again = seals.report();
  require(report.findings.size() == again.findings.size() &&
          report.seals.size() == again.seals.size());
  for (std::size_t i = 0; i < report.seals.size(); ++i)
    require(to_text(report.seals[i]) == to_text(again.seals[i]));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'k':
      read_key_file(text);
      break;
    case 'v':
      (void)read_keys(text);
      break;
    case 'c':
      read_checkpoint(text);
      break;
    default:
      check(text);
  }
  return 0;
}
