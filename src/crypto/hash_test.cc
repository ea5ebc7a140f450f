#include "crypto/hash.h"

#include "crypto/known_answers_test.h"

#include <gtest/gtest.h>

namespace trellis::crypto {
namespace {

TEST(Hash, Blake2sOfRfc7693) {
  EXPECT_EQ(to_hex(blake2s({as_bytes("abc")})),
            "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}

TEST(Hash, Sha256OfFips180) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, Blake2) {
  for (const KnownAnswer& a : known_answers("blake2.txt", "blake2s")) {
    EXPECT_EQ(to_hex(blake2s({a.at("text")})), to_hex(a.at("digest")));
  }
  for (const KnownAnswer& a : known_answers("blake2.txt", "blake2b")) {
    EXPECT_EQ(to_hex(blake2b(a.at("text"))), to_hex(a.at("digest")));
  }
}

TEST(Hash, KeyedBlake2) {
  for (const KnownAnswer& a : known_answers("blake2.txt", "blake2s mac")) {
    EXPECT_EQ(to_hex(blake2s_mac(a.at("key"), a.at("text"))), to_hex(a.at("digest")));
  }
  for (const KnownAnswer& a : known_answers("blake2.txt", "blake2b keyed")) {
    EXPECT_EQ(to_hex(blake2b_keyed(a.array<32>("key"), a.at("text"))), to_hex(a.at("digest")));
  }
}

TEST(Hash, Sha3) {
  for (const KnownAnswer& a : known_answers("sha3.txt", "sha3_256")) {
    EXPECT_EQ(to_hex(sha3_256(a.at("text"))), to_hex(a.at("digest")));
  }
  for (const KnownAnswer& a : known_answers("sha3.txt", "shake256")) {
    ByteVector digest(a.at("digest").size());
    shake256({a.at("text")}, digest);
    EXPECT_EQ(to_hex(digest), to_hex(a.at("digest")));
  }
}

TEST(Hash, OfPartsIsThatOfTheirConcatenation) {
  const std::string text(300, 'x');
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const ByteView first = as_bytes(text).first(cut);
    const ByteView second = as_bytes(text).subspan(cut);
    EXPECT_EQ(blake2s({first, second}), blake2s({as_bytes(text)}));
    Digest parts;
    Digest whole;
    shake256({first, second}, parts);
    shake256({as_bytes(text)}, whole);
    EXPECT_EQ(parts, whole);
    EXPECT_EQ(to_hex(hmac_blake2s(as_bytes("key"), {first, second}).expose()),
              to_hex(hmac_blake2s(as_bytes("key"), {as_bytes(text)}).expose()));
  }
}

TEST(Hash, HmacBlake2s) {
  for (const KnownAnswer& a : known_answers("kdf.txt", "hmac")) {
    EXPECT_EQ(to_hex(hmac_blake2s(a.at("key"), {a.at("text")}).expose()), to_hex(a.at("digest")));
  }
}

TEST(Hash, KdfOfWireGuard) {
  for (const KnownAnswer& a : known_answers("kdf.txt", "kdf")) {
    const ChainingKey key(a.array<32>("key"));
    const ByteView input = a.at("input");
    EXPECT_EQ(to_hex(kdf1(key, input).expose()), to_hex(a.at("first")));
    const Kdf2 two = kdf2(key, input);
    EXPECT_EQ(to_hex(two.first.expose()), to_hex(a.at("first")));
    EXPECT_EQ(to_hex(two.second.expose()), to_hex(a.at("second")));
    const Kdf3 three = kdf3(key, input);
    EXPECT_EQ(to_hex(three.first.expose()), to_hex(a.at("first")));
    EXPECT_EQ(to_hex(three.second.expose()), to_hex(a.at("second")));
    EXPECT_EQ(to_hex(three.third.expose()), to_hex(a.at("third")));
  }
}

// Both values were also computed with Botan 3.7.1.
TEST(Hash, KeyedHashesThatRosenpassIsMadeOf) {
  Bytes<32> data;
  data.fill(std::byte{0xff});
  // V02: BLAKE2b keyed twice, with HMAC's pads as keys.
  Bytes<32> inner_key;
  Bytes<32> outer_key;
  inner_key.fill(std::byte{0x36});  // the key is zero
  outer_key.fill(std::byte{0x5c});
  EXPECT_EQ(to_hex(blake2b_keyed(outer_key, blake2b_keyed(inner_key, data))),
            "0598878d976a9308dc5f26421d210368fa7283771b383b2c0b43e67170145067");
  // V03: SHAKE256 of key and data.
  Digest digest;
  shake256({Bytes<32>{}, data}, digest);
  EXPECT_EQ(to_hex(digest), "ae042fbc01e4b3f6432bff5e9b0bbba1266ed917043eac1edabbf950ab1591ee");
}

// [RFC 2202 3, cases 1, 2 and 6]
TEST(Hash, HmacSha1GivesTheAnswersOfRfc2202) {
  const ByteVector key(20, std::byte{0x0b});
  EXPECT_EQ(to_hex(hmac_sha1(key, {as_bytes("Hi "), as_bytes("There")})),
            "b617318655057264e28bc0b6fb378c8ef146be00");
  EXPECT_EQ(to_hex(hmac_sha1(as_bytes("Jefe"), {as_bytes("what do ya want for nothing?")})),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  const ByteVector longer_than_a_block(80, std::byte{0xaa});
  EXPECT_EQ(to_hex(hmac_sha1(longer_than_a_block,
                             {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")})),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

TEST(Hash, HmacSha1TakesAnEmptyKey) {
  EXPECT_EQ(to_hex(hmac_sha1({}, {})), "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

}  // namespace
}  // namespace trellis::crypto
