#include "apps/rosenpass/ports.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace trellis::rosenpass_program {
namespace {

using system::DatagramSocket;

constexpr int kAtATime = 64;            // the loop has others to serve
constexpr std::size_t kLongest = 2048;  // all messages are shorter

/// Both families by one socket, or IPv4 alone where the host has no IPv6.
Result<DatagramSocket> bind_anywhere() {
  auto both = DatagramSocket::bind(Endpoint{IpAddress::v6({}), 0});
  if (both) return both;
  return DatagramSocket::bind(Endpoint{IpAddress::v4({}), 0});
}

}  // namespace

Result<std::unique_ptr<Ports>> Ports::open(system::Loop& loop, std::vector<Endpoint> listen,
                                           Handlers handlers) {
  auto ports = std::unique_ptr<Ports>(new Ports(std::move(handlers)));
  for (const Endpoint& at : listen) {
    // "[::]:1" takes IPv4 as well, unless "0.0.0.0:1" is there, too.
    const bool v4_beside = std::ranges::any_of(
        listen, [&](const Endpoint& e) { return e.address.is_v4() && e.port == at.port; });
    const auto families =
        v4_beside ? DatagramSocket::Families::V6Only : DatagramSocket::Families::Both;
    ports->sockets_.push_back(TRY(DatagramSocket::bind(at, families)));
  }
  if (listen.empty()) ports->sockets_.push_back(TRY(bind_anywhere()));
  for (std::size_t i = 0; i < ports->sockets_.size(); ++i) {
    ports->watches_.push_back(TRY(loop.watch(ports->sockets_[i].descriptor(), system::Ready::Read,
                                             [raw = ports.get(), i] { raw->receive(i); })));
  }
  return ports;
}

std::vector<Endpoint> Ports::local() const {
  std::vector<Endpoint> result;
  for (const DatagramSocket& socket : sockets_) result.push_back(socket.local());
  return result;
}

int Ports::send(const Endpoint& to, ByteView datagram, std::optional<std::size_t> preferred) {
  int error = EAFNOSUPPORT;
  if (preferred && sockets_[*preferred].reaches(to.address)) {
    error = sockets_[*preferred].send(to, datagram);
    if (error == 0) return 0;
  }
  for (DatagramSocket& socket : sockets_) {
    if (!socket.reaches(to.address)) continue;
    error = socket.send(to, datagram);
    if (error == 0) return 0;
  }
  return error;
}

void Ports::receive(std::size_t socket) {
  std::array<std::byte, kLongest> buffer;
  for (int i = 0; i < kAtATime; ++i) {
    const auto received = sockets_[socket].receive(buffer);
    if (!received) break;
    handlers_.datagram(received->from, received->bytes, socket);
  }
  handlers_.pause();
}

}  // namespace trellis::rosenpass_program
