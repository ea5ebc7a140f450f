// peers.toml, as somebody wrote it. What is accepted keeps the rules that the rest relies on; what
// is not is refused with its line and column, in words that a terminal shows as they are.

#include "node/netmap/peers_file.h"

#include "input.h"

#include <algorithm>
#include <cctype>

namespace trellis::fuzz {
namespace {

using namespace netmap;

/// "line L, column C: ..." with numbers from 1.
bool names_a_place(std::string_view message) {
  for (const std::string_view word : {"line ", "column "}) {
    if (!message.starts_with(word)) return false;
    message.remove_prefix(word.size());
    const std::size_t digits = std::min(message.find_first_not_of("0123456789"), message.size());
    if (digits == 0 || message.front() == '0') return false;
    message.remove_prefix(digits);
    if (!message.starts_with(word == "line " ? ", " : ": ")) return false;
    message.remove_prefix(2);
  }
  return !message.empty();
}

void check_error(std::string_view message) {
  CHECK(names_a_place(message));
  CHECK(std::none_of(message.begin(), message.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
}

void check_accepted(const PeersFile& file, const crypto::PublicKey& own_key) {
  CHECK(!file.host.name.empty() && !file.host.addresses.empty());
  std::vector<Prefix> taken;
  for (const PeerSection& peer : file.peers) {
    CHECK(peer.wireguard_key != own_key && !peer.addresses.empty());
    CHECK(file.host.mode == Mode::Permissive || !peer.rosenpass_key.empty());
    CHECK(!peer.endpoint || peer.endpoint->port != 0);
    for (const Prefix& prefix : peer.addresses) {
      const auto holds = [&](const InterfaceAddress& own) {
        return own.network().contains(prefix.address()) && prefix.length() >= own.length;
      };
      CHECK(std::ranges::any_of(file.host.addresses, holds));
      CHECK(std::ranges::none_of(file.host.addresses, [&](const InterfaceAddress& own) {
        return prefix.contains(own.address);
      }));
      CHECK(
          std::ranges::none_of(taken, [&](const Prefix& other) { return other.overlaps(prefix); }));
      taken.push_back(prefix);
    }
  }
  const Difference none = diff(file, file);
  CHECK(none.empty() && none.unchanged.size() == file.peers.size());
  PeersFile fewer = file;
  if (!fewer.peers.empty()) fewer.peers.pop_back();
  CHECK(diff(file, fewer).removed.size() == file.peers.size() - fewer.peers.size());
  CHECK(diff(fewer, file).added.size() == file.peers.size() - fewer.peers.size());
}

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  crypto::PublicKey own_key;
  own_key.bytes.fill(std::byte{1});
  const auto file = netmap::parse_peers_file(fuzz::text_of(std::as_bytes(std::span(data, size))),
                                             {.folder = "/etc/trellis", .own_key = own_key});
  if (file) {
    fuzz::check_accepted(*file, own_key);
  } else {
    fuzz::check_error(file.error().message);
  }
  return 0;
}
