#include "protocol/rosenpass/messages.h"

#include "protocol/rosenpass/keyed_hash.h"

namespace trellis::rosenpass {
namespace {

constexpr std::size_t kHeaderSize = 4;

ByteVector begin(MessageType type, std::size_t size) {
  ByteVector datagram;
  datagram.reserve(size);
  datagram.assign(kHeaderSize, std::byte{0});
  datagram[0] = static_cast<std::byte>(type);
  return datagram;
}

ByteVector finish(ByteVector datagram, const MacKey& mac_key, std::size_t size) {
  append(datagram, message_mac(mac_key, datagram));
  append(datagram, Bytes<kTrailerSize - kMacSize>{});  // cookie
  CHECK(datagram.size() == size);
  return datagram;
}

}  // namespace

Layout::Layout(const crypto::Suite& suite)
    : static_sizes_(suite.static_kem->sizes()), ephemeral_sizes_(suite.ephemeral_kem->sizes()) {}

std::size_t Layout::init_hello_size() const {
  return kHeaderSize + sizeof(SessionId) + ephemeral_sizes_.public_key + static_sizes_.ciphertext +
         sizeof(SealedPid) + sizeof(Tag) + kTrailerSize;
}

std::size_t Layout::resp_hello_size() const {
  return kHeaderSize + 2 * sizeof(SessionId) + ephemeral_sizes_.ciphertext +
         static_sizes_.ciphertext + sizeof(Tag) + sizeof(SealedBiscuit) + kTrailerSize;
}

std::optional<std::size_t> Layout::size_of(MessageType type) const {
  switch (type) {
    case MessageType::InitHello:
      return init_hello_size();
    case MessageType::RespHello:
      return resp_hello_size();
    case MessageType::InitConf:
      return init_conf_size();
    case MessageType::EmptyData:
      return empty_data_size();
    case MessageType::Data:
      return std::nullopt;
    case MessageType::CookieReply:
      return init_hello_size();  // padded by its sender, against amplification
  }
  return std::nullopt;
}

bool Layout::accepts(ByteView datagram) const {
  if (datagram.empty()) return false;
  return size_of(static_cast<MessageType>(datagram[0])) == datagram.size();
}

Expected<Message, Drop> Layout::parse(ByteView datagram) const {
  if (datagram.empty()) return fail(Drop::UnknownType);
  const auto type = static_cast<MessageType>(datagram[0]);
  if (type == MessageType::Data) return fail(Drop::Unsupported);
  const auto size = size_of(type);
  if (!size) return fail(Drop::UnknownType);
  if (*size != datagram.size()) return fail(Drop::WrongLength);

  Reader reader(datagram.subspan(kHeaderSize));
  Message message;
  if (type == MessageType::InitHello) {
    InitHello m;
    m.sidi = reader.read<SessionId>();
    m.epki = reader.bytes(ephemeral_sizes_.public_key);
    m.sctr = reader.bytes(static_sizes_.ciphertext);
    m.pidi_ct = reader.read<SealedPid>();
    m.auth = reader.read<Tag>();
    message = m;
  } else if (type == MessageType::RespHello) {
    RespHello m;
    m.sidr = reader.read<SessionId>();
    m.sidi = reader.read<SessionId>();
    m.ecti = reader.bytes(ephemeral_sizes_.ciphertext);
    m.scti = reader.bytes(static_sizes_.ciphertext);
    m.auth = reader.read<Tag>();
    m.biscuit_ct = reader.read<SealedBiscuit>();
    message = m;
  } else if (type == MessageType::InitConf) {
    InitConf m;
    m.sidi = reader.read<SessionId>();
    m.sidr = reader.read<SessionId>();
    m.biscuit_ct = reader.read<SealedBiscuit>();
    m.auth = reader.read<Tag>();
    message = m;
  } else if (type == MessageType::CookieReply) {
    CookieReply m;
    m.sid = reader.read<SessionId>();
    m.nonce = reader.read<crypto::XNonce>();
    m.sealed = reader.read<decltype(m.sealed)>();
    return m;  // what follows is noise
  } else {
    EmptyData m;
    m.sid = reader.read<SessionId>();
    m.counter = reader.read<le64>();
    m.auth = reader.read<Tag>();
    message = m;
  }
  CHECK(reader.ok() && reader.remaining() == kTrailerSize);
  return message;
}

ByteVector Layout::write(const InitHello& message, const MacKey& mac_key) const {
  ByteVector datagram = begin(MessageType::InitHello, init_hello_size());
  append(datagram, message.sidi.bytes);
  append(datagram, message.epki);
  append(datagram, message.sctr);
  append(datagram, message.pidi_ct);
  append(datagram, message.auth);
  return finish(std::move(datagram), mac_key, init_hello_size());
}

ByteVector Layout::write(const RespHello& message, const MacKey& mac_key) const {
  ByteVector datagram = begin(MessageType::RespHello, resp_hello_size());
  append(datagram, message.sidr.bytes);
  append(datagram, message.sidi.bytes);
  append(datagram, message.ecti);
  append(datagram, message.scti);
  append(datagram, message.auth);
  append(datagram, message.biscuit_ct);
  return finish(std::move(datagram), mac_key, resp_hello_size());
}

ByteVector Layout::write(const InitConf& message, const MacKey& mac_key) const {
  ByteVector datagram = begin(MessageType::InitConf, init_conf_size());
  append(datagram, message.sidi.bytes);
  append(datagram, message.sidr.bytes);
  append(datagram, message.biscuit_ct);
  append(datagram, message.auth);
  return finish(std::move(datagram), mac_key, init_conf_size());
}

ByteVector Layout::write(const EmptyData& message, const MacKey& mac_key) const {
  ByteVector datagram = begin(MessageType::EmptyData, empty_data_size());
  append(datagram, message.sid.bytes);
  append(datagram, bytes_of(message.counter));
  append(datagram, message.auth);
  return finish(std::move(datagram), mac_key, empty_data_size());
}

ByteVector Layout::write(const CookieReply& message, Random& noise) const {
  ByteVector datagram = begin(MessageType::CookieReply, init_hello_size());
  append(datagram, message.sid.bytes);
  append(datagram, message.nonce);
  append(datagram, message.sealed);
  const std::size_t said = datagram.size();
  datagram.resize(init_hello_size());
  noise.fill(MutableByteView(datagram).subspan(said));
  return datagram;
}

Bytes<kMacSize> mac_of(ByteView datagram) {
  CHECK(datagram.size() >= kTrailerSize);
  return to_array<kMacSize>(datagram.last(kTrailerSize).first<kMacSize>());
}

Bytes<kMacSize> message_mac(const MacKey& mac_key, ByteView before_mac) {
  return to_array<kMacSize>(
      ByteView(keyed_hash(mac_key.version, mac_key.key, before_mac)).first<kMacSize>());
}

bool has_valid_mac(ByteView datagram, const MacKey& mac_key) {
  if (datagram.size() < kTrailerSize) return false;
  const auto [before_mac, trailer] =
      std::pair(datagram.first(datagram.size() - kTrailerSize), datagram.last(kTrailerSize));
  return crypto::equal(trailer.first(kMacSize), message_mac(mac_key, before_mac));
}

}  // namespace trellis::rosenpass
