// The ceiling of a tunnel in user space: the packet path of trellis-wg, copy by copy and call by
// call, with a header and room for a tag around each packet, but neither cipher nor protocol.
//
//   plain_tunnel INTERFACE PORT PEER-ADDRESS PEER-PORT

#include "apps/offloads.h"
#include "apps/packet_pump.h"
#include "protocol/wireguard/messages.h"
#include "system/loop.h"
#include "system/route.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace trellis {
namespace {

constexpr std::uint32_t kMtu = 1420;

/// In the form of wireguard::Device, for the pump.
class Plain {
 public:
  explicit Plain(const Endpoint& peer) : peer_(peer) {}

  void send(TimePoint /*now*/, std::span<const wireguard::OutboundPacket> packets,
            std::vector<wireguard::OutboundDatagram>& datagrams) {
    for (const wireguard::OutboundPacket& packet : packets) {
      wireguard::OutboundDatagram datagram;
      datagram.peer = wireguard::PeerId{1};
      datagram.to = peer_;
      datagram.bytes = ByteView(packet.bytes.data() - sizeof(wireguard::DataHeader),
                                packet.bytes.size() + wireguard::kDataOverhead);
      datagrams.push_back(datagram);
    }
  }

  void receive(TimePoint /*now*/, std::span<const wireguard::InboundDatagram> datagrams,
               std::vector<wireguard::InboundPacket>& packets) {
    for (const wireguard::InboundDatagram& datagram : datagrams) {
      if (datagram.bytes.size() < wireguard::kDataOverhead) continue;
      const std::size_t size = datagram.bytes.size() - wireguard::kDataOverhead;
      packets.push_back(
          {wireguard::PeerId{1}, datagram.bytes.subspan(sizeof(wireguard::DataHeader), size)});
    }
  }

  std::optional<wireguard::Transmit> poll_transmit() { return std::nullopt; }
  std::optional<ByteVector> poll_host_packet() { return std::nullopt; }
  void note_path_limit(TimePoint /*now*/, const Endpoint& /*to*/, std::size_t /*bytes*/) {}

 private:
  Endpoint peer_;
};

Result<> run(const char* name, std::uint16_t port, const Endpoint& peer) {
  const auto loop = TRY(system::Loop::create());
  auto routes = TRY(system::Routes::open());
  auto tun = TRY(system::Tun::create(name, apps::tun_offloads()));
  const std::uint32_t interface = TRY(routes.interface_index(name));
  TRY(routes.set_mtu(interface, kMtu));
  auto udp = TRY(system::UdpSocket::open({.port = port, .offloads = apps::udp_offloads()}));
  Plain engine(peer);
  apps::PacketPump<Plain> pump;
  const auto signals = TRY(loop->on_signals({SIGTERM, SIGINT}, [&](int) { loop->stop(); }));
  const auto outward = TRY(loop->watch(tun.descriptor(), system::Ready::Read, [&] {
    if (!pump.outward(engine, tun, udp)) loop->stop();
  }));
  constexpr auto kFamily = IpAddress::Family::V4;
  const auto inward = TRY(loop->watch(udp.descriptor(kFamily), system::Ready::Read, [&] {
    if (!pump.inward(engine, udp, kFamily, &tun)) loop->stop();
  }));
  std::puts("ready");
  std::fflush(stdout);
  loop->run();
  return {};
}

}  // namespace
}  // namespace trellis

int main(int argc, char** argv) {
  using trellis::IpAddress;
  const auto peer = argc == 5 ? IpAddress::parse(argv[3]) : std::nullopt;
  if (!peer) {
    std::fprintf(stderr, "usage: plain_tunnel INTERFACE PORT PEER-ADDRESS PEER-PORT\n");
    return 2;
  }
  const auto port = [&](int i) { return static_cast<std::uint16_t>(std::atoi(argv[i])); };
  const auto done = trellis::run(argv[1], port(2), {*peer, port(4)});
  if (done) return 0;
  std::fprintf(stderr, "plain_tunnel: %s\n", done.error().message.c_str());
  return 1;
}
