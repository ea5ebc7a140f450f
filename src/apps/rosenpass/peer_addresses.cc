#include "apps/rosenpass/peer_addresses.h"

#include <algorithm>

namespace trellis::rosenpass_program {

void PeerAddresses::set_resolved(std::vector<Endpoint> addresses) {
  resolved_ = std::move(addresses);
  if (!current_ && !resolved_.empty()) current_ = resolved_.front();
}

void PeerAddresses::set_heard(const Endpoint& address) {
  heard_ = address;
  current_ = address;
}

bool PeerAddresses::try_next() {
  const std::vector<Endpoint> candidates = all();
  if (candidates.empty()) return false;
  const auto found = std::ranges::find(candidates, current_);
  auto next = found == candidates.end() ? candidates.begin() : std::next(found);
  if (next == candidates.end()) next = candidates.begin();
  const bool other = current_ != *next;
  current_ = *next;
  return other;
}

std::vector<Endpoint> PeerAddresses::all() const {
  std::vector<Endpoint> result = resolved_;
  if (heard_ && std::ranges::find(result, *heard_) == result.end()) result.push_back(*heard_);
  return result;
}

}  // namespace trellis::rosenpass_program
