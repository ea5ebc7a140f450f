// A server connection under a client that sends what it likes, in its own rhythm. The owner answers
// each call in one of a few ways; time passes; the transport sometimes takes nothing.

#include "base/result.h"
#include "grpc_script.h"
#include "protocol/grpc/server_connection.h"

#include <variant>

namespace {

using namespace trellis;

constexpr std::size_t kQueuedMax = 100'000;

class Owner {
 public:
  explicit Owner(std::uint8_t habits)
      : habits_(habits),
        server_(now_, {.calls_max = 10,
                       .message_bytes_max = 10'000,
                       .header_bytes_max = 2'000,
                       .queued_bytes_max = kQueuedMax,
                       .received_bytes_max = 20'000,
                       .keepalive_interval = 20s}) {}

  void receive(ByteView bytes) {
    server_.receive(now_, bytes);
    settle();
  }
  void pass(Duration time) {
    now_ += time;
    server_.handle_timeout(now_);
    settle();
  }
  void act(std::uint8_t what) {
    switch (what % 4) {
      case 0:
        server_.go_away(now_);
        break;
      case 1:
        server_.ping(now_, what);
        break;
      case 2:
        server_.set_received_bytes_max(std::size_t{what} * 1'000);
        break;
      default:
        reads_ = !reads_;
        break;
    }
    settle();
  }

 private:
  void settle() {
    for (bool more = true; more;) {
      while (auto event = server_.poll_event()) answer(*event);
      more = reads_ && !server_.poll_transmit().empty();
    }
    CHECK(server_.queued_bytes() <= kQueuedMax);
    CHECK(server_.calls() <= 11);
    CHECK(!server_.closed() || !server_.next_timeout());
  }

  void answer(const grpc::ServerEvent& event) {
    if (const auto* started = std::get_if<grpc::CallStarted>(&event)) {
      if ((habits_ & 1) != 0) server_.send_headers(started->call, {{"x-key-bin", "value"}});
      if ((habits_ & 2) != 0) server_.finish(started->call, {grpc::StatusCode::Aborted, "no"});
    } else if (const auto* message = std::get_if<grpc::MessageReceived>(&event)) {
      server_.send_message(message->call, message->message);
      if ((habits_ & 4) != 0) server_.finish(message->call, {});
    } else if (const auto* half = std::get_if<grpc::HalfClosed>(&event)) {
      server_.finish(half->call, {}, {{"x-tail", "1"}});
    }
  }

  std::uint8_t habits_;
  TimePoint now_{1h};
  grpc::ServerConnection server_;
  bool reads_ = true;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t habits = input.byte();
  Owner owner(habits);
  if ((habits & 0x80) == 0) owner.receive(as_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  fuzz::run_script(input, owner);
  return 0;
}
