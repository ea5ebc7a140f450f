// Rosenpass's messages in the suite that is deployed: reading, writing, and their mac.

#include "crypto/kem.h"
#include "input.h"
#include "protocol/rosenpass/messages.h"
#include "testing/random.h"

namespace {

using namespace trellis;
using namespace trellis::rosenpass;

/// Writes what bears a mac.
struct Writer {
  static constexpr MacKey kMacKey{};
  const Layout& layout;
  template <class M>
  ByteVector operator()(const M& message) const {
    return layout.write(message, kMacKey);
  }
  ByteVector operator()(const CookieReply&) const { return {}; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Layout layout(crypto::suite_rosenpass());
  const ByteView datagram = std::as_bytes(std::span(data, size));
  const MacKey& mac_key = Writer::kMacKey;
  (void)has_valid_mac(datagram, mac_key);
  const bool accepted = layout.accepts(datagram);
  const auto message = layout.parse(datagram);
  if (!message) return 0;
  CHECK(accepted);

  if (const auto* reply = std::get_if<CookieReply>(&*message)) {
    testing::SeededRandom noise(1);
    const ByteVector again = layout.write(*reply, noise);
    CHECK(again.size() == size &&
          std::ranges::equal(std::span(again).subspan(4, 60), datagram.subspan(4, 60)));
    return 0;
  }

  // Written again, it is the same but for what is reserved, the mac and the cookie.
  const ByteVector written = std::visit(Writer{layout}, *message);
  CHECK(written.size() == size && written[0] == datagram[0]);
  CHECK(std::ranges::equal(std::span(written).subspan(4, size - 4 - kTrailerSize),
                           datagram.subspan(4, size - 4 - kTrailerSize)));
  CHECK(has_valid_mac(written, mac_key));
  ByteVector spoilt = written;
  fuzz::spoil(spoilt, size / 2, 1);
  CHECK(!has_valid_mac(spoilt, mac_key));
  return 0;
}
