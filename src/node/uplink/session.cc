#include "node/uplink/session.h"

#include "crypto/x25519.h"

#include <algorithm>

namespace trellis::uplink {

namespace {

constexpr std::size_t kPrintableMax = 400;

}  // namespace

Shared::Shared(Identity the_identity, Options the_options, Random& the_random)
    : identity(std::move(the_identity)),
      own(crypto::public_key(identity.wireguard)),
      options(std::move(the_options)),
      random(the_random),
      map(std::move(options.map)),
      map_server(options.server_key) {
  options.map.reset();
}

const netmap::MapPeer* Shared::find_peer(const crypto::PublicKey& key) const {
  if (!map) return nullptr;
  const auto found = std::lower_bound(
      map->peers.begin(), map->peers.end(), key,
      [](const netmap::MapPeer& peer, const auto& wanted) { return peer.wireguard_key < wanted; });
  return found != map->peers.end() && found->wireguard_key == key ? &*found : nullptr;
}

std::string printable(std::string_view text) {
  std::string result(text.substr(0, kPrintableMax));
  for (char& character : result) {
    if (character < ' ' || character > '~') character = '?';
  }
  if (text.size() > kPrintableMax) result += "...";
  return result;
}

std::string describe(const grpc::Status& status) {
  const std::string code(name_of(status.code));
  if (status.message.empty()) return code;
  return printable(status.message) + " (" + code + ")";
}

}  // namespace trellis::uplink
