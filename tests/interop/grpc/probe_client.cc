#include "probe_client.h"

#include "probe_line.h"
#include "protocol/grpc/client_connection.h"

#include <cstdio>
#include <deque>
#include <functional>
#include <optional>
#include <variant>

namespace trellis::probe {
namespace {

using namespace grpc;

constexpr Duration kPatience = 60s;

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    give_up("connect");
  }
  return fd;
}

/// What has come for one call.
struct Answer {
  bool headers_seen = false;
  Metadata headers;
  std::deque<ByteVector> messages;
  std::optional<Status> end;
  Metadata trailers;
};

class Client {
 public:
  explicit Client(const CallOptions& options)
      : line(connect_to(options.port),
             ClientConnection(now(), {.authority = "127.0.0.1",
                                      .scheme = "http",
                                      .keepalive_interval = options.keepalive,
                                      .keepalive_timeout = 2s,
                                      .message_bytes_max = 8U << 20,
                                      .queued_bytes_max = 16U << 20}),
             options.piece, 0) {}

  CallId start(std::string_view method, const Metadata& metadata = {},
               std::optional<Duration> deadline = std::nullopt) {
    return line.engine.start(now(), method, metadata, deadline);
  }
  CallId ask(std::string_view method, ByteView message, const Metadata& metadata = {},
             std::optional<Duration> deadline = std::nullopt) {
    const CallId call = start(method, metadata, deadline);
    line.engine.send_message(call, message);
    line.engine.half_close(call);
    return call;
  }

  /// Runs until `done`, the end of the connection, or no patience is left.
  bool wait(const std::function<bool()>& done, Duration limit = kPatience) {
    const TimePoint end = now() + limit;
    for (;;) {
      if (!deaf) drain();
      if (done()) return true;
      if (line.over() || now() >= end) return done();
      line.pump(end - now());
    }
  }
  void run_for(Duration time) {
    wait([] { return false; }, time);
  }
  bool wait_message(CallId call) {
    return wait([&] { return !answers[call].messages.empty() || answers[call].end; }) &&
           !answers[call].messages.empty();
  }
  ByteVector take_message(CallId call) {
    if (!wait_message(call)) return {};
    ByteVector message = std::move(answers[call].messages.front());
    answers[call].messages.pop_front();
    return message;
  }
  Status wait_end(CallId call) {
    if (!wait([&] { return answers[call].end.has_value(); })) {
      return {StatusCode::Unknown, "no end came"};
    }
    return *answers[call].end;
  }

  Line<ClientConnection> line;
  std::map<CallId, Answer> answers;
  bool deaf = false;  // leaves the events where they are
  bool going_away = false;

 private:
  void drain() {
    while (auto event = line.engine.poll_event()) {
      if (auto* headers = std::get_if<HeadersReceived>(&*event)) {
        answers[headers->call].headers_seen = true;
        answers[headers->call].headers = std::move(headers->metadata);
      } else if (auto* message = std::get_if<MessageReceived>(&*event)) {
        answers[message->call].messages.push_back(std::move(message->message));
      } else if (auto* ended = std::get_if<CallEnded>(&*event)) {
        answers[ended->call].end = std::move(ended->status);
        answers[ended->call].trailers = std::move(ended->trailers);
      } else if (std::holds_alternative<GoingAway>(*event)) {
        going_away = true;
      }
    }
  }
};

int report(bool good, const Status& status = {}) {
  std::printf("%s status=%d %s\n", good ? "ok" : "wrong", static_cast<int>(status.code),
              status.message.c_str());
  return good ? 0 : 1;
}

int unary(Client& client, std::size_t size) {
  const Metadata metadata{{"x-echo", "a b~"}, {"x-echo-bin", std::string("\0\xff,", 3)}};
  const CallId call = client.ask("/echo.Echo/Unary", pattern(size), metadata);
  const Status status = client.wait_end(call);
  Answer& answer = client.answers[call];
  bool good = status.ok() && answer.messages.size() == 1 && answer.messages[0] == pattern(size);
  for (const MetadataEntry& entry : metadata) {
    good = good && find(answer.headers, entry.name) == entry.value &&
           find(answer.trailers, entry.name) == entry.value;
  }
  return report(good, status);
}

int refused(Client& client) {
  const CallId call = client.ask("/echo.Echo/Unary", {}, {{"x-fail", "1"}});
  const Status status = client.wait_end(call);
  return report(status == Status{StatusCode::FailedPrecondition, "gr\xc3\xbcn 100%"}, status);
}

int unknown(Client& client) {
  const Status status = client.wait_end(client.ask("/echo.Echo/Nothing", {}));
  return report(status.code == StatusCode::Unimplemented, status);
}

int count(Client& client, std::size_t number, std::size_t size) {
  const std::string wish = std::to_string(number) + " " + std::to_string(size);
  const CallId call = client.ask("/echo.Echo/Count", as_bytes(wish));
  bool good = true;
  for (std::size_t i = 0; i < number && good; ++i)
    good = client.take_message(call) == pattern(size);
  const Status status = client.wait_end(call);
  return report(good && status.ok(), status);
}

int sum(Client& client, std::size_t number, std::size_t size) {
  const CallId call = client.start("/echo.Echo/Sum");
  for (std::size_t i = 0; i < number; ++i) {
    client.wait([&] { return client.line.engine.send_message(call, pattern(size)); });
  }
  client.line.engine.half_close(call);
  const std::string expected = std::to_string(number) + " " + std::to_string(number * size);
  const bool good = text_of(client.take_message(call)) == expected;
  const Status status = client.wait_end(call);
  return report(good && status.ok(), status);
}

bool exchange(Client& client, CallId call, std::size_t size) {
  client.line.engine.send_message(call, pattern(size));
  return client.wait_message(call) && client.take_message(call) == pattern(size);
}

int chat(Client& client, std::size_t number, std::size_t size) {
  const CallId call = client.start("/echo.Echo/Chat");
  bool good = client.wait([&] { return client.answers[call].headers_seen; });
  for (std::size_t i = 0; i < number && good; ++i) good = exchange(client, call, size);
  client.line.engine.half_close(call);
  const Status status = client.wait_end(call);
  return report(good && status.ok(), status);
}

int cancel(Client& client) {
  const CallId call = client.ask("/echo.Echo/Hang", {});
  client.run_for(300ms);
  client.line.engine.cancel(now(), call);
  return unary(client, 10);
}

int deadline(Client& client, std::size_t milliseconds) {
  const CallId call =
      client.ask("/echo.Echo/Hang", {}, {}, std::chrono::milliseconds(milliseconds));
  const Status status = client.wait_end(call);
  if (status.code != StatusCode::DeadlineExceeded) return report(false, status);
  return unary(client, 10);
}

/// Takes one message, then nothing for some seconds, then hangs up.
int slow(Client& client, std::size_t seconds) {
  const CallId call = client.ask("/echo.Echo/Flood", as_bytes("go"));
  if (!client.wait_message(call)) return report(false, client.wait_end(call));
  client.deaf = true;
  client.run_for(std::chrono::seconds(seconds));
  client.line.engine.cancel(now(), call);
  client.deaf = false;
  return unary(client, 10);
}

int parallel(Client& client, std::size_t number) {
  std::vector<CallId> calls;
  for (std::size_t i = 0; i < number; ++i) {
    calls.push_back(client.ask("/echo.Echo/Unary", pattern(1'000 + i)));
  }
  bool good = true;
  for (std::size_t i = 0; i < number; ++i) {
    good = client.wait_end(calls[i]).ok() && good;
    const Answer& answer = client.answers[calls[i]];
    good = good && answer.messages.size() == 1 && answer.messages[0] == pattern(1'000 + i);
  }
  return report(good);
}

int go_away(Client& client) {
  const CallId call = client.start("/echo.Echo/Chat");
  bool good = exchange(client, call, 10);
  const CallId order = client.ask("/echo.Echo/GoAway", as_bytes("go"));
  good = client.wait_end(order).ok() && good;
  good = client.wait([&] { return client.going_away; }) && good;
  good =
      client.wait_end(client.ask("/echo.Echo/Unary", {})).code == StatusCode::Unavailable && good;
  good = exchange(client, call, 100'000) && good;
  client.line.engine.half_close(call);
  const Status status = client.wait_end(call);
  good = client.wait([&] { return client.line.over(); }) && good;
  return report(good && status.ok(), status);
}

/// A call that does nothing for some seconds, and then still works.
int idle(Client& client, std::size_t seconds) {
  const CallId call = client.start("/echo.Echo/Chat");
  bool good = exchange(client, call, 10);
  client.run_for(std::chrono::seconds(seconds));
  if (client.line.over()) {
    std::printf("closed %s\n", client.line.engine.close_reason().c_str());
    return 1;
  }
  good = exchange(client, call, 10) && good;
  client.line.engine.half_close(call);
  const Status status = client.wait_end(call);
  return report(good && status.ok(), status);
}

}  // namespace

int run_scenario(const CallOptions& options) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Client client(options);
  const auto number = [&](std::size_t i) {
    return i < options.numbers.size() ? options.numbers[i] : 0;
  };
  const std::string& name = options.scenario;
  if (name == "unary") return unary(client, number(0));
  if (name == "refused") return refused(client);
  if (name == "unknown") return unknown(client);
  if (name == "count") return count(client, number(0), number(1));
  if (name == "sum") return sum(client, number(0), number(1));
  if (name == "chat") return chat(client, number(0), number(1));
  if (name == "cancel") return cancel(client);
  if (name == "deadline") return deadline(client, number(0));
  if (name == "slow") return slow(client, number(0));
  if (name == "parallel") return parallel(client, number(0));
  if (name == "go-away") return go_away(client);
  if (name == "idle") return idle(client, number(0));
  std::fprintf(stderr, "no scenario %s\n", name.c_str());
  return 2;
}

}  // namespace trellis::probe
