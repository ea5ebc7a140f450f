// A client connection with a few calls under a server that answers what it likes.

#include "base/result.h"
#include "grpc_script.h"
#include "protocol/grpc/client_connection.h"

#include <variant>

namespace {

using namespace trellis;

constexpr std::string_view kMethod = "/test.Service/Method";

class Owner {
 public:
  explicit Owner(std::uint8_t habits)
      : client_(now_, {.authority = "server.test",
                       .message_bytes_max = 10'000,
                       .header_bytes_max = 2'000,
                       .queued_bytes_max = 50'000,
                       .received_bytes_max = 20'000}) {
    for (int i = 0; i < habits % 4 + 1; ++i) begin();
    settle();
  }

  void receive(ByteView bytes) {
    client_.receive(now_, bytes);
    settle();
  }
  void pass(Duration time) {
    now_ += time;
    client_.handle_timeout(now_);
    settle();
  }
  void act(std::uint8_t what) {
    const grpc::CallId call{2U * (what / 4) + 1};
    switch (what % 4) {
      case 0:
        client_.cancel(now_, call);
        break;
      case 1:
        client_.send_message(call, ByteVector(std::size_t{what} * 100));
        break;
      case 2:
        begin();
        break;
      default:
        what == 31 ? client_.go_away(now_) : client_.half_close(call);
        break;
    }
    settle();
  }

 private:
  void begin() {
    if (started_ == 100) return;
    ++started_;
    const grpc::CallId call = client_.start(now_, kMethod, {{"x-key-bin", "value"}}, 20s);
    client_.send_message(call, as_bytes("question"));
  }

  void settle() {
    for (bool more = true; more;) {
      while (auto event = client_.poll_event()) {
        ended_ += std::holds_alternative<grpc::CallEnded>(*event) ? 1 : 0;
      }
      more = !client_.poll_transmit().empty();
    }
    CHECK(ended_ <= started_);
    CHECK(!client_.closed() || !client_.next_timeout());
  }

  TimePoint now_{1h};
  grpc::ClientConnection client_;
  int started_ = 0;
  int ended_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  Owner owner(input.byte());
  fuzz::run_script(input, owner);
  return 0;
}
