#include "system/dns_socket.h"

#include "protocol/dns/stream.h"
#include "system/answering_clients.h"
#include "system/descriptor.h"
#include "system/socket_address.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>

namespace trellis::system {
namespace {

constexpr std::size_t kQueryBytesMax = 4096;
constexpr int kAtATime = 64;  // the loop has others to serve

tl::unexpected<Error> port_error(const char* protocol, const Endpoint& endpoint, int number) {
  const std::string where = endpoint.to_string();
  if (number == EADDRINUSE) {
    return fail_with(
        fmt::format("{} port {} is in use by another program, which `ss -lnp sport = "
                    ":{}` names: let it leave out the address {}",
                    protocol, where, endpoint.port, endpoint.address.to_string()));
  }
  if (number == EACCES) {
    return fail_with(fmt::format("{} port {} may be used by root only", protocol, where));
  }
  return fail_with_errno(fmt::format("cannot listen on {} port {}", protocol, where), number);
}

Result<Descriptor> bind_to(const Endpoint& endpoint, int type) {
  const char* protocol = type == SOCK_DGRAM ? "UDP" : "TCP";
  SocketAddress address{};
  const socklen_t length = to_socket_address(endpoint, address);
  Descriptor socket(
      ::socket(address.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, /*protocol=*/0));
  if (!socket.valid()) return port_error(protocol, endpoint, errno);
  const int on = 1;
  const bool v4 = endpoint.address.is_v4();
  // The interface may come later, or go and come again.
  const int level = v4 ? int{IPPROTO_IP} : int{IPPROTO_IPV6};
  const int free_bind = v4 ? IP_FREEBIND : IPV6_FREEBIND;
  if (::setsockopt(socket.get(), level, free_bind, &on, sizeof on) != 0 ||
      (type == SOCK_STREAM &&
       ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) ||
      ::bind(socket.get(), &address.any, length) != 0 ||
      (type == SOCK_STREAM && ::listen(socket.get(), 16) != 0)) {
    return port_error(protocol, endpoint, errno);
  }
  return socket;
}

/// What a program asks over one TCP connection.
class DnsConversation final : public Conversation {
 public:
  DnsConversation(DnsSocket::Handler& handler, DnsSocket::Counters& counters)
      : handler_(handler), counters_(counters) {}

  void receive(ByteView bytes) override { reader_.receive(bytes); }
  bool failed() const override { return reader_.failed(); }

  std::optional<ByteVector> answer_next() override {
    const auto query = reader_.next();
    if (!query) return std::nullopt;
    ++counters_.queries;
    const auto answer = handler_(*query, dns::Transport::Tcp);
    return answer ? dns::frame(*answer) : ByteVector{};
  }

 private:
  DnsSocket::Handler& handler_;
  DnsSocket::Counters& counters_;
  dns::StreamReader reader_{kQueryBytesMax};
};

}  // namespace

/// Everything about the sockets, at an address that callbacks can keep.
struct DnsSocket::State {
  struct Listener {
    Descriptor socket;
    Watch watch;
  };

  State(Loop& loop_of_all, Options what, Handler how)
      : loop(loop_of_all), options(std::move(what)), handler(std::move(how)) {}

  Result<> listen_on(const IpAddress& address);
  bool is_of_this_host(const IpAddress& source) const;

  void receive(int socket);
  void accept_all(int socket);

  Loop& loop;
  Options options;
  Handler handler;
  Counters counters;
  std::list<Listener> listeners;
  std::unique_ptr<AnsweringClients> clients;
};

Result<> DnsSocket::State::listen_on(const IpAddress& address) {
  const Endpoint endpoint{address, options.port, 0};
  for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
    Listener& listener = listeners.emplace_back();
    listener.socket = TRY(bind_to(endpoint, type));
    const int socket = listener.socket.get();
    listener.watch = TRY(loop.watch(socket, Ready::Read, [this, socket, type] {
      type == SOCK_DGRAM ? receive(socket) : accept_all(socket);
    }));
  }
  return {};
}

/// The kernel takes no packet from outside that claims to be from an address of this host.
bool DnsSocket::State::is_of_this_host(const IpAddress& source) const {
  return source.is_loopback() ||
         std::ranges::find(options.addresses, source) != options.addresses.end();
}

void DnsSocket::State::receive(int socket) {
  std::array<std::byte, kQueryBytesMax> buffer;
  for (int i = 0; i < kAtATime; ++i) {
    SocketAddress from{};
    socklen_t length = sizeof from;
    const ssize_t n =
        ::recvfrom(socket, buffer.data(), buffer.size(), MSG_TRUNC, &from.any, &length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n < 0) continue;  // an error of an earlier answer
    if (!is_of_this_host(to_endpoint(from).address)) {
      ++counters.strangers;
      continue;
    }
    const auto size = static_cast<std::size_t>(n);
    if (size > buffer.size()) continue;
    ++counters.queries;
    const auto answer = handler(ByteView(buffer).first(size), dns::Transport::Udp);
    // A full buffer loses it, as the network might: the asker tries again.
    if (answer) ::sendto(socket, answer->data(), answer->size(), 0, &from.any, length);
  }
}

void DnsSocket::State::accept_all(int socket) {
  for (int i = 0; i < kAtATime; ++i) {
    SocketAddress from{};
    socklen_t length = sizeof from;
    Descriptor connection(::accept4(socket, &from.any, &length, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) break;
    if (!is_of_this_host(to_endpoint(from).address)) {
      ++counters.strangers;
      continue;  // closes it
    }
    if (clients->size() >= options.tcp_clients_max) {
      ++counters.refused;
      continue;
    }
    // Answers are short and do not wait for each other; without it they only come later.
    const int on = 1;
    ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    clients->add(std::move(connection), std::make_unique<DnsConversation>(handler, counters));
  }
}

DnsSocket::DnsSocket(std::unique_ptr<State> state) : state_(std::move(state)) {}
DnsSocket::DnsSocket(DnsSocket&&) noexcept = default;
DnsSocket& DnsSocket::operator=(DnsSocket&&) noexcept = default;
DnsSocket::~DnsSocket() = default;

Result<DnsSocket> DnsSocket::open(Loop& loop, Options options, Handler handler) {
  auto state = std::make_unique<State>(loop, std::move(options), std::move(handler));
  State* raw = state.get();
  raw->clients = TRY(AnsweringClients::create(loop, raw->options.tcp_idle_max));
  for (const IpAddress& address : raw->options.addresses) TRY(raw->listen_on(address));
  return DnsSocket(std::move(state));
}

const DnsSocket::Counters& DnsSocket::counters() const { return state_->counters; }

}  // namespace trellis::system
