#pragma once

#include "base/time.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace trellis::grpc {

/// Which pings a server takes. A ping is free when we have sent data or headers since the last one:
/// it measures how fast they came (grpc-go and grpc++ do so all the time). Others must keep a
/// distance. As the servers of gRPC do it, so that clients that suit them suit us.
/// [gRFC A8, "Server Enforcement"]
class PingGuard {
 public:
  PingGuard(Duration interval_min, std::uint32_t strikes_max)
      : interval_min_(interval_min), strikes_max_(strikes_max) {}

  void note_data_sent() { data_sent_ = true; }
  /// False: too many.
  bool accept(TimePoint now) {
    const bool free = data_sent_ || !last_ || now >= *last_ + interval_min_;
    if (data_sent_) strikes_ = 0;
    data_sent_ = false;
    last_ = now;
    return free || ++strikes_ <= strikes_max_;
  }

 private:
  Duration interval_min_;
  std::uint32_t strikes_max_;
  std::uint32_t strikes_ = 0;
  bool data_sent_ = false;
  std::optional<TimePoint> last_;
};

enum class PingPurpose : std::uint8_t { Owner, Keepalive, GoAway };

/// Our own pings that wait for their answers.
class SentPings {
 public:
  static constexpr std::size_t kOwnerMax = 8;

  /// False: too many wait already. Of the connection's own purposes there is one each.
  bool add(PingPurpose purpose, std::uint64_t opaque);
  /// What the answer answers; none: nothing of ours.
  std::optional<PingPurpose> take(std::uint64_t opaque);

 private:
  struct Sent {
    PingPurpose purpose;
    std::uint64_t opaque;
  };
  std::vector<Sent> sent_;
};

}  // namespace trellis::grpc
