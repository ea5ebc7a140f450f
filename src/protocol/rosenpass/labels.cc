#include "protocol/rosenpass/labels.h"

#include "protocol/rosenpass/keyed_hash.h"

#include <array>
#include <string_view>

namespace trellis::rosenpass {
namespace {

/// The first names BLAKE2s; the hash is BLAKE2b all the same.
constexpr std::string_view protocol_name(Version version) {
  return version == Version::V02 ? "Rosenpass v1 mceliece460896 Kyber512 ChaChaPoly1305 BLAKE2s"
                                 : "Rosenpass v1 mceliece460896 Kyber512 ChaChaPoly1305 SHAKE256";
}

Labels make_labels(Version version) {
  const crypto::Digest protocol =
      keyed_hash(version, Bytes<32>{}, as_bytes(protocol_name(version)));
  const auto label = [&](std::string_view text) {
    return keyed_hash(version, protocol, as_bytes(text));
  };
  const crypto::Digest extract = label("chaining key extract");
  const auto extracted = [&](std::string_view text) {
    return keyed_hash(version, extract, as_bytes(text));
  };
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
      .output_key =
          keyed_hash_chain(version, extract,
                           {as_bytes("user"), as_bytes("rosenpass.eu"), as_bytes("wireguard psk")}),
      .cookie = label("cookie"),
      .cookie_value = label("cookie-value"),
      .cookie_key = label("cookie-key"),
  };
}

}  // namespace

const Labels& labels(Version version) {
  static const std::array<Labels, kVersions> kLabels{make_labels(Version::V02),
                                                     make_labels(Version::V03)};
  return kLabels[static_cast<std::size_t>(version)];
}

crypto::Digest output_label(Version version, std::string_view organization,
                            const std::vector<std::string>& purpose) {
  crypto::Digest digest = keyed_hash_chain(
      version, labels(version).protocol,
      {as_bytes("chaining key extract"), as_bytes("user"), as_bytes(organization)});
  for (const std::string& word : purpose) digest = keyed_hash(version, digest, as_bytes(word));
  return digest;
}

}  // namespace trellis::rosenpass
