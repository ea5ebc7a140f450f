#pragma once

#include "base/result.h"
#include "base/time.h"
#include "crypto/packet_batch.h"
#include "protocol/wireguard/messages.h"
#include "protocol/wireguard/noise.h"
#include "protocol/wireguard/replay_window.h"

#include <cstdint>

namespace trellis::wireguard {

enum class OpenError { BadTag, Replayed, Expired };

struct Opened {
  MutableByteView text;  // inside the datagram
  bool newest;           // no later packet of this session came before
};

/// A pair of transport keys with its counters. Nothing else of it ever changes. [WG 5.4.6]
///
/// Sealing and opening use separate keys and state: each is one thread's at a time. Packets are
/// sealed and opened many at once, by crypto::seal and crypto::open, between the steps here.
class Session {
 public:
  Session(SessionKeys keys, KeyId preshared_key, TimePoint made, std::uint64_t first_counter = 0);

  SessionIndex local() const { return local_; }
  Role role() const { return role_; }
  KeyId preshared_key() const { return preshared_key_; }
  TimePoint made() const { return made_; }
  /// Whether its time is over: nothing is sent or received under it. [WG 6.2]
  bool expired(TimePoint now) const;
  bool can_send(TimePoint now) const;
  /// Whether we, having sent something, should ask for a successor. [WG 6.2]
  bool wants_rekey_after_send(TimePoint now, Duration rekey_after_time) const;
  /// The same, having received something: the initiator's last chance. [WG 6.2]
  bool wants_rekey_after_receive(TimePoint now) const;

  /// Begins a data message in place: the header in the 16 bytes before `text`, the tag in the 16
  /// bytes behind it. The counter is used up even if the packet is never sealed. Fails when there
  /// are no counters left.
  Expected<crypto::SealPacket, OpenError> begin_seal(MutableByteView text);

  /// What of a data message is to be opened, in place. [WG 5.4.6]
  ///
  /// `message` is what `datagram` parses to. Fails with `Replayed` or, if its counter is out of
  /// range, `Expired`. Nothing has changed yet.
  Expected<crypto::OpenPacket, OpenError> begin_open(const DataMessage& message,
                                                     MutableByteView datagram) const;
  /// What came of it. Fails with `BadTag` or, if its counter has been seen meanwhile, `Replayed`;
  /// and then has not changed the window.
  Expected<Opened, OpenError> finish_open(const crypto::OpenPacket& packet);

  /// All steps for a packet alone. `seal` yields the whole message.
  Expected<MutableByteView, OpenError> seal(MutableByteView text);
  Expected<Opened, OpenError> open(const DataMessage& message, MutableByteView datagram);

 private:
  SessionIndex local_;
  SessionIndex remote_;
  Role role_;
  KeyId preshared_key_;
  TimePoint made_;
  crypto::PacketKey send_;
  crypto::PacketKey receive_;
  std::uint64_t send_counter_;
  ReplayWindow window_;
};

}  // namespace trellis::wireguard
