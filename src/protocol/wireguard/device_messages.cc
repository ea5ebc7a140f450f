// What comes to a device: packets to send, datagrams of every type.

#include "protocol/ip/ecn.h"
#include "protocol/ip/header.h"
#include "protocol/ip/too_big.h"
#include "protocol/wireguard/device_state.h"

namespace trellis::wireguard {

void Device::send(TimePoint now, std::span<const OutboundPacket> packets,
                  std::vector<OutboundDatagram>& datagrams) {
  State& state = *state_;
  Peer* peer = nullptr;  // of the packet before
  IpAddress destination;
  for (const OutboundPacket& packet : packets) {
    const auto header = ip::parse(packet.bytes);
    if (!header) {
      ++state.shared.counters.outbound_malformed;
      continue;
    }
    if (!peer || header->destination != destination) {
      if (peer) state.reschedule(*peer);
      destination = header->destination;
      const auto id = state.allowed_ips.find(destination);
      peer = id ? &state.peer(*id) : nullptr;
    }
    if (!peer) {
      ++state.shared.counters.no_route;
      continue;
    }
    const auto path_mtu = peer->path_mtu(now);
    const bool fits = !path_mtu || packet.bytes.size() <= *path_mtu;
    if (!fits && ip::shrinks_when_told(packet.bytes)) {
      state.refuse(now, packet.bytes, *path_mtu);
      continue;
    }
    const std::uint8_t traffic_class = ip::outer_traffic_class(ip::traffic_class(packet.bytes));
    if (const auto seal = peer->send(now, packet.bytes)) {
      state.seals.push_back(*seal);
      datagrams.push_back(
          {peer->id(), *peer->endpoint(),
           ByteView(seal->target - sizeof(DataHeader), seal->text.size() + kDataOverhead),
           traffic_class, !fits});
    }
  }
  if (peer) state.reschedule(*peer);
  crypto::seal(state.seals);
  state.seals.clear();
}

void Device::receive(TimePoint now, std::span<const InboundDatagram> datagrams,
                     std::vector<InboundPacket>& packets) {
  State& state = *state_;
  for (const InboundDatagram& datagram : datagrams) {
    const auto message = parse(datagram.bytes);
    if (!message) {
      ++state.shared.counters.malformed;
    } else if (const auto* data = std::get_if<DataMessage>(&*message)) {
      state.begin_data(now, datagram, *data);
    } else if (state.is_worthless(now, datagram.from, *message)) {
      ++state.shared.counters.rate_limited;
    } else {
      state.finish_data(now, packets);  // a handshake may end the sessions that data came under
      state.handle_handshake(now, datagram.from, *message);
    }
  }
  state.finish_data(now, packets);
}

void Device::State::handle_handshake(TimePoint now, const Endpoint& from, const Message& message) {
  if (const auto* initiation = std::get_if<HandshakeInitiation>(&message)) {
    handle_initiation(now, from, *initiation);
  } else if (const auto* response = std::get_if<HandshakeResponse>(&message)) {
    handle_response(now, from, *response);
  } else if (const auto* reply = std::get_if<CookieReply>(&message)) {
    handle_cookie(now, *reply);
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

void Device::State::begin_data(TimePoint now, const InboundDatagram& datagram,
                               const DataMessage& message) {
  const SessionIndex index{std::uint32_t{message.header.receiver}};
  const bool as_before = !arrivals.empty() && arrivals.back().index == index;
  Peer* const from_peer = as_before ? arrivals.back().peer : shared.indices.find(index);
  if (!from_peer) {
    ++shared.counters.unknown_index;
    return;
  }
  if (const auto open = from_peer->begin_receive(now, message, datagram.bytes)) {
    opens.push_back(*open);
    arrivals.push_back({from_peer, index, datagram.from, datagram.traffic_class});
  }
}

void Device::State::finish_data(TimePoint now, std::vector<InboundPacket>& packets) {
  crypto::open(opens);
  Peer* peer = nullptr;              // of the packet before
  std::optional<IpAddress> granted;  // its source, if that was the peer's
  for (std::size_t i = 0; i < opens.size(); ++i) {
    const Arrival& arrival = arrivals[i];
    if (arrival.peer != peer) {
      if (peer) reschedule(*peer);
      peer = arrival.peer;
      granted.reset();
    }
    const auto text = peer->finish_receive(now, arrival.from, arrival.index, opens[i]);
    if (!text) continue;
    if (const auto packet = accept_inner(*peer, *text, granted)) {
      ip::note_outer_traffic_class(arrival.traffic_class, packet->bytes);
      packets.push_back(*packet);
    }
  }
  if (peer) reschedule(*peer);
  opens.clear();
  arrivals.clear();
}

std::optional<InboundPacket> Device::State::accept_inner(const Peer& from, MutableByteView text,
                                                         std::optional<IpAddress>& granted) {
  const auto header = ip::parse(text);
  if (!header) {
    ++shared.counters.inner_malformed;
    return std::nullopt;
  }
  if (header->source != granted) {
    if (allowed_ips.find(header->source) != from.id()) {
      ++shared.counters.inner_source_refused;
      return std::nullopt;
    }
    granted = header->source;
  }
  return InboundPacket{from.id(), text.first(header->total_length)};
}

void Device::State::refuse(TimePoint now, ByteView packet, std::size_t path_mtu) {
  ++shared.counters.too_big;
  if (!refusals.take(now)) return;
  const auto mtu = static_cast<std::uint16_t>(std::min<std::size_t>(path_mtu, 65'535));
  if (auto answer = ip::too_big(packet, mtu)) host_packets.push_back(*std::move(answer));
}

bool Device::State::is_known(TimePoint now, const Endpoint& from) {
  constexpr Duration kFreshFor = 1s;
  if (!known_read || now - *known_read >= kFreshFor) {
    known_read = now;
    known.clear();
    for (const auto& [id, peer] : peers) {
      if (peer.endpoint()) known.insert(peer.endpoint()->address);
    }
  }
  return known.contains(from.address);
}

bool Device::State::is_worthless(TimePoint now, const Endpoint& from, const Message& message) {
  const auto* initiation = std::get_if<HandshakeInitiation>(&message);
  return initiation && gate.loaded(now) && initiation->mac2 == Mac{} &&
         !gate.has_cookie(now, is_known(now, from));
}

bool Device::State::admit(TimePoint now, const Endpoint& from, const HandshakeInitiation& message) {
  if (gate.note_arrival(now)) {
    if (!cookies->mac2_fits(now, from, message)) {
      if (gate.may_send_cookie(now, is_known(now, from))) {
        const CookieReply reply = cookies->reply(now, from, message.sender, message.mac1);
        shared.outbox.push_back(Transmit{std::nullopt, from, to_vector(bytes_of(reply)),
                                         shared.config.handshake_traffic_class});
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
