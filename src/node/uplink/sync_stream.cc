#include "node/uplink/sync_stream.h"

#include "base/log.h"
#include "node/uplink/constants.h"
#include "node/uplink/login.h"

#include <algorithm>

namespace trellis::uplink {

namespace {

std::string far_ahead(std::uint64_t serial) {
  return "its number " + std::to_string(serial) +
         " is too far ahead: the clock of the server is wrong, or the one here";
}

}  // namespace

SyncStream::SyncStream(Shared& shared)
    : shared_(shared), back_off_({kStreamRetryFirst, kStreamRetryMax}) {}

void SyncStream::start(TimePoint now, const Session& session) {
  if (!call_ && !timers_.armed(Timer::Retry)) open(now, session);
}

void SyncStream::line_lost() {
  call_.reset();
  timers_.disarm_all();
  back_off_.reset();
  whole_map_ = false;
  synced_ = false;
}

bool SyncStream::handle_message(TimePoint now, const Session& session, ByteView message) {
  const auto response = open_answer<wire::management::SyncResponse>(session, message);
  if (!response) {
    refuse(response.error().message);
    return false;
  }
  if (response->has_network_map()) {
    timers_.disarm(Timer::FirstMap);
    return take_map(session, response->network_map(),
                    response->has_peer_config() ? &response->peer_config() : nullptr);
  }
  if (response->has_trellis()) return take_update(now, session, response->trellis());
  return false;  // of relays and the like, which this agent has no use for
}

SyncStream::Next SyncStream::handle_end(TimePoint now, const grpc::Status& status) {
  LOG(debug, "uplink", "sync ended status={}", describe(status));
  call_.reset();
  open_later(now);
  switch (status.code) {
    case grpc::StatusCode::PermissionDenied:
    case grpc::StatusCode::NotFound:
    case grpc::StatusCode::FailedPrecondition:
    case grpc::StatusCode::AlreadyExists:
    case grpc::StatusCode::Unauthenticated:
      return Next::LogInAgain;
    case grpc::StatusCode::Ok:
    case grpc::StatusCode::Cancelled:
    case grpc::StatusCode::Unknown:
    case grpc::StatusCode::InvalidArgument:
    case grpc::StatusCode::DeadlineExceeded:
    case grpc::StatusCode::ResourceExhausted:
    case grpc::StatusCode::Aborted:
    case grpc::StatusCode::OutOfRange:
    case grpc::StatusCode::Unimplemented:
    case grpc::StatusCode::Internal:
    case grpc::StatusCode::Unavailable:
    case grpc::StatusCode::DataLoss:
      break;
  }
  return Next::Again;
}

void SyncStream::handle_timeout(TimePoint now, const Session& session) {
  while (const auto timer = timers_.pop_due(now)) {
    switch (*timer) {
      case Timer::Retry:
        open(now, session);
        break;
      case Timer::FirstMap:
        refuse("the server sent no map");
        session.grpc.cancel(now, *call_);
        call_.reset();
        open_later(now);
        break;
      case Timer::kCount:
        CHECK(false);
    }
  }
}

std::optional<TimePoint> SyncStream::next_timeout() const { return timers_.next(); }

void SyncStream::open(TimePoint now, const Session& session) {
  opened_ = now;
  whole_map_ = false;
  synced_ = false;
  call_ = session.grpc.start(now, control::kSync);
  session.grpc.send_message(*call_, seal_sync(shared_, session, deltas_));
  session.grpc.half_close(*call_);
  timers_.arm(Timer::FirstMap, now + kFirstMapLimit);
}

void SyncStream::open_later(TimePoint now) {
  whole_map_ = false;
  synced_ = false;
  timers_.disarm_all();
  if (now - opened_ >= kSettled) back_off_.reset();
  timers_.arm(Timer::Retry, now + back_off_.next(shared_.random));
}

bool SyncStream::take_map(const Session& session, const wire::management::NetworkMap& map,
                          const wire::management::PeerConfig* config) {
  const crypto::PublicKey& server = session.server.peer();
  if (shared_.map && shared_.map_server == server && map.serial() < shared_.map->serial) {
    refuse("the server sent an older map than the one in force: number " +
           std::to_string(map.serial()) + " after " + std::to_string(shared_.map->serial));
    return false;
  }
  if (!plausible(map.serial(), server)) {
    refuse(far_ahead(map.serial()));
    return false;
  }
  auto read = netmap::read_map(map, {.own_key = shared_.own,
                                     .peer_config = config,
                                     .allowed_domain = shared_.options.allowed_domain});
  if (!read) {
    refuse("the server's map cannot be used: " + read.error().message);
    return false;
  }
  ++shared_.counters.maps;
  deltas_ = read->takes_updates;
  whole_map_ = true;
  return adopt(*std::move(read), server);
}

bool SyncStream::take_update(TimePoint now, const Session& session,
                             const wire::management::TrellisUpdate& update) {
  if (!whole_map_) return false;  // of a map that was refused
  auto map = plausible(update.serial(), session.server.peer())
                 ? netmap::apply_update(*shared_.map, update, shared_.own)
                 : Result<netmap::Map>(fail_with(far_ahead(update.serial())));
  if (!map) {
    refuse("the server's change of the map cannot be used: " + map.error().message);
    deltas_ = shared_.map->takes_updates;
    session.grpc.cancel(now, *call_);
    call_.reset();
    open_later(now);
    return false;
  }
  ++shared_.counters.updates;
  return adopt(*std::move(map), session.server.peer());
}

/// A number near 2^64 would be the last one that we ever take. Our servers count in milliseconds of
/// their clock; of the first map of a server we believe any that a clock can show.
bool SyncStream::plausible(std::uint64_t serial, const crypto::PublicKey& server) const {
  if (serial > kSerialMax) return false;
  if (!shared_.map || shared_.map_server != server) return true;
  const auto wall = static_cast<std::uint64_t>(
      std::max<std::int64_t>(shared_.wall.nanoseconds_since_epoch, 0) / 1'000'000);
  return serial <= std::max(shared_.map->serial, wall) + kSerialAheadMax;
}

bool SyncStream::adopt(netmap::Map map, const crypto::PublicKey& server) {
  const bool same_number = shared_.map && shared_.map->serial == map.serial;
  const bool changed = !same_number || shared_.map_server != server || shared_.map != map;
  shared_.map_server = server;
  error_.clear();
  if (changed) {
    shared_.map = std::move(map);
    shared_.events.emplace_back(MapChanged{*shared_.map});
  }
  if (!synced_) shared_.events.emplace_back(Synced{});
  synced_ = true;
  return changed;
}

void SyncStream::refuse(std::string why) {
  LOG(debug, "uplink", "map refused reason={}", why);
  ++shared_.counters.maps_refused;
  error_ = std::move(why);
}

}  // namespace trellis::uplink
