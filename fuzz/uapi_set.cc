// A set=1 request on the control socket of a WireGuard device. What get=1 then tells must make the
// same device again.

#include "crypto/x25519.h"
#include "input.h"
#include "protocol/wireguard/uapi.h"
#include "testing/random.h"

#include <string>

namespace trellis::fuzz {
namespace {

using namespace wireguard;

class RisingTimestamps final : public TimestampSource {
 public:
  Tai64n next() override { return Tai64n::from_unix({++last_}); }

 private:
  std::int64_t last_ = 0;
};

class World {
 public:
  uapi::SetResult set(std::string_view lines) {
    const uapi::SetResult result = uapi::set(device_, TimePoint{} + 1h, lines);
    while (device_.poll_transmit()) continue;
    while (device_.poll_event()) continue;
    return result;
  }
  std::string get(const uapi::Interface& interface) const {
    return uapi::get(device_, interface, TimePoint{} + 2h, WallTime{1'790'000'000'000'000'000});
  }

 private:
  testing::SeededRandom random_{1};
  RisingTimestamps timestamps_;
  Device device_{Config{}, random_, timestamps_};
};

/// The lines of an answer to get=1 that may stand in a request.
std::string settable(std::string_view answer) {
  std::string lines;
  while (!answer.empty()) {
    const std::string_view line = answer.substr(0, answer.find('\n') + 1);
    answer.remove_prefix(line.size());
    const std::string_view key = line.substr(0, line.find('='));
    const bool told_only = key == "errno" || key.starts_with("last_handshake") ||
                           key == "tx_bytes" || key == "rx_bytes" || line == "\n";
    if (!told_only) lines += line;
  }
  return lines;
}

void check_request(std::string_view request) {
  World world;
  const uapi::SetResult result = world.set(request);
  const std::string told =
      world.get({result.changes.listen_port.value_or(0), result.changes.fwmark.value_or(0)});
  CHECK(told.ends_with("errno=0\n\n") && told.find("\n\n") == told.size() - 2);

  World copy;
  const std::string lines = settable(told);
  const uapi::SetResult again = copy.set(lines);
  CHECK(again.error == uapi::Errno::Ok);
  CHECK(settable(copy.get(
            {again.changes.listen_port.value_or(0), again.changes.fwmark.value_or(0)})) == lines);
}

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  const std::string_view text = fuzz::text_of(std::as_bytes(std::span(data, size)));
  const std::string_view first = text.substr(0, text.find('\n'));
  const auto operation = wireguard::uapi::parse_operation(first);
  if (operation == wireguard::uapi::Operation::Get) return 0;
  // Without the first line, too: a mutation of it would hide all that follows.
  fuzz::check_request(operation ? text.substr(std::min(first.size() + 1, text.size())) : text);
  return 0;
}
