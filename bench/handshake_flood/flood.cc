// Handshake initiations of strangers, as fast as one core sends them, and a socket that reads and
// drops them.
//
//   flood send ADDRESS PORT PUBLIC-KEY-IN-HEX SECONDS RATE    prints the datagrams sent
//   flood drain PORT    reads until its input ends; prints how many
//
// Of ten datagrams eight are initiations with a right mac1 and random else, one is an initiation
// with a wrong mac1, one is noise of another length. Their sources are 10.66.0.0/16, each time
// another one: the sender needs root, and answers to them a route back.

#include "base/hex.h"
#include "protocol/wireguard/mac.h"
#include "protocol/wireguard/messages.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

using namespace trellis;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 64;
constexpr std::size_t kMessages = 8192;
constexpr std::uint32_t kSources = 10U << 24 | 66U << 16;

int fail_loudly(const char* what) {
  std::perror(what);
  return 1;
}

struct Packet {
  iphdr ip{};
  udphdr udp{};
  std::array<std::byte, sizeof(wireguard::HandshakeInitiation)> text{};
};

void fill_random(void* bytes, std::size_t size) {
  auto* at = static_cast<std::byte*>(bytes);
  while (size > 0) {
    const ssize_t n = ::getrandom(at, size < 256 ? size : 256, 0);
    if (n <= 0) std::abort();
    at += n;
    size -= static_cast<std::size_t>(n);
  }
}

Packet make_packet(std::size_t number, const sockaddr_in& to, const crypto::PublicKey& victim) {
  wireguard::HandshakeInitiation message;
  fill_random(&message, sizeof message);
  message.type = wireguard::HandshakeInitiation::kType;
  message.mac2 = {};
  if (number % 10 != 8) wireguard::CookieJar(victim).add_macs({}, message);
  Packet packet;
  std::memcpy(packet.text.data(), &message, sizeof message);
  std::size_t size = sizeof message;
  if (number % 10 == 9) {
    fill_random(packet.text.data(), packet.text.size());
    size = 32 + number % 100;
  }
  packet.udp.source = htons(static_cast<std::uint16_t>(1024 + number % 50'000));
  packet.udp.dest = to.sin_port;
  packet.udp.len = htons(static_cast<std::uint16_t>(sizeof(udphdr) + size));
  packet.ip.version = 4;
  packet.ip.ihl = 5;
  packet.ip.ttl = 64;
  packet.ip.protocol = IPPROTO_UDP;
  packet.ip.tot_len = htons(static_cast<std::uint16_t>(sizeof(iphdr) + sizeof(udphdr) + size));
  packet.ip.daddr = to.sin_addr.s_addr;
  return packet;
}

/// At most `rate` packets a second; the core is never given up.
int send_flood(sockaddr_in to, const crypto::PublicKey& victim, double seconds, double rate) {
  const int socket = ::socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  if (socket < 0) return fail_loudly("socket");
  std::vector<Packet> packets;
  packets.reserve(kMessages);
  for (std::size_t i = 0; i < kMessages; ++i) packets.push_back(make_packet(i, to, victim));
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> vectors{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    messages[i].msg_hdr = {&to, sizeof to, &vectors[i], 1, nullptr, 0, 0};
  }
  std::printf("ready\n");
  std::fflush(stdout);
  std::uint64_t sent = 0;
  std::uint32_t host = 1;
  const auto begun = Clock::now();
  const auto end = begun + std::chrono::duration<double>(seconds);
  for (std::size_t next = 0; Clock::now() < end; next = (next + kBatch) % kMessages) {
    const auto due = begun + std::chrono::duration<double>(static_cast<double>(sent) / rate);
    while (Clock::now() < due) {
    }
    for (std::size_t i = 0; i < kBatch; ++i) {
      Packet& packet = packets[next + i];
      host = host % 65'000 + 1;
      packet.ip.saddr = htonl(kSources + host);
      vectors[i] = {&packet, ntohs(packet.ip.tot_len)};
    }
    const int n = ::sendmmsg(socket, messages.data(), kBatch, 0);
    if (n > 0) sent += static_cast<std::uint64_t>(n);
  }
  std::printf("%llu\n", static_cast<unsigned long long>(sent));
  return 0;
}

int drain(int port) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  if (socket < 0) return fail_loudly("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail_loudly("bind");
  }
  std::printf("ready\n");
  std::fflush(stdout);
  std::array<std::array<std::byte, 2048>, kBatch> buffers;
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> vectors{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    vectors[i] = {buffers[i].data(), buffers[i].size()};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  std::uint64_t received = 0;
  std::array<pollfd, 2> waiting{{{socket, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
  while (::poll(waiting.data(), waiting.size(), -1) >= 0 && waiting[1].revents == 0) {
    const int n = ::recvmmsg(socket, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (n > 0) received += static_cast<std::uint64_t>(n);
  }
  std::printf("%llu\n", static_cast<unsigned long long>(received));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "drain" && argc == 3) return drain(std::atoi(argv[2]));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  if (mode == "send" && argc == 7 && ::inet_pton(AF_INET, argv[2], &to.sin_addr) == 1) {
    to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[3])));
    if (const auto key = array_from_hex<32>(argv[4])) {
      return send_flood(to, crypto::PublicKey{*key}, std::atof(argv[5]), std::atof(argv[6]));
    }
  }
  std::fprintf(stderr,
               "flood send ADDRESS PORT PUBLIC-KEY-IN-HEX SECONDS RATE | flood drain PORT\n");
  return 2;
}
