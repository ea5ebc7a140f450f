#include "protocol/wireguard/messages.h"

namespace trellis::wireguard {

namespace {

template <WireLayout T>
Expected<Message, ParseError> parse_exactly(ByteView datagram) {
  if (datagram.size() != sizeof(T)) return fail(ParseError::WrongLength);
  return Reader(datagram).read<T>();
}

Expected<Message, ParseError> parse_data(ByteView datagram) {
  if (datagram.size() < kDataOverhead) return fail(ParseError::WrongLength);
  return DataMessage{Reader(datagram).read<DataHeader>(), datagram.size() - kDataOverhead};
}

}  // namespace

Expected<Message, ParseError> parse(ByteView datagram) {
  const std::uint32_t type = Reader(datagram).read<le32>();
  switch (type) {
    case HandshakeInitiation::kType:
      return parse_exactly<HandshakeInitiation>(datagram);
    case HandshakeResponse::kType:
      return parse_exactly<HandshakeResponse>(datagram);
    case CookieReply::kType:
      return parse_exactly<CookieReply>(datagram);
    case DataHeader::kType:
      return parse_data(datagram);
    default:
      return fail(ParseError::UnknownType);
  }
}

}  // namespace trellis::wireguard
