#include "audit/base/signature.hpp"

#include <gtest/gtest.h>

namespace lilith {
namespace {

struct Vector {
  const char* secret;
  const char* public_key;
  std::string message;
  const char* signature;
};

// RFC 8032 section 7.1, tests 1 and 2.
const Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c387b2eaeb4302aeeb00d291612bb0c00"},
};

TEST(Signature, IsThatOfTheStandard) {
  for (const Vector& vector : kVectors) {
    const auto key = SigningKey::from_seed(vector.secret);
    ASSERT_TRUE(key);
    EXPECT_EQ(key->public_key(), vector.public_key);
    EXPECT_EQ(key->sign(vector.message), vector.signature);
    EXPECT_TRUE(is_signed(vector.public_key, vector.message, vector.signature));
  }
}

TEST(Signature, HoldsForNoOtherMessageKeyOrSignature) {
  const Vector& good = kVectors[1];
  EXPECT_FALSE(is_signed(good.public_key, good.message + "x", good.signature));
  EXPECT_FALSE(is_signed(kVectors[0].public_key, good.message, good.signature));
  std::string other = good.signature;
  other[5] = other[5] == '0' ? '1' : '0';
  EXPECT_FALSE(is_signed(good.public_key, good.message, other));
  EXPECT_FALSE(is_signed(good.public_key, good.message, ""));
  EXPECT_FALSE(is_signed("", good.message, good.signature));
  EXPECT_FALSE(is_signed(std::string(64, 'g'), good.message, good.signature));
}

TEST(SigningKey, IsAnotherEachTimeAndComesBackFromItsSeed) {
  const auto one = SigningKey::random(), two = SigningKey::random();
  ASSERT_TRUE(one && two);
  EXPECT_NE(one->public_key(), two->public_key());
  std::string seed;
  one->append_seed(seed);
  EXPECT_EQ(SigningKey::from_seed(seed).value().public_key(), one->public_key());
  for (const std::string& bad : {std::string(), seed + "0", std::string(64, 'x')}) {
    EXPECT_FALSE(SigningKey::from_seed(bad)) << bad;
  }
}

TEST(Wipe, LeavesNothingInTheMemoryOfAString) {
  std::string secret = "a secret that is longer than what a string holds in itself";
  const char* at = secret.data();
  const std::size_t capacity = secret.capacity();
  wipe(secret);
  EXPECT_TRUE(secret.empty());
  secret.resize(capacity);
  EXPECT_EQ(secret.data(), at);
  EXPECT_EQ(secret, std::string(capacity, '\0'));
}

}  // namespace
}  // namespace lilith
