// What comes to a device: packets to send, datagrams of every type.

#include "protocol/ip/header.h"
#include "protocol/wireguard/device_state.h"

namespace trellis::wireguard {

namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace

void Device::send(TimePoint now, std::span<const OutboundPacket> packets,
                  std::vector<OutboundDatagram>& datagrams) {
  State& state = *state_;
  for (const OutboundPacket& packet : packets) {
    const auto header = ip::parse(packet.bytes);
    if (!header) {
      ++state.shared.counters.outbound_malformed;
      continue;
    }
    const auto id = state.allowed_ips.find(header->destination);
    if (!id) {
      ++state.shared.counters.no_route;
      continue;
    }
    Peer& peer = state.peer(*id);
    if (const auto datagram = peer.send(now, packet.bytes)) {
      datagrams.push_back({*id, *peer.endpoint(), *datagram});
    }
    state.reschedule(peer);
  }
}

void Device::receive(TimePoint now, std::span<const InboundDatagram> datagrams,
                     std::vector<InboundPacket>& packets) {
  State& state = *state_;
  for (const InboundDatagram& datagram : datagrams) {
    const auto message = parse(datagram.bytes);
    if (!message) {
      ++state.shared.counters.malformed;
      continue;
    }
    const Endpoint& from = datagram.from;
    std::visit(Overloaded{
                   [&](const HandshakeInitiation& m) { state.handle_initiation(now, from, m); },
                   [&](const HandshakeResponse& m) { state.handle_response(now, from, m); },
                   [&](const CookieReply& m) { state.handle_cookie(now, m); },
                   [&](const DataMessage& m) {
                     const auto packet = state.handle_data(now, from, m, datagram.bytes);
                     if (packet) packets.push_back(*packet);
                   },
               },
               *message);
  }
}

void Device::State::handle_initiation(TimePoint now, const Endpoint& from,
                                      const HandshakeInitiation& message) {
  if (!cookies || !cookies->mac1_fits(message)) {
    ++shared.counters.bad_mac1;
    return;
  }
  if (!admit(now, from, message)) return;
  auto opened = open_initiation(*shared.identity, message);
  if (!opened) {
    ++shared.counters.bad_handshake;
    return;
  }
  const auto found = by_key.find(opened->static_key);
  if (found == by_key.end()) {
    ++shared.counters.unknown_peer;
    return;
  }
  Peer& from_peer = peer(found->second);
  from_peer.handle_initiation(now, from, *std::move(opened));
  reschedule(from_peer);
}

void Device::State::handle_response(TimePoint now, const Endpoint& from,
                                    const HandshakeResponse& message) {
  const SessionIndex index{std::uint32_t{message.receiver}};
  Peer* const from_peer = shared.indices.find(index);
  if (!from_peer) {
    ++shared.counters.unknown_index;
    return;
  }
  if (!cookies || !cookies->mac1_fits(message)) {
    ++shared.counters.bad_mac1;
    return;
  }
  // No cookie is asked for: only who saw our initiation knows the index.
  if (!from_peer->awaits_response(now, index)) {
    ++shared.counters.rate_limited;
    return;
  }
  from_peer->handle_response(now, from, message);
  reschedule(*from_peer);
}

void Device::State::handle_cookie(TimePoint now, const CookieReply& message) {
  Peer* const from_peer = shared.indices.find(SessionIndex{std::uint32_t{message.receiver}});
  if (!from_peer) {
    ++shared.counters.unknown_index;
    return;
  }
  from_peer->handle_cookie(now, message);
}

std::optional<InboundPacket> Device::State::handle_data(TimePoint now, const Endpoint& from,
                                                        const DataMessage& message,
                                                        MutableByteView datagram) {
  Peer* const from_peer = shared.indices.find(SessionIndex{std::uint32_t{message.header.receiver}});
  if (!from_peer) {
    ++shared.counters.unknown_index;
    return std::nullopt;
  }
  const auto text = from_peer->receive(now, from, message, datagram);
  reschedule(*from_peer);
  if (!text) return std::nullopt;
  return accept_inner(*from_peer, *text);
}

std::optional<InboundPacket> Device::State::accept_inner(const Peer& from, MutableByteView text) {
  const auto header = ip::parse(text);
  if (!header) {
    ++shared.counters.inner_malformed;
    return std::nullopt;
  }
  if (allowed_ips.find(header->source) != from.id()) {
    ++shared.counters.inner_source_refused;
    return std::nullopt;
  }
  return InboundPacket{from.id(), text.first(header->total_length)};
}

bool Device::State::admit(TimePoint now, const Endpoint& from, const HandshakeInitiation& message) {
  if (gate.note_arrival(now)) {
    if (!cookies->mac2_fits(now, from, message)) {
      if (gate.may_send_cookie(now)) {
        const CookieReply reply = cookies->reply(now, from, message.sender, message.mac1);
        shared.outbox.push_back(Transmit{std::nullopt, from, to_vector(bytes_of(reply))});
        ++shared.counters.cookies_sent;
      } else {
        ++shared.counters.rate_limited;
      }
      return false;
    }
    if (!gate.may_serve(now, from.address)) {
      ++shared.counters.rate_limited;
      return false;
    }
  }
  if (gate.may_work(now)) return true;
  ++shared.counters.rate_limited;
  return false;
}

}  // namespace trellis::wireguard
