#include "protocol/rosenpass/keyed_hash.h"

namespace trellis::rosenpass {
namespace {

constexpr std::byte kInnerPad{0x36};
constexpr std::byte kOuterPad{0x5c};

Bytes<32> masked(std::span<const std::byte, 32> key, std::byte pad) {
  Bytes<32> result;
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = key[i] ^ pad;
  return result;
}

crypto::Digest twice_blake2b(std::span<const std::byte, 32> key, ByteView data) {
  Bytes<32> mask = masked(key, kInnerPad);
  crypto::Digest inner = crypto::blake2b_keyed(mask, data);
  mask = masked(key, kOuterPad);
  const crypto::Digest result = crypto::blake2b_keyed(mask, inner);
  zeroise(mask);
  zeroise(inner);
  return result;
}

}  // namespace

crypto::Digest keyed_hash(Version version, std::span<const std::byte, 32> key, ByteView data) {
  if (version == Version::V02) return twice_blake2b(key, data);
  crypto::Digest result;
  crypto::shake256({key, data}, result);
  return result;
}

crypto::ChainingKey keyed_hash_secret(Version version, std::span<const std::byte, 32> key,
                                      ByteView data) {
  crypto::Digest digest = keyed_hash(version, key, data);
  crypto::ChainingKey result(digest);
  zeroise(digest);
  return result;
}

crypto::Digest keyed_hash_chain(Version version, std::span<const std::byte, 32> key,
                                std::initializer_list<ByteView> parts) {
  crypto::Digest digest = to_array<32>(key);
  for (const ByteView part : parts) digest = keyed_hash(version, digest, part);
  return digest;
}

}  // namespace trellis::rosenpass
