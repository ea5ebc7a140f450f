#include "node/pair/pins.h"

#include <iterator>

namespace trellis::pair {

Pins::Verdict Pins::check(const crypto::PublicKey& peer,
                          const std::optional<KeyName>& offered) const {
  const Pin* pinned = find(peer);
  if (!pinned) return Verdict::New;
  if (!offered) return Verdict::Missing;
  return *offered == pinned->key ? Verdict::Same : Verdict::Changed;
}

std::optional<crypto::PublicKey> Pins::renamed(const std::string& peer,
                                               const crypto::PublicKey& now) const {
  for (const auto& [key, pin] : pins_) {
    if (pin.peer == peer && key != now) return key;
  }
  return std::nullopt;
}

const Pins::Pin* Pins::find(const crypto::PublicKey& peer) const {
  const auto it = pins_.find(peer);
  return it == pins_.end() ? nullptr : &it->second;
}

bool Pins::pin(const crypto::PublicKey& peer, const Pin& pin) {
  return pins_.try_emplace(peer, pin).second;
}

void Pins::trust(const crypto::PublicKey& peer, const std::string& name,
                 const std::optional<KeyName>& offered, const Listing& listing) {
  for (auto it = pins_.begin(); it != pins_.end();) {
    auto& [key, pin] = *it;
    const bool same_name = key != peer && pin.peer == name;
    const auto listed = same_name ? listing(key) : std::nullopt;
    if (listed) pin.peer = *listed;
    it = key == peer || (same_name && !listed) ? pins_.erase(it) : std::next(it);
  }
  if (offered) pins_[peer] = Pin{*offered, name};
}

}  // namespace trellis::pair
