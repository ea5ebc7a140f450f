#pragma once

// What the tests of streams share: both ends in one loop, and a wire between them that can be slow.

#include "system/clock.h"
#include "system/descriptor.h"
#include "system/socket_address.h"
#include "system/stream_listener.h"
#include "system/temporary_folder_test.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <list>
#include <thread>

namespace trellis::system {

inline const Endpoint kAnyPort{*IpAddress::parse("127.0.0.1"), 0, 0};

inline Descriptor connect_to(const Endpoint& endpoint) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  SocketAddress address{};
  const socklen_t length = to_socket_address(endpoint, address);
  const timeval patience{5, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  CHECK(::connect(socket.get(), &address.any, length) == 0);
  return socket;
}

inline Descriptor listen_anywhere(Endpoint& endpoint) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  SocketAddress address{};
  socklen_t length = to_socket_address(kAnyPort, address);
  CHECK(::bind(socket.get(), &address.any, length) == 0 && ::listen(socket.get(), 8) == 0);
  CHECK(::getsockname(socket.get(), &address.any, &length) == 0);
  endpoint = to_endpoint(address);
  return socket;
}

/// A wire that hands on `piece` bytes at a time, stops, or is cut. Takes one connection.
class Wire {
 public:
  Wire(const Endpoint& to, std::size_t piece) : to_(to), piece_(piece) {
    listening_ = listen_anywhere(from_);
    thread_ = std::thread([this] { run(); });
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() {
    cut_ = true;
    thread_.join();
  }
  const Endpoint& endpoint() const { return from_; }
  void stop(bool stopped) { stopped_ = stopped; }
  void cut() { cut_ = true; }

 private:
  void run() {
    pollfd waiting{listening_.get(), POLLIN, 0};
    while (::poll(&waiting, 1, 5) == 0) {
      if (cut_) return;
    }
    const Descriptor client(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const Descriptor server = connect_to(to_);
    for (const Descriptor* socket : {&client, &server}) {
      const int on = 1;
      ::setsockopt(socket->get(), IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
    }
    while (!cut_) {
      std::array<pollfd, 2> sockets{{{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}}};
      if (stopped_ || ::poll(sockets.data(), sockets.size(), 5) <= 0) {
        if (stopped_) std::this_thread::sleep_for(1ms);
        continue;
      }
      if (sockets[0].revents != 0 && !pass(client, server)) return;
      if (sockets[1].revents != 0 && !pass(server, client)) return;
    }
  }
  bool pass(const Descriptor& from, const Descriptor& to) const {
    std::array<char, 65536> bytes;
    const ssize_t n = ::recv(from.get(), bytes.data(), std::min(piece_, bytes.size()), 0);
    return n > 0 && ::send(to.get(), bytes.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL) == n;
  }

  Endpoint from_;
  const Endpoint to_;
  const std::size_t piece_;
  Descriptor listening_;
  std::atomic<bool> stopped_ = false;
  std::atomic<bool> cut_ = false;
  std::thread thread_;
};

/// One end of a connection, and what happened there.
struct StreamEnd {
  Stream stream;
  std::string received;
  std::optional<std::string> closed;
  bool connected = false;
  int writable = 0;

  Stream::Events events() {
    return {.connected = [this] { connected = true; },
            .received =
                [this](ByteView bytes) {
                  received.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                },
            .writable = [this] { ++writable; },
            .closed = [this](const std::string& why) { closed = why; }};
  }
  bool send(std::string_view text) { return stream.send(as_bytes(text)); }
};

class StreamTest : public ::testing::Test {
 protected:
  StreamTest() {
    server_tls_ = ServerTls::load_or_create(folder_.path(), {"localhost", "127.0.0.1"}).value();
  }

  void listen(StreamListener::Options options = {}) { listen_with(&*server_tls_, options); }
  void listen_with(const ServerTls* tls, StreamListener::Options options = {}) {
    if (options.endpoints.empty()) options.endpoints = {kAnyPort};
    listener_ =
        StreamListener::listen(*loop_, tls, options, [this](Stream stream, const Endpoint&) {
          accepted_.emplace_back();
          StreamEnd& end = accepted_.back();
          end.stream = std::move(stream);
          end.stream.start(end.events());
        }).value();
  }
  Endpoint server() const { return listener_->endpoints().front(); }

  ClientTls::Options pinned() const {
    return {.server_name = "localhost", .pinned_key = server_tls_->fingerprint()};
  }
  void connect(StreamEnd& end, const Endpoint& to, std::optional<ClientTls::Options> tls,
               Duration timeout = 5s) {
    end.stream = Stream::connect(
        *loop_, *resolver_, tls ? std::optional(ClientTls::create(*tls).value()) : std::nullopt,
        {.host = to.address.to_string(), .port = to.port, .timeout = timeout}, end.events());
  }
  /// Connects and waits until both ends are there, or the client's is not to be.
  void join(StreamEnd& end) { join(end, server(), pinned()); }
  void join(StreamEnd& end, const Endpoint& to, std::optional<ClientTls::Options> tls) {
    connect(end, to, std::move(tls));
    EXPECT_TRUE(run_until([&] { return (end.connected && !accepted_.empty()) || end.closed; }));
  }

  /// Runs the loop until that is so. False: it did not become so in time.
  bool run_until(const std::function<bool()>& condition, Duration patience = 20s) {
    const TimePoint end = boot_now() + patience;
    std::function<void()> check;
    Timer timer = loop_->timer([&] { check(); }).value();
    check = [&] {
      if (condition() || boot_now() > end) return loop_->stop();
      timer.arm(boot_now() + 1ms);
    };
    timer.arm(boot_now());
    loop_->run();
    return condition();
  }

  TemporaryFolder folder_;
  std::unique_ptr<Loop> loop_ = Loop::create().value();
  std::optional<Resolver> resolver_ = Resolver::create(*loop_).value();
  std::optional<ServerTls> server_tls_;
  std::list<StreamEnd> accepted_;
  std::optional<StreamListener> listener_;
};

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace trellis::system
