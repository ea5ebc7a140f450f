#include "protocol/wireguard/session.h"

#include "protocol/wireguard/constants.h"

#include <cstring>

namespace trellis::wireguard {

Session::Session(SessionKeys keys, KeyId preshared_key, TimePoint made)
    : local_(keys.local),
      remote_(keys.remote),
      role_(keys.role),
      preshared_key_(preshared_key),
      made_(made),
      send_(keys.send),
      receive_(keys.receive) {}

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

Expected<MutableByteView, OpenError> Session::seal(MutableByteView text) {
  if (send_counter_ >= kRejectAfterMessages) return fail(OpenError::Expired);
  DataHeader header;
  header.receiver = static_cast<std::uint32_t>(remote_);
  header.counter = send_counter_;
  send_.seal_in_place(send_counter_, text);
  ++send_counter_;
  std::byte* const start = text.data() - sizeof header;  // after sealing, which uses the headroom
  std::memcpy(start, &header, sizeof header);
  return MutableByteView(start, text.size() + kDataOverhead);
}

Expected<Opened, OpenError> Session::open(const DataMessage& message, MutableByteView datagram) {
  CHECK(datagram.size() == message.text_size + kDataOverhead);
  const std::uint64_t counter = message.header.counter;
  if (counter >= kRejectAfterMessages) return fail(OpenError::Expired);
  if (!window_.would_accept(counter)) return fail(OpenError::Replayed);
  const MutableByteView text = datagram.subspan(sizeof(DataHeader), message.text_size);
  if (!receive_.open_in_place(counter, text)) return fail(OpenError::BadTag);
  return Opened{text, window_.accept(counter)};
}

}  // namespace trellis::wireguard
