#include "server/management/claims.h"

#include "base/log.h"

#include <iterator>

namespace trellis::server {

namespace {

void add(Claim& claim, const Claim& later) {
  if (later.asked_key) claim.asked_key = later.asked_key;
  if (!later.host_name.empty()) claim.host_name = later.host_name;
  if (!later.version.empty()) claim.version = later.version;
  if (!later.system.empty()) claim.system = later.system;
}

PeerRecord with(PeerRecord peer, const Claim& claim) {
  Claim all{peer.asked_key, peer.host_name, peer.version, peer.system};
  add(all, claim);
  // Whoever asked for it, it is the right one by now.
  if (claim.asked_key && claim.asked_key == peer.key_name) all.asked_key = peer.asked_key;
  peer.asked_key = all.asked_key;
  peer.host_name = all.host_name;
  peer.version = all.version;
  peer.system = all.system;
  return peer;
}

Result<> store(Roster& roster, const PeerRecord& changed, WallTime wall) {
  const PeerRecord& before = *roster.find(changed.key);
  if (changed == before) return {};
  if (changed.asked_key != before.asked_key) {
    LOG(warn, "server", "machine {} came with another Rosenpass key and was refused", changed.name);
  }
  return roster.update(changed, wall);
}

}  // namespace

Result<> Claims::take(TimePoint now, WallTime wall, const crypto::PublicKey& machine,
                      const Claim& claim) {
  const PeerRecord changed = with(*roster_.find(machine), claim);
  const auto it = members_.find(machine);
  const bool waits = it != members_.end() && it->second.waiting;
  if (!waits && changed == *roster_.find(machine)) return {};
  Member& member = members_[machine];
  if (!waits && member.changes.take(now)) return store(roster_, changed, wall);
  if (!waits) member.waiting.emplace();
  add(*member.waiting, claim);
  due_ = earlier(due_, member.changes.next(now));
  return {};
}

void Claims::handle_timeout(TimePoint now, WallTime wall) {
  if (!due_ || *due_ > now) return;
  due_.reset();
  for (auto it = members_.begin(); it != members_.end();) {
    auto& [machine, member] = *it;
    if (member.waiting && member.changes.take(now)) {
      if (const auto kept = store(roster_, with(*roster_.find(machine), *member.waiting), wall);
          !kept) {
        LOG(debug, "server", "claims are not stored error={}", kept.error().message);
      }
      member.waiting.reset();
    }
    if (member.waiting) due_ = earlier(due_, member.changes.next(now));
    it = !member.waiting && member.changes.full(now) ? members_.erase(it) : std::next(it);
  }
}

}  // namespace trellis::server
