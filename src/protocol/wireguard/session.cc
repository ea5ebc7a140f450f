#include "protocol/wireguard/session.h"

#include "protocol/wireguard/constants.h"

#include <cstring>

namespace trellis::wireguard {

Session::Session(SessionKeys keys, KeyId preshared_key, TimePoint made, std::uint64_t first_counter)
    : local_(keys.local),
      remote_(keys.remote),
      role_(keys.role),
      preshared_key_(preshared_key),
      made_(made),
      send_(keys.send),
      receive_(keys.receive),
      send_counter_(first_counter) {}

bool Session::expired(TimePoint now) const { return now - made_ >= kRejectAfterTime; }

bool Session::can_send(TimePoint now) const {
  return !expired(now) && send_counter_ < kRejectAfterMessages;
}

bool Session::wants_rekey_after_send(TimePoint now, Duration rekey_after_time) const {
  return send_counter_ > kRekeyAfterMessages ||
         (role_ == Role::Initiator && now - made_ >= rekey_after_time);
}

bool Session::wants_rekey_after_receive(TimePoint now) const {
  return role_ == Role::Initiator &&
         now - made_ >= kRejectAfterTime - kKeepaliveTimeout - kRekeyTimeout;
}

Expected<crypto::SealPacket, OpenError> Session::begin_seal(MutableByteView text) {
  if (send_counter_ >= kRejectAfterMessages) return fail(OpenError::Expired);
  DataHeader header;
  header.receiver = static_cast<std::uint32_t>(remote_);
  header.counter = send_counter_;
  std::memcpy(text.data() - sizeof header, &header, sizeof header);
  return crypto::SealPacket{&send_, send_counter_++, text, text.data()};
}

Expected<crypto::OpenPacket, OpenError> Session::begin_open(const DataMessage& message,
                                                            MutableByteView datagram) const {
  CHECK(datagram.size() == message.text_size + kDataOverhead);
  const std::uint64_t counter = message.header.counter;
  if (counter >= kRejectAfterMessages) return fail(OpenError::Expired);
  if (!window_.would_accept(counter)) return fail(OpenError::Replayed);
  return crypto::OpenPacket{&receive_, counter, datagram.subspan(sizeof(DataHeader))};
}

Expected<Opened, OpenError> Session::finish_open(const crypto::OpenPacket& packet) {
  if (!packet.opened) return fail(OpenError::BadTag);
  if (!window_.would_accept(packet.counter)) return fail(OpenError::Replayed);
  return Opened{packet.sealed.first(packet.sealed.size() - crypto::kTagSize),
                window_.accept(packet.counter)};
}

Expected<MutableByteView, OpenError> Session::seal(MutableByteView text) {
  const crypto::SealPacket packet = TRY(begin_seal(text));
  crypto::seal(std::span(&packet, 1));
  return MutableByteView(text.data() - sizeof(DataHeader), text.size() + kDataOverhead);
}

Expected<Opened, OpenError> Session::open(const DataMessage& message, MutableByteView datagram) {
  crypto::OpenPacket packet = TRY(begin_open(message, datagram));
  crypto::open(std::span(&packet, 1));
  return finish_open(packet);
}

}  // namespace trellis::wireguard
