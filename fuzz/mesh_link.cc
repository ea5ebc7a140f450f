// A link between an honest peer and somebody who knows every password: checks and answers come
// late, twice, from elsewhere, changed and made up, with an integrity that is right.

#include "crypto/x25519.h"
#include "input.h"
#include "node/link/mesh_links.h"
#include "protocol/ice/derived_credentials.h"
#include "protocol/stun/message_writer.h"
#include "testing/random.h"

#include <deque>

namespace trellis::fuzz {
namespace {

using namespace link;

constexpr std::size_t kStepsMax = 300;
constexpr std::size_t kQueueMax = 64;
constexpr std::uint8_t kOwnAddress = 1;
constexpr std::uint8_t kPeerAddress = 2;

struct Keys {
  crypto::PrivateKey secret;
  crypto::PublicKey open;
};

Keys keys_of(std::uint64_t seed) {
  testing::SeededRandom random(seed);
  auto secret = crypto::generate_private_key(random);
  const auto open = crypto::public_key(secret);
  return {std::move(secret), open};
}

struct End {
  End(TimePoint now, const Keys& own, const Keys& peer, std::uint64_t seed)
      : random(seed),
        link(links.add(
            now, own.secret,
            {.own = own.open, .peer = peer.open, .overlay = {*Prefix::parse("100.64.0.0/16")}},
            random)) {}

  testing::SeededRandom random;
  MeshLinks links;
  std::unique_ptr<MeshLink> link;
  std::deque<ByteVector> inbox;
};

struct World {
  explicit World(bool we_are_first)
      : own(keys_of(we_are_first ? 1 : 2)),
        peer(keys_of(we_are_first ? 2 : 1)),
        us(now, own, peer, 3),
        them(now, peer, own, 4),
        credentials(*ice::derive_credentials(own.secret, own.open, peer.open)) {
    us.link->set_remote_candidates(now, ice::host_candidates({{endpoint_of(kPeerAddress)}}));
    them.link->set_remote_candidates(now, ice::host_candidates({{endpoint_of(kOwnAddress)}}));
    drain();
  }

  void drain() {
    while (auto out = us.links.poll_transmit()) {
      if (seen.size() < kQueueMax) seen.push_back(out->bytes);
      if (them.inbox.size() < kQueueMax) them.inbox.push_back(std::move(out->bytes));
    }
    while (auto out = them.links.poll_transmit()) {
      if (seen.size() < kQueueMax) seen.push_back(out->bytes);
      if (us.inbox.size() < kQueueMax) us.inbox.push_back(std::move(out->bytes));
    }
    for (End* end : {&us, &them}) {
      while (end->links.poll_changed()) continue;
      while (end->link->poll_event()) continue;
      CHECK(end->link->candidates().size() <= 32 + 8 + 1);
      CHECK(end->link->path().has_value() == end->link->status().since.has_value());
    }
  }

  void give(std::uint8_t from, ByteView datagram) {
    (void)us.links.handle_stun(now, endpoint_of(from), datagram);
    drain();
  }

  void deliver(End& end, std::uint8_t from) {
    if (end.inbox.empty()) return;
    const ByteVector datagram = std::move(end.inbox.front());
    end.inbox.pop_front();
    (void)end.links.handle_stun(now, endpoint_of(from), datagram);
    drain();
  }

  void pass_time(Duration duration) {
    now += duration;
    for (End* end : {&us, &them}) {
      end->links.handle_timeout(now);
      CHECK(!end->links.next_timeout() || *end->links.next_timeout() > now);
    }
    drain();
  }

  TimePoint now{1h};
  Keys own;
  Keys peer;
  End us;
  End them;
  ice::CredentialPair credentials;
  std::vector<ByteVector> seen;
};

/// As the peer would have made it, saying anything.
ByteVector made_request(World& world, Input& input) {
  const std::uint8_t flags = input.byte();
  stun::TransactionId transaction{};
  transaction[0] = std::byte{input.byte()};
  stun::MessageWriter writer(stun::Class::Request, transaction);
  writer.add_username(world.credentials.local.ufrag + ":" + world.credentials.remote.ufrag);
  if ((flags & 1) != 0) writer.add_use_candidate();
  if ((flags & 2) != 0) writer.add_controlling(std::uint64_t{input.byte()} << 56);
  if ((flags & 4) != 0) writer.add_controlled(std::uint64_t{input.byte()} << 56);
  if ((flags & 8) != 0) writer.add_priority(std::uint32_t{input.number()} << 16);
  return std::move(writer).finish(world.credentials.local.password.expose());
}

/// To something that we have asked.
std::optional<ByteVector> made_answer(World& world, Input& input) {
  const std::uint8_t number = input.byte();
  if (world.seen.empty()) return std::nullopt;
  const auto request = stun::parse(world.seen[number % world.seen.size()]);
  if (!request) return std::nullopt;
  const std::uint8_t kind = input.byte();
  stun::MessageWriter writer(kind % 3 == 0 ? stun::Class::Error : stun::Class::Success,
                             request->transaction);
  if (kind % 3 == 0) writer.add_error(stun::ErrorNumber::RoleConflict);
  if (kind % 3 == 1) writer.add_mapped_address(endpoint_of(kind));
  return std::move(writer).finish(world.credentials.remote.password.expose());
}

std::vector<ice::Candidate> candidates(Input& input) {
  std::vector<ice::Candidate> made;
  for (std::size_t count = input.byte() % 50; count > 0; --count) {
    made.push_back({.foundation = "1",
                    .priority = std::uint32_t{input.number()} << 16,
                    .endpoint = endpoint_of(input.byte()),
                    .type = static_cast<ice::CandidateType>(input.byte() % 4),
                    .related = std::nullopt});
  }
  return made;
}

void step(World& world, Input& input) {
  switch (input.byte() % 12) {
    case 0:
      return world.pass_time(std::chrono::milliseconds(input.number()));
    case 1:
      return world.pass_time(std::chrono::seconds(input.byte()));
    case 2:
      return world.deliver(world.us, kPeerAddress);
    case 3:
      return world.deliver(world.them, kOwnAddress);
    case 4:  // the peer has moved, or the datagram was diverted
      return world.deliver(world.us, input.byte());
    case 5: {
      const std::uint8_t from = input.byte();
      return world.give(from, made_request(world, input));
    }
    case 6: {
      const std::uint8_t from = input.byte();
      if (const auto answer = made_answer(world, input)) world.give(from, *answer);
      return;
    }
    case 7: {  // changed on the way, or replayed
      if (world.seen.empty()) return;
      ByteVector datagram = world.seen[input.byte() % world.seen.size()];
      const std::size_t at = input.number();
      spoil(datagram, at, input.byte());
      return world.give(input.byte(), datagram);
    }
    case 8:
      return world.give(input.byte(), input.bytes(input.byte()));
    case 9:
      world.us.link->set_remote_candidates(world.now, candidates(input));
      return world.drain();
    case 10:
      world.us.link->heard_from(world.now, endpoint_of(input.byte()));
      return world.drain();
    default:
      world.us.link->restart(world.now);
      return world.drain();
  }
}

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  fuzz::Input input(data, size);
  fuzz::World world((input.byte() & 1) != 0);
  for (std::size_t i = 0; i < fuzz::kStepsMax && !input.at_end(); ++i) fuzz::step(world, input);
  return 0;
}
