// Small UDP packets at a rate, and how many of them arrive: what iperf3 is too slow for.
//
//   udp_load receive PORT           prints the packets received so far, ten times a second
//   udp_load send ADDRESS PORT SIZE RATE SECONDS    prints the packets sent; RATE 0: all it can
//
// No offloads: each datagram goes through the stack by itself, as those of many flows would.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 32;
constexpr int kBufferBytes = 8 << 20;
constexpr auto kTellEvery = std::chrono::milliseconds(100);

struct Batch {
  explicit Batch(std::size_t size) : bytes(kBatch * size) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors[i] = {bytes.data() + i * size, size};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
  std::vector<char> bytes;
  std::array<iovec, kBatch> vectors{};
  std::array<mmsghdr, kBatch> messages{};
};

int fail(const char* what) {
  std::perror(what);
  return 1;
}

sockaddr_in address_of(const char* text, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (::inet_pton(AF_INET, text, &address.sin_addr) != 1) address.sin_port = 0;
  return address;
}

int receive(int port) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  if (socket < 0) return fail("socket");
  const sockaddr_in own = address_of("0.0.0.0", port);
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return fail("bind");
  std::puts("ready");
  std::fflush(stdout);
  Batch batch(2048);
  std::uint64_t count = 0;
  auto next = Clock::now() + kTellEvery;
  while (true) {
    pollfd entry{socket, POLLIN, 0};
    ::poll(&entry, 1, 20);
    const int n = ::recvmmsg(socket, batch.messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (n > 0) count += static_cast<std::uint64_t>(n);
    if (Clock::now() < next) continue;
    std::printf("%llu\n", static_cast<unsigned long long>(count));
    std::fflush(stdout);
    next += kTellEvery;
  }
}

int send(const sockaddr_in& to, std::size_t size, double rate, double seconds) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  if (socket < 0) return fail("socket");
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &kBufferBytes, sizeof kBufferBytes);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    return fail("connect");
  }
  Batch batch(size);
  const auto begun = Clock::now();
  const auto end = begun + std::chrono::duration<double>(seconds);
  std::uint64_t sent = 0;
  while (true) {
    const auto now = Clock::now();
    if (now >= end) break;
    std::size_t due = kBatch;
    if (rate > 0) {
      const double so_far = std::chrono::duration<double>(now - begun).count() * rate;
      if (so_far < static_cast<double>(sent) + 1) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        continue;
      }
      due = std::min(kBatch, static_cast<std::size_t>(so_far) - static_cast<std::size_t>(sent));
    }
    const int n = ::sendmmsg(socket, batch.messages.data(), static_cast<unsigned>(due), 0);
    // A full queue of the device refuses packets: those count as sent and lost.
    sent += n > 0 ? static_cast<std::uint64_t>(n) : 1;
  }
  std::printf("%llu\n", static_cast<unsigned long long>(sent));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "receive" && argc == 3) return receive(std::atoi(argv[2]));
  if (verb == "send" && argc == 7) {
    return send(address_of(argv[2], std::atoi(argv[3])),
                static_cast<std::size_t>(std::atoi(argv[4])), std::atof(argv[5]),
                std::atof(argv[6]));
  }
  std::fprintf(stderr, "usage: udp_load receive PORT | send ADDRESS PORT SIZE RATE SECONDS\n");
  return 2;
}
