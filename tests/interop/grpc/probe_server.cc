#include "probe_server.h"

#include "probe_line.h"
#include "protocol/grpc/server_connection.h"

#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

namespace trellis::probe {
namespace {

using namespace grpc;

constexpr std::size_t kPrefaceBytes = 24;
constexpr int kPing = 6;
constexpr std::size_t kFloodPiece = 64U << 10;
constexpr std::size_t kFloodTotal = 256U << 20;
constexpr std::size_t kFloodQueue = 512U << 10;

struct RunningCall {
  std::string method;
  Metadata metadata;
  std::size_t messages = 0;
  std::size_t bytes = 0;
};

/// One connection and the calls on it.
class Session {
 public:
  Session(int fd, const ServeOptions& options)
      : line_(fd, ServerConnection(now(), limits(options)), options.piece, kPrefaceBytes) {}

  pollfd wish() { return line_.wish(); }
  int wait_ms(Duration limit) const { return line_.wait_ms(limit); }
  bool handle(short revents) {
    line_.handle(revents);
    while (auto event = line_.engine.poll_event()) {
      std::visit([&](auto& one) { on(one); }, *event);
    }
    for (auto& [call, running] : calls_) {
      if (running.method == "/echo.Echo/Flood") flood(call, running);
    }
    if (!line_.over()) return true;
    std::printf("closed %s pings=%zu\n", line_.engine.close_reason().c_str(),
                line_.frames.count(kPing));
    return false;
  }

 private:
  static ServerLimits limits(const ServeOptions& options) {
    ServerLimits limits;
    limits.message_bytes_max = 8U << 20;
    limits.queued_bytes_max = 16U << 20;
    limits.received_bytes_max = 16U << 20;
    limits.keepalive_interval = options.keepalive;
    limits.keepalive_timeout = 2s;
    return limits;
  }

  void on(CallStarted& started) {
    RunningCall& call = calls_[started.call];
    call = {std::move(started.method), std::move(started.metadata), 0, 0};
    if (call.method == "/echo.Echo/Chat") line_.engine.send_headers(started.call);
    if (find(call.metadata, "x-fail"))
      end(started.call, {StatusCode::FailedPrecondition, "gr\xc3\xbcn 100%"});
  }

  void on(MessageReceived& received) {
    const auto found = calls_.find(received.call);
    if (found == calls_.end()) return;
    RunningCall& call = found->second;
    ++call.messages;
    call.bytes += received.message.size();
    if (call.method == "/echo.Echo/Unary") {
      line_.engine.send_headers(received.call, echoed(call.metadata));
      line_.engine.send_message(received.call, received.message);
      end(received.call, {}, echoed(call.metadata));
    } else if (call.method == "/echo.Echo/Chat") {
      line_.engine.send_message(received.call, received.message);
    } else if (call.method == "/echo.Echo/Count") {
      count(received.call, text_of(received.message));
    } else if (call.method == "/echo.Echo/GoAway") {
      line_.engine.send_message(received.call, received.message);
      end(received.call, {});
      line_.engine.go_away(now());
    }
  }

  void on(HalfClosed& half) {
    const auto found = calls_.find(half.call);
    if (found == calls_.end()) return;
    const RunningCall& call = found->second;
    if (call.method == "/echo.Echo/Sum") {
      const std::string sum = std::to_string(call.messages) + " " + std::to_string(call.bytes);
      line_.engine.send_message(half.call, as_bytes(sum));
      end(half.call, {});
    } else if (call.method == "/echo.Echo/Chat") {
      end(half.call, {});
    } else if (call.method != "/echo.Echo/Hang" && call.method != "/echo.Echo/Flood") {
      end(half.call, {StatusCode::Unimplemented, "no such method"});
    }
  }

  void on(CallEnded& ended) {
    const auto found = calls_.find(ended.call);
    if (found == calls_.end()) return;
    std::printf("ended %s status=%d sent=%zu\n", found->second.method.c_str(),
                static_cast<int>(ended.status.code), found->second.bytes);
    calls_.erase(found);
  }

  void on(Ponged& /*ponged*/) {}
  void on(GoingAway& /*away*/) {}

  /// "N SIZE"
  void count(CallId call, const std::string& wish) {
    std::size_t count = 0;
    std::size_t size = 0;
    if (std::sscanf(wish.c_str(), "%zu %zu", &count, &size) != 2 || count * size > (12U << 20)) {
      return end(call, {StatusCode::InvalidArgument, "N SIZE"});
    }
    for (std::size_t i = 0; i < count; ++i) line_.engine.send_message(call, pattern(size));
    end(call, {});
  }

  void flood(CallId call, RunningCall& running) {
    if (running.messages == 0) return;
    while (running.bytes < kFloodTotal && line_.engine.queued_bytes(call) < kFloodQueue) {
      if (!line_.engine.send_message(call, pattern(kFloodPiece))) return;
      running.bytes += kFloodPiece;
    }
  }

  static Metadata echoed(const Metadata& metadata) {
    Metadata result;
    for (const MetadataEntry& entry : metadata) {
      if (entry.name.starts_with("x-echo")) result.push_back(entry);
    }
    return result;
  }

  void end(CallId call, const Status& status, const Metadata& trailers = {}) {
    line_.engine.finish(call, status, trailers);
    calls_.erase(call);
  }

  Line<ServerConnection> line_;
  std::map<CallId, RunningCall> calls_;
};

int listen_on_loopback() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(fd, 64) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    give_up("listen");
  }
  std::printf("listening %d\n", ntohs(address.sin_port));
  return fd;
}

}  // namespace

void serve(const ServeOptions& options) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int listener = listen_on_loopback();
  std::vector<std::unique_ptr<Session>> sessions;
  for (;;) {
    std::vector<pollfd> wanted{{listener, POLLIN, 0}};
    int wait = 10'000;
    for (const auto& session : sessions) {
      wanted.push_back(session->wish());
      wait = std::min(wait, session->wait_ms(10s));
    }
    if (::poll(wanted.data(), wanted.size(), wait) < 0 && errno != EINTR) give_up("poll");
    for (std::size_t i = sessions.size(); i-- > 0;) {
      if (sessions[i]->handle(wanted[i + 1].revents)) continue;
      sessions.erase(sessions.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if ((wanted[0].revents & POLLIN) == 0) continue;
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) sessions.push_back(std::make_unique<Session>(fd, options));
  }
}

}  // namespace trellis::probe
