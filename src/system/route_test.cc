#include "system/route.h"

#include "protocol/ip/segment.h"
#include "system/netns_test.h"
#include "system/tun.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace trellis::system {
namespace {

const InterfaceAddress kV4 = *InterfaceAddress::parse("100.64.7.1/16");
const InterfaceAddress kV6 = *InterfaceAddress::parse("fd00:7::1/64");

/// The errno of sending to somebody in the overlay, 0 if it was sent.
int send_to(const char* address) {
  const IpAddress ip = *IpAddress::parse(address);
  const Descriptor socket(::socket(ip.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM, 0));
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(9);
  if (ip.is_v4()) {
    std::memcpy(&v4.sin_addr, ip.bytes().data(), 4);
  } else {
    std::memcpy(&v6.sin6_addr, ip.bytes().data(), 16);
  }
  const auto* target =
      ip.is_v4() ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
  const ssize_t n = ::sendto(socket.get(), "x", 1, 0, target, ip.is_v4() ? sizeof v4 : sizeof v6);
  return n < 0 ? errno : 0;
}

/// Our packets that come within seconds, each whole.
std::vector<ByteVector> read_within(Tun& tun) {
  std::vector<ByteVector> packets;
  pollfd entry{tun.descriptor(), POLLIN, 0};
  for (int i = 0; i < 20 && packets.empty(); ++i) {
    ::poll(&entry, 1, 500);
    ByteVector buffer(Tun::kPacketBytesMax);
    while (true) {
      const auto packet = tun.read(buffer);
      if (!packet || !*packet) break;
      if (!ip::finish_checksum((*packet)->offload, (*packet)->bytes)) break;
      // The kernel says hello on a new interface by itself; look for ours.
      const ByteVector bytes = to_vector((*packet)->bytes);
      if (bytes.size() >= 28 && bytes.back() == std::byte{'x'}) packets.push_back(bytes);
    }
  }
  return packets;
}

TEST(Tun, CarriesPacketsBothWays) {
  IN_NAMESPACE({
    Tun tun = Tun::create("trellis9").value();
    EXPECT_EQ(tun.name(), "trellis9");
    Routes routes = Routes::open().value();
    const auto index = routes.interface_index("trellis9").value();
    ASSERT_TRUE(routes.bring_up(index, 1280));
    ASSERT_TRUE(routes.add_address(index, kV4));
    ASSERT_TRUE(routes.add_address(index, kV4));  // again is fine
    ASSERT_TRUE(routes.add_address(index, kV6));

    EXPECT_EQ(send_to("100.64.7.9"), 0);
    auto packets = read_within(tun);
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_EQ(packets[0].size(), 29u);  // IPv4, UDP, one byte
    EXPECT_EQ(packets[0][0], std::byte{0x45});

    EXPECT_EQ(send_to("fd00:7::9"), 0);  // at once: no duplicate address detection
    auto v6_packets = read_within(tun);
    ASSERT_EQ(v6_packets.size(), 1u);
    EXPECT_EQ(v6_packets[0][0] & std::byte{0xf0}, std::byte{0x60});

    // Back: swap the addresses of the IPv4 packet (its checksums stay right), listen, and write it.
    const Descriptor listener(::socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_port = htons(9);
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&own), sizeof own), 0);
    EXPECT_EQ(send_to("100.64.7.9"), 0);
    packets = read_within(tun);
    ASSERT_EQ(packets.size(), 1u);
    std::swap_ranges(packets[0].begin() + 12, packets[0].begin() + 16, packets[0].begin() + 16);
    EXPECT_TRUE(tun.write(packets[0]));
    pollfd entry{listener.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 2000), 1);
  });
}

TEST(Tun, TellsThatItWasRemoved) {
  IN_NAMESPACE({
    Tun tun = Tun::create("trellis9").value();
    Routes routes = Routes::open().value();
    const auto index = routes.interface_index("trellis9").value();
    ASSERT_TRUE(routes.bring_up(index, 1280));
    ASSERT_TRUE(routes.delete_interface(index));
    ByteVector buffer(2048);
    const auto read = tun.read(buffer);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error(), TunError::Gone);
    const ByteVector packet(40, std::byte{0x45});
    const auto written = tun.write(packet);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error(), TunError::Gone);
    EXPECT_FALSE(routes.interface_index("trellis9"));
  });
}

TEST(Tun, RefusedPacketsAreNotTheEnd) {
  IN_NAMESPACE({
    Tun tun = Tun::create("trellis9").value();  // down
    const ByteVector packet(40, std::byte{0x45});
    const auto written = tun.write(packet);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error(), TunError::Failed);
    EXPECT_EQ(tun.dropped(), 1u);
  });
}

TEST(Tun, ATakenNameIsAnError) {
  IN_NAMESPACE({
    const Tun first = Tun::create("trellis9").value();
    const auto second = Tun::create("trellis9");
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message.find("trellis9"), std::string::npos);
    const auto lo = Tun::create("lo");
    ASSERT_FALSE(lo);
    EXPECT_NE(lo.error().message.find("another"), std::string::npos) << lo.error().message;
  });
}

TEST(Tun, WithoutRootTheErrorSaysSo) {
  IN_NAMESPACE({
    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    const auto tun = Tun::create("trellis9");
    ASSERT_FALSE(tun);
    EXPECT_NE(tun.error().message.find("root"), std::string::npos) << tun.error().message;
    const auto guard = Routes::open().value().add_guard(kV4.network(), "trellis9");
    ASSERT_FALSE(guard);
    EXPECT_NE(guard.error().message.find("root"), std::string::npos) << guard.error().message;
  });
}

TEST(Tun, NamesOfInterfacesAreChecked) {
  for (const char* name : {"trellis0", "wg-home", "a", "fifteen.letters"}) {
    EXPECT_TRUE(check_interface_name(name)) << name;
  }
  for (const char* name : {"", "sixteen_letters_", "a b", "a/b", "wg%d", "..", "ü"}) {
    EXPECT_FALSE(check_interface_name(name)) << name;
  }
}

TEST(Routes, AddressesComeAndGo) {
  IN_NAMESPACE({
    const Tun tun = Tun::create("trellis9").value();
    Routes routes = Routes::open().value();
    const auto index = routes.interface_index("trellis9").value();
    ASSERT_TRUE(routes.bring_up(index, 1280));
    ASSERT_TRUE(routes.add_address(index, kV4));
    ASSERT_TRUE(routes.add_address(index, kV6));
    const auto present = routes.addresses(index).value();
    EXPECT_EQ(std::count(present.begin(), present.end(), kV4), 1);
    EXPECT_EQ(std::count(present.begin(), present.end(), kV6), 1);
    ASSERT_TRUE(routes.remove_address(index, kV4));
    ASSERT_TRUE(routes.remove_address(index, kV4));
    const auto rest = routes.addresses(index).value();
    EXPECT_EQ(std::count(rest.begin(), rest.end(), kV4), 0);
  });
}

TEST(Routes, RoutesComeAndGo) {
  IN_NAMESPACE({
    const Tun tun = Tun::create("trellis9").value();
    Routes routes = Routes::open().value();
    const auto index = routes.interface_index("trellis9").value();
    ASSERT_TRUE(routes.bring_up(index, 1280));
    ASSERT_TRUE(routes.add_address(index, kV4));
    for (const char* text : {"10.77.0.0/16", "fd00:77::/48"}) {
      const Prefix prefix = *Prefix::parse(text);
      const char* inside = prefix.address().is_v4() ? "10.77.1.1" : "fd00:77::1";
      EXPECT_NE(send_to(inside), 0) << text;
      ASSERT_TRUE(routes.replace_route(prefix, index));
      ASSERT_TRUE(routes.replace_route(prefix, index));
      EXPECT_EQ(routes.overlapping(prefix, 0).value().size(), 1u);
      EXPECT_EQ(routes.overlapping(prefix, index).value().size(), 0u);
      ASSERT_TRUE(routes.remove_route(prefix, index));
      ASSERT_TRUE(routes.remove_route(prefix, index));
      EXPECT_NE(send_to(inside), 0) << text;
    }
    EXPECT_EQ(send_to("100.64.9.9"), 0);
  });
}

TEST(Routes, AGuardLetsTheInterfaceWinAndOutlivesIt) {
  IN_NAMESPACE({
    Routes routes = Routes::open().value();
    // The way out: a default route by which packets would leave in clear.
    const Tun uplink = Tun::create("uplink").value();
    const auto uplink_index = routes.interface_index("uplink").value();
    ASSERT_TRUE(routes.bring_up(uplink_index, 1500));
    ASSERT_TRUE(routes.add_address(uplink_index, *InterfaceAddress::parse("192.0.2.1/24")));
    ASSERT_TRUE(routes.add_address(uplink_index, *InterfaceAddress::parse("2001:db8::1/64")));
    ASSERT_TRUE(routes.replace_route(*Prefix::parse("0.0.0.0/0"), uplink_index));
    ASSERT_TRUE(routes.replace_route(*Prefix::parse("::/0"), uplink_index));
    EXPECT_EQ(send_to("100.64.7.9"), 0);
    EXPECT_EQ(send_to("fd00:7::9"), 0);

    ASSERT_TRUE(routes.add_guard(kV4.network(), "trellis9"));
    ASSERT_TRUE(routes.add_guard(kV4.network(), "trellis9"));  // a predecessor's is taken over
    ASSERT_TRUE(routes.add_guard(kV6.network(), "trellis9"));
    EXPECT_EQ(send_to("100.64.7.9"), EHOSTUNREACH);
    EXPECT_EQ(send_to("fd00:7::9"), EHOSTUNREACH);
    {
      Tun tun = Tun::create("trellis9").value();
      const auto index = routes.interface_index("trellis9").value();
      ASSERT_TRUE(routes.bring_up(index, 1280));
      ASSERT_TRUE(routes.add_address(index, kV4));
      ASSERT_TRUE(routes.add_address(index, kV6));
      EXPECT_EQ(send_to("100.64.7.9"), 0);
      EXPECT_EQ(read_within(tun).size(), 1u);
      EXPECT_EQ(send_to("fd00:7::9"), 0);
      EXPECT_EQ(read_within(tun).size(), 1u);
    }
    // The interface went with its process: refused, not sent by the default route.
    EXPECT_EQ(send_to("100.64.7.9"), EHOSTUNREACH);
    EXPECT_EQ(send_to("fd00:7::9"), EHOSTUNREACH);
    EXPECT_EQ(send_to("198.51.100.1"), 0);

    EXPECT_EQ(routes.guards("trellis9").value().size(), 2u);
    EXPECT_EQ(routes.guards("trellis8").value().size(), 0u);
    ASSERT_TRUE(routes.remove_guards("trellis8"));  // another agent's: not ours to touch
    EXPECT_EQ(routes.guards("trellis9").value().size(), 2u);
    ASSERT_TRUE(routes.remove_guards("trellis9", {kV6.network()}));
    EXPECT_EQ(routes.guards("trellis9").value(), std::vector<Prefix>{kV6.network()});
    ASSERT_TRUE(routes.remove_guards("trellis9"));
    EXPECT_EQ(routes.guards("trellis9").value().size(), 0u);
    EXPECT_EQ(send_to("100.64.7.9"), 0);
  });
}

TEST(Routes, TheMtuIsWhatWasSetLast) {
  IN_NAMESPACE({
    Routes routes = Routes::open().value();
    std::uint32_t index = 0;
    {
      const Tun tun = Tun::create("trellis9").value();
      index = routes.interface_index("trellis9").value();
      ASSERT_TRUE(routes.set_mtu(index, 1420));
      EXPECT_EQ(routes.mtu(index).value(), 1420u);
      ASSERT_TRUE(routes.bring_up(index, 1280));
      EXPECT_EQ(routes.mtu(index).value(), 1280u);
      EXPECT_FALSE(routes.set_mtu(index, 1u << 30));
    }
    EXPECT_FALSE(routes.mtu(index));
  });
}

}  // namespace
}  // namespace trellis::system
