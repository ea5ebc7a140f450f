#include "protocol/rosenpass/labels.h"

#include "protocol/rosenpass/keyed_hash.h"

#include <string_view>

namespace trellis::rosenpass {
namespace {

/// Names BLAKE2s; the hash is BLAKE2b all the same.
constexpr std::string_view kProtocol =
    "Rosenpass v1 mceliece460896 Kyber512 ChaChaPoly1305 BLAKE2s";

Labels make_labels() {
  const crypto::Digest protocol = keyed_hash(Bytes<32>{}, as_bytes(kProtocol));
  const auto label = [&](std::string_view text) { return keyed_hash(protocol, as_bytes(text)); };
  const crypto::Digest extract = label("chaining key extract");
  const auto extracted = [&](std::string_view text) { return keyed_hash(extract, as_bytes(text)); };
  return Labels{
      .protocol = protocol,
      .mac = label("mac"),
      .peer_id = label("peer id"),
      .biscuit = label("biscuit additional data"),
      .chaining_key_init = label("chaining key init"),
      .mix = extracted("mix"),
      .handshake_encryption = extracted("handshake encryption"),
      .initiator_key = extracted("initiator handshake encryption"),
      .responder_key = extracted("responder handshake encryption"),
      .output_key = keyed_hash_chain(
          extract, {as_bytes("user"), as_bytes("rosenpass.eu"), as_bytes("wireguard psk")}),
  };
}

}  // namespace

const Labels& labels() {
  static const Labels kLabels = make_labels();
  return kLabels;
}

}  // namespace trellis::rosenpass
