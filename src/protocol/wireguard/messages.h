#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/aead.h"

#include <variant>

namespace trellis::wireguard {

/// N bytes and their tag.
template <std::size_t N>
using Sealed = Bytes<N + crypto::kTagSize>;

/// First message, initiator to responder. 148 bytes. [WG 5.4.2]
struct HandshakeInitiation {
  static constexpr std::uint32_t kType = 1;
  le32 type = kType;        // one byte of type, three reserved bytes of zero
  le32 sender;              // index by which the responder shall answer
  Bytes<32> ephemeral{};    // X25519 public key, in the clear
  Sealed<32> static_key{};  // the initiator's X25519 public key
  Sealed<12> timestamp{};   // TAI64N
  Bytes<16> mac1{};
  Bytes<16> mac2{};  // zero unless we hold a cookie
};
static_assert(WireLayout<HandshakeInitiation> && sizeof(HandshakeInitiation) == 148);

/// Second message, responder to initiator. 92 bytes. [WG 5.4.3]
struct HandshakeResponse {
  static constexpr std::uint32_t kType = 2;
  le32 type = kType;
  le32 sender;
  le32 receiver;  // the initiation's sender
  Bytes<32> ephemeral{};
  Sealed<0> empty{};
  Bytes<16> mac1{};
  Bytes<16> mac2{};
};
static_assert(WireLayout<HandshakeResponse> && sizeof(HandshakeResponse) == 92);

/// Instead of an answer, when the receiver is under load. 64 bytes. [WG 5.4.7]
struct CookieReply {
  static constexpr std::uint32_t kType = 3;
  le32 type = kType;
  le32 receiver;
  Bytes<24> nonce{};
  Sealed<16> cookie{};
};
static_assert(WireLayout<CookieReply> && sizeof(CookieReply) == 64);

/// In front of an encrypted inner packet. 16 bytes. [WG 5.4.6]
struct DataHeader {
  static constexpr std::uint32_t kType = 4;
  le32 type = kType;
  le32 receiver;
  le64 counter;
};
static_assert(WireLayout<DataHeader> && sizeof(DataHeader) == 16);

/// A data message as it was found: header, ciphertext, tag.
struct DataMessage {
  DataHeader header;
  std::size_t text_size;  // without header and tag; zero: a keepalive
};

constexpr std::size_t kDataOverhead = sizeof(DataHeader) + crypto::kTagSize;

enum class ParseError { UnknownType, WrongLength };

using Message = std::variant<HandshakeInitiation, HandshakeResponse, CookieReply, DataMessage>;

/// Recognises a datagram by its type word and its length; authenticates nothing. [WG 5.4]
Expected<Message, ParseError> parse(ByteView datagram);

}  // namespace trellis::wireguard
