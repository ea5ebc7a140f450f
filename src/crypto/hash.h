#pragma once

#include "crypto/keys.h"

#include <initializer_list>

namespace trellis::crypto {

using Digest = Bytes<32>;

/// BLAKE2s-256 of the parts, one after the other. [RFC 7693]
Digest blake2s(std::initializer_list<ByteView> parts);
/// Keyed BLAKE2s with a 16-byte digest: WireGuard's Mac(). `key` has 1 to 32 bytes. [WG 5.4]
Bytes<16> blake2s_mac(ByteView key, ByteView data);
/// Keyed BLAKE2b with a 32-byte key and a 32-byte digest.
Digest blake2b_keyed(std::span<const std::byte, 32> key, ByteView data);
/// BLAKE2b-256 without a key.
Digest blake2b(ByteView data);
Digest sha256(ByteView data);
Digest sha3_256(ByteView data);
void shake256(std::initializer_list<ByteView> parts, MutableByteView target);

/// HMAC-SHA1, for STUN alone. [RFC 8489 14.5, RFC 2104]
Bytes<20> hmac_sha1(ByteView key, std::initializer_list<ByteView> parts);

/// HMAC-BLAKE2s. [WG 5.4, RFC 2104]
SymmetricKey hmac_blake2s(ByteView key, std::initializer_list<ByteView> parts);

/// KDF_n of WireGuard: HKDF with HMAC-BLAKE2s. [WG 5.4]
struct Kdf2 {
  ChainingKey first;
  SymmetricKey second;
};
struct Kdf3 {
  ChainingKey first;
  SymmetricKey second;
  SymmetricKey third;
};
ChainingKey kdf1(const ChainingKey& key, ByteView input);
Kdf2 kdf2(const ChainingKey& key, ByteView input);
Kdf3 kdf3(const ChainingKey& key, ByteView input);

}  // namespace trellis::crypto
