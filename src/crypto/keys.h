#pragma once

#include "base/bytes.h"
#include "base/secret.h"

#include <compare>
#include <functional>
#include <string_view>

namespace trellis::crypto {

using PrivateKey = SecretBytes<struct PrivateKeyTag, 32>;      // X25519
using SharedSecret = SecretBytes<struct SharedSecretTag, 32>;  // of a Diffie-Hellman or a KEM
using PresharedKey = SecretBytes<struct PresharedKeyTag, 32>;  // of a WireGuard peer
using SymmetricKey = SecretBytes<struct SymmetricKeyTag, 32>;  // of an AEAD
using ChainingKey = SecretBytes<struct ChainingKeyTag, 32>;    // of a running handshake
static_assert(!std::is_constructible_v<PresharedKey, const PrivateKey&>);

/// X25519. A plain value.
struct PublicKey {
  Bytes<32> bytes{};
  friend auto operator<=>(const PublicKey&, const PublicKey&) = default;
};

/// Compares in constant time; false if the lengths differ.
bool equal(ByteView a, ByteView b);

}  // namespace trellis::crypto

template <>
struct std::hash<trellis::crypto::PublicKey> {
  std::size_t operator()(const trellis::crypto::PublicKey& key) const noexcept {
    return std::hash<std::string_view>{}(
        std::string_view(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size()));
  }
};
