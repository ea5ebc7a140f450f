#include "system/dns_socket.h"

#include "base/hex.h"
#include "protocol/dns/stream.h"
#include "system/clock.h"
#include "system/netns_test.h"
#include "system/route.h"
#include "system/socket_address.h"
#include "system/tun.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace trellis::system {
namespace {

const InterfaceAddress kV4 = *InterfaceAddress::parse("100.92.0.1/16");
const InterfaceAddress kV6 = *InterfaceAddress::parse("fd77:1:2:3::1/64");

/// A program of this host, or of another one: its socket is bound to `from`, if that is given.
Descriptor ask_from(const std::optional<IpAddress>& from, const IpAddress& to, int type) {
  SocketAddress address{};
  socklen_t length = to_socket_address({to, 53, 0}, address);
  Descriptor socket(::socket(address.any.sa_family, type | SOCK_NONBLOCK, 0));
  if (from) {
    SocketAddress own{};
    const socklen_t own_length = to_socket_address({*from, 0, 0}, own);
    EXPECT_EQ(::bind(socket.get(), &own.any, own_length), 0);
  }
  EXPECT_TRUE(::connect(socket.get(), &address.any, length) == 0 || errno == EINPROGRESS);
  return socket;
}

void put(const Descriptor& socket, ByteView bytes) {
  EXPECT_EQ(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

/// What has come, in hexadecimal; "nothing" or "closed".
std::string take(const Descriptor& socket) {
  std::array<std::byte, 8192> buffer;
  const ssize_t n = ::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN ? "nothing" : "closed";
  return n == 0 ? "closed" : to_hex(ByteView(buffer).first(static_cast<std::size_t>(n)));
}

/// A host with a tunnel and a resolver on its addresses, which answers a message with itself and
/// 'u' or 't' behind it; nothing to an empty one.
struct Host {
  explicit Host(DnsSocket::Options options = {}) : loop(Loop::create().value()) {
    EXPECT_EQ(std::system("ip link set lo up"), 0);  // NOLINT(concurrency-mt-unsafe)
    tun = Tun::create("trellis9").value();
    Routes routes = Routes::open().value();
    const auto index = routes.interface_index("trellis9").value();
    EXPECT_TRUE(routes.bring_up(index, 1280));
    options.addresses = {kV4.address, kV6.address};
    dns = DnsSocket::open(*loop, options, [](ByteView query, dns::Transport transport) {
            if (query.empty()) return std::optional<ByteVector>();
            ByteVector answer = to_vector(query);
            append(answer, as_bytes(transport == dns::Transport::Udp ? "u" : "t"));
            return std::optional(answer);
          }).value();
    // Only now: the addresses may come after the sockets.
    EXPECT_TRUE(routes.add_address(index, kV4));
    EXPECT_TRUE(routes.add_address(index, kV6));
    EXPECT_TRUE(routes.add_address(index, *InterfaceAddress::parse("192.0.2.1/24")));
    timer = loop->timer([this] { loop->stop(); }).value();
  }
  void run(Duration duration = 50ms) {
    timer.arm(boot_now() + duration);
    loop->run();
  }

  std::unique_ptr<Loop> loop;
  std::optional<Tun> tun;
  std::optional<DnsSocket> dns;
  Timer timer;
};

TEST(DnsSocket, AnswersProgramsOfThisHostByUdpAndTcpInBothFamilies) {
  IN_NAMESPACE({
    Host host;
    for (const IpAddress& address : {kV4.address, kV6.address}) {
      const Descriptor udp = ask_from(std::nullopt, address, SOCK_DGRAM);
      put(udp, as_bytes("q"));
      const Descriptor tcp = ask_from(std::nullopt, address, SOCK_STREAM);
      host.run();
      put(tcp, dns::frame(as_bytes("q")));
      host.run();
      EXPECT_EQ(take(udp), to_hex(as_bytes("qu")));
      EXPECT_EQ(take(tcp), to_hex(dns::frame(as_bytes("qt"))));
    }
    EXPECT_EQ(host.dns->counters().queries, 4u);
    EXPECT_EQ(host.dns->counters().strangers, 0u);
  });
}

TEST(DnsSocket, AnswersNobodyElse) {
  IN_NAMESPACE({
    Host host;
    // Any address that is neither a listening one nor loopback stands for another machine.
    const IpAddress other = *IpAddress::parse("192.0.2.1");
    const Descriptor udp = ask_from(other, kV4.address, SOCK_DGRAM);
    put(udp, as_bytes("q"));
    const Descriptor tcp = ask_from(other, kV4.address, SOCK_STREAM);
    const Descriptor loopback = ask_from(IpAddress::parse("127.0.0.1"), kV4.address, SOCK_DGRAM);
    put(loopback, as_bytes("q"));
    host.run();
    EXPECT_EQ(take(udp), "nothing");
    EXPECT_EQ(take(tcp), "closed");
    EXPECT_EQ(take(loopback), to_hex(as_bytes("qu")));
    EXPECT_EQ(host.dns->counters().strangers, 2u);
    EXPECT_EQ(host.dns->counters().queries, 1u);
  });
}

TEST(DnsSocket, TakesSeveralQueriesOfAConnectionHoweverTheyAreCut) {
  IN_NAMESPACE({
    Host host;
    const Descriptor tcp = ask_from(std::nullopt, kV4.address, SOCK_STREAM);
    host.run();
    ByteVector queries = dns::frame(as_bytes("one"));
    append(queries, dns::frame({}));
    append(queries, dns::frame(as_bytes("two")));
    for (const std::byte& b : queries) {
      put(tcp, ByteView(&b, 1));
      host.run(2ms);
    }
    host.run();
    ByteVector answers = dns::frame(as_bytes("onet"));
    append(answers, dns::frame(as_bytes("twot")));
    EXPECT_EQ(take(tcp), to_hex(answers));
  });
}

TEST(DnsSocket, BoundsItsConnections) {
  IN_NAMESPACE({
    Host host({.addresses = {}, .tcp_clients_max = 2, .tcp_idle_max = 200ms});
    std::vector<Descriptor> clients;
    for (int i = 0; i < 3; ++i) {
      clients.push_back(ask_from(std::nullopt, kV4.address, SOCK_STREAM));
      host.run();
    }
    EXPECT_EQ(take(clients[0]), "nothing");
    EXPECT_EQ(take(clients[1]), "nothing");
    EXPECT_EQ(take(clients[2]), "closed");
    EXPECT_EQ(host.dns->counters().refused, 1u);
    put(clients[1], *from_hex("0005aa"));  // an unfinished query is no reason to wait for ever
    host.run(400ms);
    EXPECT_EQ(take(clients[0]), "closed");
    EXPECT_EQ(take(clients[1]), "closed");

    const Descriptor later = ask_from(std::nullopt, kV4.address, SOCK_STREAM);
    host.run();
    put(later, *from_hex("ffff"));  // so long a query is none
    host.run();
    EXPECT_EQ(take(later), "closed");
  });
}

TEST(DnsSocket, ReadsNoFurtherForOneWhoTakesNoAnswers) {
  IN_NAMESPACE({
    Host host;
    const Descriptor tcp = ask_from(std::nullopt, kV4.address, SOCK_STREAM);
    host.run();
    const ByteVector query = dns::frame(ByteVector(4000, std::byte{'x'}));
    const auto send_all = [&] {
      std::size_t sent = 0;
      while (::send(tcp.get(), query.data(), query.size(), MSG_NOSIGNAL) > 0) ++sent;
      return sent;
    };
    for (int i = 0; i < 500 && send_all() > 0; ++i) host.run(5ms);
    const auto queries = host.dns->counters().queries;
    EXPECT_GT(queries, 0u);
    host.run();
    EXPECT_EQ(send_all(), 0u);
    EXPECT_EQ(host.dns->counters().queries, queries);

    const Descriptor udp = ask_from(std::nullopt, kV4.address, SOCK_DGRAM);
    put(udp, as_bytes("q"));
    host.run();
    EXPECT_EQ(take(udp), to_hex(as_bytes("qu")));  // others are served meanwhile
  });
}

TEST(DnsSocket, SaysWhoseThePortIs) {
  IN_NAMESPACE({
    Host host;
    const auto second =
        DnsSocket::open(*host.loop, {.addresses = {kV4.address}},
                        [](ByteView, dns::Transport) { return std::optional<ByteVector>(); });
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message.find("100.92.0.1:53 is in use"), std::string::npos)
        << second.error().message;
  });
}

}  // namespace
}  // namespace trellis::system
