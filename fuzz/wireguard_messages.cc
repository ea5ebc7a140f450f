// WireGuard's messages, as they are recognised before anything is authenticated.

#include "input.h"
#include "protocol/wireguard/messages.h"

namespace {

template <class M>
void check_written(const M& message, trellis::ByteView datagram) {
  CHECK(std::ranges::equal(trellis::bytes_of(message), datagram));
  CHECK(message.type == M::kType);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  using namespace trellis::wireguard;
  const ByteView datagram = std::as_bytes(std::span(data, size));
  const auto message = parse(datagram);
  if (!message) return 0;
  if (const auto* initiation = std::get_if<HandshakeInitiation>(&*message)) {
    check_written(*initiation, datagram);
  } else if (const auto* response = std::get_if<HandshakeResponse>(&*message)) {
    check_written(*response, datagram);
  } else if (const auto* reply = std::get_if<CookieReply>(&*message)) {
    check_written(*reply, datagram);
  } else {
    const auto& found = std::get<DataMessage>(*message);
    check_written(found.header, datagram.first(sizeof(DataHeader)));
    CHECK(found.text_size + kDataOverhead == size);
  }
  return 0;
}
