#include "apps/rosenpass/exchange.h"

#include "apps/rosenpass/cache_folder.h"
#include "apps/rosenpass/wireguard_key.h"
#include "base/hex.h"
#include "base/log.h"
#include "crypto/kem.h"
#include "protocol/rosenpass/labels.h"
#include "system/clock.h"
#include "system/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace trellis::rosenpass_program {
namespace {

/// How often failed look-ups and key deliveries are tried again, and silent addresses left.
constexpr Duration kTickEvery = 3s;
/// Keys of so many peers stay in memory.
constexpr std::size_t kKeysKept = 16;

const crypto::Suite& suite_of(const PeerSection& section) {
  return section.ciphertext_bytes == 156 ? crypto::suite_rosenpass_156()
                                         : crypto::suite_rosenpass();
}

std::string text_of(rosenpass::NodeError error) {
  switch (error) {
    case rosenpass::NodeError::OwnKey:
      return "this is our own key: name the peer's";
    case rosenpass::NodeError::AlreadyKnown:
      return "another [[peers]] has the same key";
    case rosenpass::NodeError::WrongPublicKeySize:
    case rosenpass::NodeError::WrongSecretKeySize:
    case rosenpass::NodeError::WrongSuite:
      break;
  }
  return "the key has a wrong size";
}

/// Two peers that write into one file overwrite each other's keys.
Result<> check_outputs(const Config& config) {
  std::set<std::string> seen;
  for (const PeerSection& peer : config.peers) {
    if (!peer.key_out.empty() && !seen.insert(peer.key_out).second) {
      return fail_with(fmt::format("two peers have the key file {}", peer.key_out));
    }
  }
  return {};
}

}  // namespace

Exchange::Exchange(system::Loop& loop, OwnKeyFiles own,
                   std::function<void(const std::string&)> print)
    : loop_(loop), own_(std::move(own)), print_(std::move(print)) {}

Result<std::unique_ptr<Exchange>> Exchange::create(system::Loop& loop, const Config& config,
                                                   Options options,
                                                   std::function<void(const std::string&)> print) {
  TRY(check_outputs(config));
  system::raise_descriptor_limit();  // one for each key
  system::SystemRandom random;
  OwnKeyFiles own = TRY(load_own_keys({config.public_key, config.secret_key}, random));
  for (const std::string& warning : own.warnings) LOG(warn, "rosenpass", "{}", warning);
  auto exchange = std::unique_ptr<Exchange>(new Exchange(loop, std::move(own), std::move(print)));
  TRY(exchange->start(config, options));
  return exchange;
}

Result<> Exchange::start(const Config& config, Options options) {
  service_ =
      TRY(rosenpass::Service::create_over(own_.public_key.bytes(), std::move(own_.secret_key),
                                          random_, {.work_factor = options.work_factor}));
  timer_ = TRY(loop_.timer([this] { on_timer(); }));
  tick_ = TRY(loop_.timer([this] { on_tick(); }));
  ports_ = TRY(Ports::open(loop_, config.listen,
                           {[this](const Endpoint& from, ByteView datagram, std::size_t socket) {
                              on_datagram(from, datagram, socket);
                            },
                            [this] { settle(); }}));
  TRY(add_peers(config));
  resolver_ = TRY(system::Resolver::create(loop_));
  for (const auto& peer : peers_) resolve(*peer);
  tick_.arm(system::boot_now() + kTickEvery);
  settle();
  return {};
}

Result<> Exchange::add_peers(const Config& config) {
  const std::string file = cache_folder() + "/digests";
  const apps::DigestCache before = apps::load_digests(file);
  apps::DigestCache cache = before;
  for (const PeerSection& section : config.peers) TRY(add_peer(section, cache));
  if (cache != before) apps::save_digests(file, cache);
  return {};
}

Result<> Exchange::add_peer(const PeerSection& section, apps::DigestCache& cache) {
  auto peer = std::make_unique<PeerEntry>(
      PeerEntry{.section = section, .public_key = TRY(load_public_key(section.public_key))});
  rosenpass::PeerConfig config{.public_key = peer->public_key.bytes(),
                               .kind = section.software,
                               .dialect = {section.version, &suite_of(section)}};
  if (!section.pre_shared_key.empty()) config.psk = TRY(load_psk(section.pre_shared_key));
  if (!section.osk_organization.empty()) {
    config.output_label =
        rosenpass::output_label(section.version, section.osk_organization, section.osk_label);
  }
  config.digests = cache.digests_of(peer->public_key, section.version);
  const auto id = service_->add_peer(system::boot_now(), std::move(config));
  if (!id) return fail_with(fmt::format("{}: {}", section.public_key, text_of(id.error())));
  peer->id = *id;
  peer->pid = service_->status(*id).pid;
  by_id_.emplace(*id, peer.get());
  peers_.push_back(std::move(peer));
  return {};
}

void Exchange::resolve(PeerEntry& peer) {
  if (peer.section.endpoint.empty()) return;
  const auto where = split_endpoint(peer.section.endpoint);
  CHECK(where.has_value());  // the configuration was checked
  resolver_->resolve(where->host, where->port,
                     [this, &peer](Result<std::vector<Endpoint>> addresses) {
                       on_resolved(peer, std::move(addresses));
                     });
}

void Exchange::on_resolved(PeerEntry& peer, Result<std::vector<Endpoint>> addresses) {
  if (!addresses) {
    LOG(warn, "rosenpass", "the peer's address is not known, trying again endpoint={} error=\"{}\"",
        peer.section.endpoint, addresses.error().message);
    return;
  }
  peer.addresses.set_resolved(*std::move(addresses));
  service_->set_path(system::boot_now(), peer.id, peer.addresses.current());
  on_timer();  // begins at once
}

void Exchange::on_datagram(const Endpoint& from, ByteView datagram, std::size_t socket) {
  receiving_.emplace(from, socket);
  service_->handle_datagram(system::boot_now(), from, datagram);
  drain();
  receiving_.reset();
}

void Exchange::on_timer() {
  service_->handle_timeout(system::boot_now());
  settle();
}

void Exchange::on_tick() {
  const TimePoint now = system::boot_now();
  for (const auto& peer : peers_) {
    if (peer->unset) {
      const rosenpass::OutputKey key = std::exchange(peer->unset, std::nullopt)->clone();
      give_to_wireguard(*peer, key);
    }
    const rosenpass::PeerStatus status = service_->status(peer->id);
    const bool heard = status.heard && now - *status.heard < 10 * kTickEvery;
    if (status.current || heard) continue;
    if (peer->addresses.try_next()) {
      service_->set_path(now, peer->id, peer->addresses.current());
    } else if (!peer->addresses.current()) {
      resolve(*peer);
    }
  }
  tick_.arm(now + kTickEvery);
  settle();
}

void Exchange::drain() {
  while (auto datagram = service_->poll_transmit()) transmit(*datagram);
  while (auto change = service_->poll_key()) on_key(*change);
}

void Exchange::settle() {
  drain();
  timer_.arm(service_->next_timeout());
  let_keys_go();
}

/// Half a megabyte of each peer's key, which the next exchange reads again. Not worth it for few.
void Exchange::let_keys_go() {
  if (peers_.size() > kKeysKept) {
    for (const rosenpass::PeerId id : touched_) of(id).public_key.let_go();
  }
  touched_.clear();
}

void Exchange::transmit(const rosenpass::Transmit& datagram) {
  std::optional<std::size_t> socket;
  if (datagram.peer) {
    socket = of(*datagram.peer).socket;
    touched_.insert(*datagram.peer);
  }
  if (receiving_ && receiving_->first == datagram.to) socket = receiving_->second;
  const int error = ports_->send(datagram.to, datagram.bytes, socket);
  if (error == 0) return;
  LOG(debug, "rosenpass", "datagram not sent to={} error=\"{}\"", datagram.to.to_string(),
      system::errno_text(error));
}

void Exchange::on_key(const rosenpass::Service::KeyChange& change) {
  PeerEntry& peer = of(change.peer);
  if (receiving_) peer.socket = receiving_->second;
  if (const auto from = service_->heard_from(change.peer)) peer.addresses.set_heard(*from);
  if (change.key) return hand_out(peer, *change.key, KeyReason::Exchanged);
  const auto random =
      rosenpass::OutputKey::make([&](std::span<std::byte, 32> target) { random_.fill(target); });
  hand_out(peer, random, KeyReason::Stale);
  resolve(peer);  // the name may have other addresses by now
}

void Exchange::hand_out(PeerEntry& peer, const rosenpass::OutputKey& key, KeyReason reason) {
  const PeerSection& section = peer.section;
  LOG(info, "rosenpass", "{} peer={}",
      reason == KeyReason::Exchanged ? "key exchanged" : "key is stale, replaced by a random one",
      to_base64(peer.pid.bytes));
  give_to_wireguard(peer, key);
  if (section.key_out.empty()) return;
  const auto written = write_key_file(expanded(section.key_out), key);
  if (!written) {
    LOG(error, "rosenpass", "{}", written.error().message);
    return;
  }
  print_(output_line(peer.pid, section.key_out, reason));
}

/// A key that is not taken is offered again: until then the tunnel runs on another one.
void Exchange::give_to_wireguard(PeerEntry& peer, const rosenpass::OutputKey& key) {
  const PeerSection& section = peer.section;
  Result<> done;
  if (section.wireguard) done = set_preshared_key(*section.wireguard, key);
  if (done && !section.psk_command.empty()) done = run_key_command(section.psk_command, key);
  peer.unset.reset();
  if (done) return;
  LOG(error, "rosenpass", "{}; trying again", done.error().message);
  peer.unset.emplace(key.clone());
}

}  // namespace trellis::rosenpass_program
