#pragma once

#include "base/random.h"
#include "base/result.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/kem.h"
#include "protocol/rosenpass/drop.h"
#include "protocol/rosenpass/key.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <variant>

namespace trellis::rosenpass {

/// Names an exchange at one of its ends. Random, in the clear.
struct SessionId {
  Bytes<4> bytes{};
  friend auto operator<=>(const SessionId&, const SessionId&) = default;
};

enum class MessageType : std::uint8_t {
  InitHello = 0x81,
  RespHello = 0x82,
  InitConf = 0x83,
  EmptyData = 0x84,
  Data = 0x85,         // reserved; nobody sends it
  CookieReply = 0x86,  // besides us, builds of Rust rosenpass with an experimental feature
};

constexpr std::size_t kMacSize = 16;
constexpr std::size_t kTrailerSize = 32;  // mac, cookie
constexpr std::size_t kSealedPidSize = 32 + crypto::kTagSize;
constexpr std::size_t kBiscuitTextSize = 32 + 12 + 32;  // pid, number, chaining key
constexpr std::size_t kBiscuitSize = 24 + kBiscuitTextSize + crypto::kTagSize;
using Tag = Bytes<crypto::kTagSize>;
using SealedPid = Bytes<kSealedPidSize>;
using SealedBiscuit = Bytes<kBiscuitSize>;

// Views into a datagram, which must outlive them. Sizes follow from the suite. [WP "message types"]
//
//   every message:  type (1), reserved (3), its fields, mac (16), cookie (16)
//
// The mac covers all that stands before it. The cookie is zero unless one was asked for.

/// Initiator to responder. 1092 bytes with mceliece460896pc and Kyber-512.
struct InitHello {
  SessionId sidi{};
  ByteView epki{};  // ephemeral public key
  ByteView sctr{};  // ciphertext for the responder's static key
  SealedPid pidi_ct{};
  Tag auth{};
};

/// Responder to initiator. 1132 bytes.
struct RespHello {
  SessionId sidr{};
  SessionId sidi{};
  ByteView ecti{};  // ciphertext for epki
  ByteView scti{};  // ciphertext for the initiator's static key
  Tag auth{};
  SealedBiscuit biscuit_ct{};  // on the wire behind auth, mixed before it
};

/// Initiator to responder: I have the key. 176 bytes.
struct InitConf {
  SessionId sidi{};
  SessionId sidr{};
  SealedBiscuit biscuit_ct{};
  Tag auth{};
  friend bool operator==(const InitConf&, const InitConf&) = default;
};

/// Responder to initiator: so have I. 64 bytes.
struct EmptyData {
  SessionId sid{};  // sidi
  le64 counter{};
  Tag auth{};
};

/// Responder to initiator: I am busy; show that you are where you say. As long as an InitHello, so
/// that nothing is gained by having it sent elsewhere; the rest is noise. Bears no mac.
struct CookieReply {
  SessionId sid{};  // sidi
  crypto::XNonce nonce{};
  Bytes<16 + crypto::kTagSize> sealed{};
};

using Message = std::variant<InitHello, RespHello, InitConf, EmptyData, CookieReply>;

/// The sizes of all messages for one suite, and their reading and writing.
class Layout {
 public:
  explicit Layout(const crypto::Suite& suite);

  std::size_t init_hello_size() const;
  std::size_t resp_hello_size() const;
  static constexpr std::size_t init_conf_size() { return 4 + 4 + 4 + kBiscuitSize + 16 + 32; }
  static constexpr std::size_t empty_data_size() { return 4 + 4 + 8 + 16 + 32; }

  /// By type byte and exact length: whether a datagram belongs to this protocol. For
  /// demultiplexing.
  bool accepts(ByteView datagram) const;

  /// Fails with UnknownType, WrongLength or Unsupported. Authenticates nothing.
  Expected<Message, Drop> parse(ByteView datagram) const;

  // The whole datagram; its mac is made under `mac_key`, that of the receiver's public key.
  ByteVector write(const InitHello& message, const MacKey& mac_key) const;
  ByteVector write(const RespHello& message, const MacKey& mac_key) const;
  ByteVector write(const InitConf& message, const MacKey& mac_key) const;
  ByteVector write(const EmptyData& message, const MacKey& mac_key) const;
  ByteVector write(const CookieReply& message, Random& noise) const;

 private:
  std::optional<std::size_t> size_of(MessageType type) const;

  crypto::KemSizes static_sizes_;
  crypto::KemSizes ephemeral_sizes_;
};

/// h(MAC, spk of the receiver, all before the mac), its first 16 bytes. Costs 2 us for InitHello.
Bytes<kMacSize> message_mac(const MacKey& mac_key, ByteView before_mac);
/// The mac that a datagram bears, right or not. It has a trailer.
Bytes<kMacSize> mac_of(ByteView datagram);
/// Whether a datagram that `parse` took bears the right mac. Nonsense for a CookieReply.
bool has_valid_mac(ByteView datagram, const MacKey& mac_key);

}  // namespace trellis::rosenpass

template <>
struct std::hash<trellis::rosenpass::SessionId> {
  std::size_t operator()(trellis::rosenpass::SessionId id) const noexcept {
    std::uint32_t value = 0;
    std::memcpy(&value, id.bytes.data(), sizeof value);
    return value;
  }
};
