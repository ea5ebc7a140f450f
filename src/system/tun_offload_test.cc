// What a device with offloads hands over, cut by us, is what the kernel itself sends to a device
// without; and what is joined by us is what the kernel takes apart.

#include "protocol/ip/coalesce.h"
#include "protocol/ip/inner_packet_test.h"
#include "protocol/ip/segment.h"
#include "system/netns_test.h"
#include "system/route.h"
#include "system/tun.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include <vector>

namespace trellis::system {
namespace {

using Offloads = Tun::Offloads;

constexpr std::uint16_t kPort = 7000;
constexpr std::size_t kV4 = 20;
constexpr std::size_t kV6 = 40;

struct Interface {
  explicit Interface(Offloads offloads) : tun(Tun::create("trellis9", offloads).value()) {
    Routes routes = Routes::open().value();
    const auto index = routes.interface_index("trellis9").value();
    EXPECT_TRUE(routes.bring_up(index, 1280));
    EXPECT_TRUE(routes.add_address(index, *InterfaceAddress::parse("100.64.7.1/16")));
    EXPECT_TRUE(routes.add_address(index, *InterfaceAddress::parse("fd00:7::1/64")));
  }
  Tun tun;
};

std::size_t ip_size(ByteView packet) {
  return std::to_integer<unsigned>(packet[0]) >> 4 == 4 ? kV4 : kV6;
}

template <class T>
T read_at(ByteView packet, std::size_t offset) {
  return Reader(packet.subspan(offset)).read<T>();
}

/// All packets of ours that come until there is silence, or enough, cut and finished. `pieces`
/// counts reads.
std::vector<ByteVector> read_all(Tun& tun, std::size_t& pieces, std::size_t enough = 100) {
  std::vector<ByteVector> result;
  ByteVector buffer(Tun::kPacketBytesMax);
  pollfd entry{tun.descriptor(), POLLIN, 0};
  while (result.size() < enough && ::poll(&entry, 1, 200) == 1) {
    const auto packet = tun.read(buffer).value();
    if (!packet) continue;
    const std::size_t ip = ip_size(packet->bytes);
    if (packet->bytes.size() < ip + 8 || read_at<be16>(packet->bytes, ip) != kPort) continue;
    ++pieces;
    if (packet->offload.segmentation == ip::Segmentation::None) {
      EXPECT_TRUE(ip::finish_checksum(packet->offload, packet->bytes));
      result.push_back(to_vector(packet->bytes));
      continue;
    }
    auto segmenter = ip::Segmenter::create(packet->offload, packet->bytes).value();
    while (!segmenter.done()) {
      ByteVector segment(segmenter.segment_bytes());
      segment.resize(segmenter.next(segment));
      result.push_back(std::move(segment));
    }
  }
  return result;
}

/// Without what the kernel chooses anew each time: where identifications, sequence numbers and flow
/// labels begin. The checksums over them must be right, and are then zero.
void make_comparable(std::vector<ByteVector>& packets) {
  if (packets.empty()) return;
  const ByteVector first = packets.front();
  for (ByteVector& packet : packets) {
    const std::size_t ip = ip_size(packet);
    const bool tcp = packet[ip == kV4 ? 9 : 6] == std::byte{6};
    EXPECT_EQ(ip::transport_sum(packet, ip, tcp ? std::uint8_t{6} : std::uint8_t{17}), 0xffff);
    const std::size_t checksum = ip + (tcp ? 16 : 6);
    packet[checksum] = packet[checksum + 1] = std::byte{0};
    if (ip == kV4) {
      EXPECT_EQ(ip::sum_of_words(ByteView(packet).first(kV4), 0), 0xffff);
      const be16 number(
          static_cast<std::uint16_t>(read_at<be16>(packet, 4) - read_at<be16>(first, 4)));
      std::memcpy(&packet[4], &number, sizeof number);
      packet[10] = packet[11] = std::byte{0};
    } else {
      packet[1] &= std::byte{0xf0};
      packet[2] = packet[3] = std::byte{0};
    }
    if (!tcp) continue;
    const be32 sequence(read_at<be32>(packet, ip + 4) - read_at<be32>(first, ip + 4));
    std::memcpy(&packet[ip + 4], &sequence, sizeof sequence);
  }
}

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

struct Target {
  Address address{};
  socklen_t size = 0;
};

Target target_of(const char* text, std::uint16_t port) {
  Target target;
  const IpAddress address = *IpAddress::parse(text);
  if (address.is_v4()) {
    target.address.v4.sin_family = AF_INET;
    target.address.v4.sin_port = htons(port);
    std::memcpy(&target.address.v4.sin_addr, address.bytes().data(), 4);
    target.size = sizeof target.address.v4;
  } else {
    target.address.v6.sin6_family = AF_INET6;
    target.address.v6.sin6_port = htons(port);
    std::memcpy(&target.address.v6.sin6_addr, address.bytes().data(), 16);
    target.size = sizeof target.address.v6;
  }
  return target;
}

Descriptor socket_at(bool v6, int type) {
  Descriptor socket(::socket(v6 ? AF_INET6 : AF_INET, type, 0));
  const linger at_once{.l_onoff = 1, .l_linger = 0};  // the next socket takes the same port
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  const Target own = target_of(v6 ? "fd00:7::1" : "100.64.7.1", kPort);
  EXPECT_EQ(::bind(socket.get(), &own.address.any, own.size), 0);
  return socket;
}

Descriptor connect_to(bool v6, int type) {
  Descriptor socket = socket_at(v6, type);
  const Target other = target_of(v6 ? "fd00:7::9" : "100.64.7.9", 9);
  ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  ::connect(socket.get(), &other.address.any, other.size);
  return socket;
}

std::vector<ByteVector> sent_datagrams(bool v6, Offloads offloads, std::size_t& pieces) {
  Interface interface(offloads);
  const Descriptor socket = connect_to(v6, SOCK_DGRAM);
  const int size = 500;
  EXPECT_EQ(::setsockopt(socket.get(), IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size), 0);
  const ByteVector text = ip::payload_of(3300);
  EXPECT_EQ(::send(socket.get(), text.data(), text.size(), 0), 3300);
  auto packets = read_all(interface.tun, pieces);
  make_comparable(packets);
  return packets;
}

/// Answers a SYN, without which nothing is sent: as a host without options and with a small MSS.
void answer_syn(Tun& tun, const ByteVector& syn, bool v6) {
  const std::size_t ip = ip_size(syn);
  ip::InnerPacket answer{.v6 = v6};
  answer.sequence = 1000;
  answer.acknowledgment = read_at<be32>(syn, ip + 4) + 1;
  answer.flags = 0x12;
  answer.window = 60000;
  answer.options = {std::byte{2}, std::byte{4}, std::byte{0x03}, std::byte{0xe8}};
  ByteVector bytes = answer.bytes();
  // Its addresses and ports are those of the SYN, exchanged.
  const std::size_t at = v6 ? 8 : 12;
  const std::size_t size = v6 ? 16 : 4;
  std::memcpy(&bytes[at], &syn[at + size], size);
  std::memcpy(&bytes[at + size], &syn[at], size);
  std::memcpy(&bytes[ip], &syn[ip + 2], 2);
  std::memcpy(&bytes[ip + 2], &syn[ip], 2);
  for (const std::size_t i : {ip + 16, ip + 17}) bytes[i] = std::byte{0};
  const be16 checksum(static_cast<std::uint16_t>(~ip::transport_sum(bytes, ip, 6)));
  std::memcpy(&bytes[ip + 16], &checksum, 2);
  if (!v6) {
    bytes[10] = bytes[11] = std::byte{0};
    const be16 sum(static_cast<std::uint16_t>(~ip::sum_of_words(ByteView(bytes).first(kV4), 0)));
    std::memcpy(&bytes[10], &sum, 2);
  }
  ASSERT_TRUE(tun.write(bytes));
}

std::vector<ByteVector> sent_stream(bool v6, Offloads offloads, std::size_t& pieces) {
  Interface interface(offloads);
  const Descriptor socket = connect_to(v6, SOCK_STREAM);
  // At once, as a slow path gets small pieces; again if it was lost in the beginning.
  pollfd entry{socket.get(), POLLOUT, 0};
  std::size_t ignored = 0;
  for (int i = 0; i < 50 && ::poll(&entry, 1, i == 0 ? 0 : 100) == 0; ++i) {
    const auto packets = read_all(interface.tun, ignored, 1);
    if (!packets.empty()) answer_syn(interface.tun, packets.front(), v6);
  }
  while (!read_all(interface.tun, ignored).empty()) {  // the third packet of the handshake
  }
  const ByteVector text = ip::payload_of(4500);
  EXPECT_EQ(::send(socket.get(), text.data(), text.size(), 0), 4500);
  auto packets = read_all(interface.tun, pieces);
  // What was repeated meanwhile is not compared.
  packets.resize(std::min<std::size_t>(packets.size(), 5));
  make_comparable(packets);
  return packets;
}

TEST(TunOffloads, DatagramsAreCutAsTheKernelDoes) {
  IN_NAMESPACE({
    for (const bool v6 : {false, true}) {
      std::size_t reads = 0;
      std::size_t all = 0;
      const auto ours = sent_datagrams(v6, Offloads::AllThatTheKernelHas, reads);
      const auto kernels = sent_datagrams(v6, Offloads::None, all);
      EXPECT_EQ(kernels.size(), 7u);
      EXPECT_EQ(ours, kernels);
      EXPECT_EQ(all, 7u);
      EXPECT_EQ(reads, 1u);
    }
  });
}

TEST(TunOffloads, StreamsAreCutAsTheKernelDoes) {
  IN_NAMESPACE({
    for (const bool v6 : {false, true}) {
      std::size_t reads = 0;
      std::size_t all = 0;
      const auto ours = sent_stream(v6, Offloads::AllThatTheKernelHas, reads);
      const auto kernels = sent_stream(v6, Offloads::None, all);
      EXPECT_EQ(kernels.size(), 5u);
      EXPECT_EQ(ours, kernels);
      EXPECT_LT(reads, all);
    }
  });
}

TEST(TunOffloads, JoinedDatagramsArriveOneByOne) {
  IN_NAMESPACE({
    Interface interface(Offloads::AllThatTheKernelHas);
    const Descriptor socket = socket_at(false, SOCK_DGRAM);
    ip::Coalescer coalescer({.tcp = true, .udp = interface.tun.takes_udp_segments()});
    std::vector<ByteVector> packets;
    for (std::size_t i = 0; i < 7; ++i) {
      ip::InnerPacket packet{.tcp = false};
      packet.payload = ip::payload_of(i == 6 ? 300 : 500, i * 500);
      packets.push_back(packet.bytes());
      // From 100.64.7.9 to us: the sum of the addresses changes, that of the header as well.
      for (const auto& [at, text] : {std::pair(12, "100.64.7.9"), std::pair(16, "100.64.7.1")}) {
        const IpAddress address = *IpAddress::parse(text);
        std::memcpy(&packets.back()[static_cast<std::size_t>(at)], address.bytes().data(), 4);
      }
      const be16 port(kPort);
      std::memcpy(&packets.back()[22], &port, 2);
      for (const std::size_t at : {10u, 11u, 26u, 27u}) packets.back()[at] = std::byte{0};
      const be16 header(
          static_cast<std::uint16_t>(~ip::sum_of_words(ByteView(packets.back()).first(kV4), 0)));
      std::memcpy(&packets.back()[10], &header, 2);
      const be16 sum(static_cast<std::uint16_t>(~ip::transport_sum(packets.back(), kV4, 17)));
      std::memcpy(&packets.back()[26], &sum, 2);
    }
    for (ByteVector& packet : packets) coalescer.add(packet);
    std::size_t writes = 0;
    while (const auto output = coalescer.poll()) {
      EXPECT_TRUE(interface.tun.write(output->offload, output->parts));
      ++writes;
    }
    EXPECT_EQ(writes, interface.tun.takes_udp_segments() ? 1u : 7u);
    ByteVector buffer(2000);
    for (std::size_t i = 0; i < 7; ++i) {
      pollfd entry{socket.get(), POLLIN, 0};
      ASSERT_EQ(::poll(&entry, 1, 2000), 1);
      const ssize_t n = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
      const ByteVector expected = ip::payload_of(i == 6 ? 300 : 500, i * 500);
      ASSERT_EQ(static_cast<std::size_t>(n), expected.size());
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), buffer.begin()));
    }
  });
}

}  // namespace
}  // namespace trellis::system
