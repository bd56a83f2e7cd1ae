#include "audit/base/sha256.hpp"

#include <gtest/gtest.h>

namespace lilith {
namespace {

// FIPS 180-4 examples (NIST, SHA256.pdf).
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, DoesNotDependOnHowTheTextIsCut) {
  const std::string text(1000, 'x');
  for (std::size_t cut = 0; cut <= text.size(); cut += 37) {
    EXPECT_EQ(Sha256().update(text.substr(0, cut)).update(text.substr(cut)).finish_hex(),
              sha256_hex(text));
  }
}

}  // namespace
}  // namespace lilith
