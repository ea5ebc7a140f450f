// The outside of management and signal messages, and what is in their boxes: raw, and sealed by the
// one who is allowed to, for then the inside is whatever he likes.

#include "crypto/x25519.h"
#include "input.h"
#include "protocol/control/envelope.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/signal.pb.h"
#include "testing/random.h"

namespace trellis::fuzz {
namespace {

using namespace control;

/// The server's channel to a machine, and that machine's to the server.
struct Ends {
  testing::SeededRandom random{1};
  crypto::PrivateKey server = crypto::generate_private_key(random);
  crypto::PrivateKey machine = crypto::generate_private_key(random);
  BoxChannel to_machine = *BoxChannel::create(server, crypto::public_key(machine));
  BoxChannel to_server = *BoxChannel::create(machine, crypto::public_key(server));
};

void read_management(ByteView bytes) {
  const auto envelope = parse_envelope(bytes);
  if (!envelope) return;
  const auto again = parse_envelope(format_envelope(*envelope));
  CHECK(again && again->sender == envelope->sender && again->body == envelope->body);
}

void read_signal(ByteView bytes) {
  const auto envelope = parse_signal_envelope(bytes);
  if (!envelope) return;
  const auto again = parse_signal_envelope(format_signal_envelope(*envelope));
  CHECK(again && again->sender == envelope->sender && again->receiver == envelope->receiver &&
        again->body == envelope->body);
}

void open_box(Ends& ends, ByteView body) {
  CHECK(open_message<wire::management::LoginRequest>(ends.to_machine, body).error() ==
        MessageError::Unopenable);
}

void open_ours(Ends& ends, ByteView plain) {
  const ByteVector sealed = ends.to_server.seal(plain, ends.random);
  const auto login = open_message<wire::management::LoginRequest>(ends.to_machine, sealed);
  CHECK(login || login.error() != MessageError::Unopenable);
  const auto body = open_message<wire::signal::Body>(ends.to_machine, sealed, kSignalLimits);
  if (!body) return;
  const auto envelope =
      parse_signal_envelope(seal_signal_message(ends.to_machine, *body, ends.random));
  CHECK(envelope);
  CHECK(open_message<wire::signal::Body>(ends.to_server, envelope->body, kSignalLimits));
}

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  static fuzz::Ends ends;
  fuzz::Input input(data, size);
  const std::uint8_t what = input.byte() % 4;
  const ByteView rest = input.rest();
  switch (what) {
    case 0:
      fuzz::read_management(rest);
      break;
    case 1:
      fuzz::read_signal(rest);
      break;
    case 2:
      fuzz::open_box(ends, rest);
      break;
    default:
      fuzz::open_ours(ends, rest);
      break;
  }
  return 0;
}
