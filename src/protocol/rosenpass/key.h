#pragma once

#include "base/result.h"
#include "crypto/hash.h"
#include "crypto/kem.h"
#include "protocol/rosenpass/version.h"

#include <string>

namespace trellis::rosenpass {

/// A peer is named by the hash of its public key. Plain, orders as bytes.
struct PeerHash {
  Bytes<32> bytes{};
  friend auto operator<=>(const PeerHash&, const PeerHash&) = default;
};

/// What an exchange hands out: 32 bytes that only the two ends know.
using OutputKey = SecretBytes<struct OutputKeyTag, 32>;
/// The optional second secret of a pair that goes into each exchange. All zero if there is none.
using ExchangePsk = SecretBytes<struct ExchangePskTag, 32>;

/// pid = h(PID, spk): the name of a public key. Hashes the whole key (0.6 ms, V03 1.3 ms).
PeerHash peer_hash(ByteView public_key, Version version = Version::V02);

/// Makes the mac of what goes to one public key.
struct MacKey {
  Version version = Version::V02;
  crypto::Digest key{};  // h(MAC, spk)
};

/// Everything that depends on a public key alone: hashes of half a megabyte each, so they are made
/// once. No secret. Wrong ones harm nobody but the peer: no exchange with it succeeds.
struct KeyDigests {
  PeerHash pid;                  // h(PID, spk)
  crypto::Digest initial_chain;  // h(CKI, spk)
  crypto::Digest mac;            // h(MAC, spk)
  crypto::Digest biscuit_chain;  // h(BAD, spk)
  friend bool operator==(const KeyDigests&, const KeyDigests&) = default;
};
KeyDigests make_digests(ByteView public_key, Version version);

/// A static public key and its digests. `bytes` stays with the caller (a mapped file) and must
/// outlive this.
struct StaticPublicKey {
  explicit StaticPublicKey(ByteView key, Version version = Version::V02);
  /// `digests` were made of the same key in that version.
  StaticPublicKey(ByteView key, Version version, const KeyDigests& digests);

  KeyDigests digests() const { return {pid, initial_chain, mac_key.key, biscuit_chain}; }

  ByteView bytes;
  Version version;
  PeerHash pid;
  crypto::Digest initial_chain;
  MacKey mac_key;
  crypto::Digest biscuit_chain;
};

/// Our own static keys. `public_key` stays with the caller and must outlive the node.
struct OwnKeys {
  ByteView public_key;
  SecretBuffer secret_key;  // in the form of the suite's KEM, see `normalise_secret_key`
};

/// A secret key as files hold it, in the form that the suite's static KEM wants. McEliece 460896
/// has two forms: 13608 bytes, taken as they are, and 13568 (liboqs 0.8, what stock Rosenpass
/// writes), which lacks seed and pivots and has another order. The error names the sizes.
Result<SecretBuffer> normalise_secret_key(const crypto::Suite& suite, ByteView key);
/// A McEliece secret key of 13608 bytes in the form of 13568 that stock Rosenpass reads.
SecretBuffer rust_form(ByteView key);

}  // namespace trellis::rosenpass

template <>
struct std::hash<trellis::rosenpass::PeerHash> {
  std::size_t operator()(const trellis::rosenpass::PeerHash& pid) const noexcept {
    std::size_t value = 0;  // a prefix of a hash is a hash
    std::memcpy(&value, pid.bytes.data(), sizeof value);
    return value;
  }
};
