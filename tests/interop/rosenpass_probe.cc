// One end of a Rosenpass pair: the engine, a UDP socket, key files. For tests of what is on the
// wire; it keeps nothing secret but what it writes.
//
// Prints `exchanged OSK` (base64) for each key that the other end is known to have, and writes it
// to a file of mode 0600. With an endpoint it begins, without one it waits, and follows whoever
// proved to be the peer.

#include "base/address.h"
#include "base/hex.h"
#include "base/log.h"
#include "protocol/rosenpass/node.h"
#include "system/clock.h"
#include "system/random.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <system_error>

namespace trellis {
namespace {

using namespace rosenpass;

constexpr const char* kUsage =
    "usage: rosenpass-probe --own-secret FILE --own-public FILE --peer-public FILE\n"
    "                       --listen ADDRESS:PORT --key-out FILE\n"
    "                       [--endpoint ADDRESS:PORT] [--psk FILE] [--kind KIND] [--log LEVEL]\n"
    "  --endpoint  where the peer is; without it, wait for it\n"
    "  --psk       32 bytes in base64 that both ends have\n"
    "  --kind      what the peer is: trellis, rust or go. It decides where two exchanges collide\n";

[[noreturn]] void die(const std::string& text) {
  fmt::print(stderr, "rosenpass-probe: {}\n", text);
  std::exit(1);
}

using Options = std::map<std::string, std::string, std::less<>>;

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") {
      fmt::print("{}", kUsage);
      std::exit(0);
    }
    if (i + 1 == argc) die(fmt::format("{} wants a value\n{}", name, kUsage));
    options[name] = argv[++i];
  }
  return options;
}

const std::string& required(const Options& options, const char* name) {
  const auto found = options.find(name);
  if (found == options.end()) die(fmt::format("{} is missing\n{}", name, kUsage));
  return found->second;
}

ByteVector read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) die(fmt::format("cannot read {}", path));
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return to_vector(as_bytes(text));
}

ExchangePsk read_psk(const Options& options) {
  const auto found = options.find("--psk");
  if (found == options.end()) return ExchangePsk::zero();
  const ByteVector bytes = read_file(found->second);
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const auto psk = array_from_base64<32>(text);
  if (!psk) die(fmt::format("{} is not 32 bytes of base64", found->second));
  return ExchangePsk(*psk);
}

Endpoint parse_endpoint(const std::string& text) {
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint) die(fmt::format("{} is no address and port", text));
  return *endpoint;
}

PeerKind parse_kind(const std::string& text) {
  if (text == "trellis") return PeerKind::Trellis;
  if (text == "rust") return PeerKind::Stock;
  if (text == "go") return PeerKind::StockGo;
  die(text + " is no kind of peer");
}

/// The form that the socket interface wants, made and read by its own functions.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const std::string host = endpoint.address.to_string();
  const std::string port = std::to_string(endpoint.port);
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) die("bad address " + host);
  SocketAddress address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.size = found->ai_addrlen;
  freeaddrinfo(found);
  return address;
}

std::optional<Endpoint> to_endpoint(const SocketAddress& address) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getnameinfo(address.raw(), address.size, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return std::nullopt;
  }
  const auto ip = IpAddress::parse(host);
  if (!ip) return std::nullopt;
  return Endpoint{.address = *ip, .port = static_cast<std::uint16_t>(std::atoi(port))};
}

int open_socket(const Endpoint& listen) {
  const SocketAddress address = to_socket_address(listen);
  const int socket = ::socket(address.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0 || ::bind(socket, address.raw(), address.size) != 0) {
    die(fmt::format("cannot listen on {}: {}", listen.to_string(),
                    std::generic_category().message(errno)));
  }
  return socket;
}

class Probe {
 public:
  Probe(Node node, PeerId peer, int socket, std::string key_out)
      : node_(std::move(node)), peer_(peer), socket_(socket), key_out_(std::move(key_out)) {}

  [[noreturn]] void run() {
    while (true) {
      drain();
      wait();
      const TimePoint now = system::boot_now();
      const auto due = node_.next_timeout();
      if (due && *due <= now) node_.handle_timeout(now);
    }
  }

 private:
  /// Until a datagram came, or the next deadline.
  void wait() {
    int timeout_ms = -1;
    if (const auto due = node_.next_timeout()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - system::boot_now());
      timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    }
    pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, timeout_ms) == 1) receive();
  }

  void receive() {
    Bytes<2048> buffer;
    SocketAddress from;
    const ssize_t size =
        ::recvfrom(socket_, buffer.data(), buffer.size(), 0, from.raw(), &from.size);
    if (size < 0) return;  // an ICMP error of an earlier datagram
    if (const auto endpoint = to_endpoint(from)) {
      node_.handle_datagram(system::boot_now(), *endpoint,
                            ByteView(buffer).first(static_cast<std::size_t>(size)));
    }
  }

  void drain() {
    while (auto event = node_.poll_event()) {
      std::visit([this](auto& e) { on(e); }, *event);
    }
    while (const auto transmit = node_.poll_transmit()) {
      const SocketAddress to = to_socket_address(transmit->to);
      (void)::sendto(socket_, transmit->bytes.data(), transmit->bytes.size(), 0, to.raw(), to.size);
    }
  }

  void on(Pending& e) { pending_.emplace(std::move(e.osk)); }
  void on(Proven&) {
    if (pending_) announce(*pending_);
    pending_.reset();
  }
  void on(Accepted& e) {
    announce(e.osk);
    node_.set_path(system::boot_now(), peer_, e.from);
  }
  void on(Released&) { pending_.reset(); }
  void on(Expired&) { fmt::print(stderr, "expired\n"); }

  void announce(const OutputKey& osk) {
    const std::string text = to_base64(osk.expose());
    const int file = ::open(key_out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || ::write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      die("cannot write " + key_out_);
    }
    ::close(file);
    fmt::print("exchanged {}\n", text);
    std::fflush(stdout);
  }

  Node node_;
  PeerId peer_;
  int socket_;
  std::string key_out_;
  std::optional<OutputKey> pending_;
};

int run(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  if (const auto level = options.find("--log"); level != options.end()) {
    log::Level wanted{};
    if (!log::parse_level(level->second, wanted)) die("unknown level " + level->second);
    log::set_level(wanted);
    log::set_sink([](log::Level, std::string_view module, std::string_view text) {
      fmt::print(stderr, "{}: {}\n", module, text);
    });
  }
  const crypto::Suite& suite = crypto::suite_rosenpass();
  const ByteVector own_public = read_file(required(options, "--own-public"));
  const ByteVector peer_public = read_file(required(options, "--peer-public"));
  auto secret = normalise_secret_key(suite, read_file(required(options, "--own-secret")));
  if (!secret) die(required(options, "--own-secret") + ": " + secret.error().message);

  system::SystemRandom random;
  auto node = Node::create(suite, OwnKeys{own_public, *std::move(secret)}, random);
  if (!node) die("the own public key has a wrong size");
  PeerConfig config{.public_key = peer_public, .psk = read_psk(options)};
  if (const auto endpoint = options.find("--endpoint"); endpoint != options.end()) {
    config.path = parse_endpoint(endpoint->second);
  }
  if (const auto kind = options.find("--kind"); kind != options.end()) {
    config.kind = parse_kind(kind->second);
  }
  const int socket = open_socket(parse_endpoint(required(options, "--listen")));
  const auto peer = node->add_peer(system::boot_now(), std::move(config));
  if (!peer) die("the peer's public key has a wrong size, or is our own");
  Probe(*std::move(node), *peer, socket, required(options, "--key-out")).run();
}

}  // namespace
}  // namespace trellis

int main(int argc, char** argv) { return trellis::run(argc, argv); }
