#include "crypto/hash.h"

#include "crypto/openssl.h"

#include <sodium.h>

#include <algorithm>

namespace trellis::crypto {

using openssl::algorithms;
using openssl::Owned;
using openssl::uchar;

namespace {

constexpr std::size_t kBlake2sBlock = 64;
constexpr std::size_t kSha1Block = 64;

Owned<EVP_MD_CTX> absorb(const EVP_MD* algorithm, std::initializer_list<ByteView> parts) {
  Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  CHECK(EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1);
  for (const ByteView part : parts) {
    CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  return context;
}

void finish(EVP_MD_CTX* context, MutableByteView target) {
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(context, uchar(target.data()), &size) == 1 && size == target.size());
}

Digest digest(const EVP_MD* algorithm, std::initializer_list<ByteView> parts) {
  Digest result;
  finish(absorb(algorithm, parts).get(), result);
  return result;
}

}  // namespace

Digest blake2s(std::initializer_list<ByteView> parts) {
  return digest(algorithms().blake2s, parts);
}

Bytes<16> blake2s_mac(ByteView key, ByteView data) {
  const Owned<EVP_MAC_CTX> context(EVP_MAC_CTX_new(algorithms().blake2s_mac));
  std::size_t size = 16;
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                   OSSL_PARAM_construct_end()};
  CHECK(EVP_MAC_init(context.get(), uchar(key.data()), key.size(), parameters) == 1);
  CHECK(EVP_MAC_update(context.get(), uchar(data.data()), data.size()) == 1);
  Bytes<16> result{};
  CHECK(EVP_MAC_final(context.get(), uchar(result.data()), &size, result.size()) == 1);
  return result;
}

Digest sha256(ByteView data) {
  Digest result;
  CHECK(crypto_hash_sha256(uchar(result.data()), uchar(data.data()), data.size()) == 0);
  return result;
}

Digest sha3_256(ByteView data) { return digest(algorithms().sha3_256, {data}); }

Bytes<20> hmac_sha1(ByteView key, std::initializer_list<ByteView> parts) {
  Bytes<kSha1Block> inner_pad{};
  if (key.size() > kSha1Block) {
    finish(absorb(algorithms().sha1, {key}).get(), MutableByteView(inner_pad).first(20));
  } else {
    std::copy(key.begin(), key.end(), inner_pad.begin());
  }
  Bytes<kSha1Block> outer_pad = inner_pad;
  for (std::byte& byte : inner_pad) byte ^= std::byte{0x36};
  for (std::byte& byte : outer_pad) byte ^= std::byte{0x5c};
  const auto context = absorb(algorithms().sha1, {inner_pad});
  for (const ByteView part : parts) {
    CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  Bytes<20> result{};
  finish(context.get(), result);
  finish(absorb(algorithms().sha1, {outer_pad, result}).get(), result);
  zeroise(inner_pad);
  zeroise(outer_pad);
  return result;
}

void shake256(std::initializer_list<ByteView> parts, MutableByteView target) {
  const auto context = absorb(algorithms().shake256, parts);
  CHECK(EVP_DigestFinalXOF(context.get(), uchar(target.data()), target.size()) == 1);
}

SymmetricKey hmac_blake2s(ByteView key, std::initializer_list<ByteView> parts) {
  CHECK(key.size() <= kBlake2sBlock);
  Bytes<kBlake2sBlock> inner_pad;
  Bytes<kBlake2sBlock> outer_pad;
  inner_pad.fill(std::byte{0x36});
  outer_pad.fill(std::byte{0x5c});
  for (std::size_t i = 0; i < key.size(); ++i) {
    inner_pad[i] ^= key[i];
    outer_pad[i] ^= key[i];
  }
  const auto context = absorb(algorithms().blake2s, {inner_pad});
  for (const ByteView part : parts) {
    CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  Digest inner;
  finish(context.get(), inner);
  auto result = SymmetricKey::make([&](std::span<std::byte, 32> target) {
    finish(absorb(algorithms().blake2s, {outer_pad, inner}).get(), target);
  });
  zeroise(inner_pad);
  zeroise(outer_pad);
  zeroise(inner);
  return result;
}

namespace {

/// T(n) of HKDF-Expand, from T(n - 1). [RFC 5869 2.3]
SymmetricKey expand(const SymmetricKey& secret, ByteView previous, std::uint8_t n) {
  const Bytes<1> number = {std::byte{n}};
  return hmac_blake2s(secret.expose(), {previous, number});
}

ChainingKey as_chaining_key(const SymmetricKey& key) { return ChainingKey(key.expose()); }

}  // namespace

ChainingKey kdf1(const ChainingKey& key, ByteView input) {
  const SymmetricKey secret = hmac_blake2s(key.expose(), {input});
  return as_chaining_key(expand(secret, {}, 1));
}

Kdf2 kdf2(const ChainingKey& key, ByteView input) {
  const SymmetricKey secret = hmac_blake2s(key.expose(), {input});
  const SymmetricKey first = expand(secret, {}, 1);
  return {as_chaining_key(first), expand(secret, first.expose(), 2)};
}

Kdf3 kdf3(const ChainingKey& key, ByteView input) {
  const SymmetricKey secret = hmac_blake2s(key.expose(), {input});
  const SymmetricKey first = expand(secret, {}, 1);
  SymmetricKey second = expand(secret, first.expose(), 2);
  SymmetricKey third = expand(secret, second.expose(), 3);
  return {as_chaining_key(first), std::move(second), std::move(third)};
}

}  // namespace trellis::crypto
