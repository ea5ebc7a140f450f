#include "protocol/grpc/connection.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

namespace trellis::grpc {
namespace {

constexpr std::size_t kWindowMin = 65'535;  // what each end begins with [RFC 9113 6.9.2]
constexpr std::size_t kWindowMax = 1U << 20;
constexpr std::size_t kTransmitBytes = 16U << 10;
constexpr std::uint32_t kIdleFramesMax = 1'000;  // that carry nothing, a minute
constexpr Duration kGoAwayGrace = 5s;
constexpr Duration kStall = 60s;
constexpr std::uint64_t kKeepaliveOpaque = 0x6b656c6c69727474;
constexpr std::uint64_t kGoAwayOpaque = 0x676f6c6c69727474;

}  // namespace

Connection::Connection(Role role, TimePoint now, const ConnectionLimits& limits)
    : role_(role),
      limits_(limits),
      loan_{limits.frame_buffer},
      now_(now),
      ping_guard_(limits.ping_interval_min, limits.ping_strikes_max),
      resets_(limits.resets_max, 1min),
      idle_frames_(kIdleFramesMax, 1min) {
  make_session();
  set_received_bytes_max(limits.received_bytes_max);
  if (limits_.first_request > Duration{}) {
    timers_.arm(Timer::FirstRequest, now + limits_.first_request);
  }
  note_heard();
}

Connection::~Connection() = default;

void Connection::receive(TimePoint now, ByteView bytes) {
  now_ = now;
  if (closed_ || bytes.empty()) return;
  note_heard();
  read_frames(bytes);
  note_if_over();
  note_pending_output();
}

void Connection::handle_timeout(TimePoint now) {
  now_ = now;
  if (closed_) return;
  while (const auto timer = timers_.pop_due(now)) handle_timer(*timer);
  for (auto& [stream, call] : calls_) {
    if (call.deadline && *call.deadline <= now) expire(CallId{stream}, call);
  }
  note_if_over();
  note_pending_output();
}

void Connection::handle_timer(Timer timer) {
  switch (timer) {
    case Timer::FirstRequest:
      fail(NGHTTP2_NO_ERROR, "no_request");
      break;
    case Timer::Keepalive:
      send_keepalive();
      break;
    case Timer::KeepaliveTimeout:
      fail(NGHTTP2_NO_ERROR, "keepalive_timeout");
      break;
    case Timer::GoAway:
      send_last_go_away();
      break;
    case Timer::Stalled:
      fail(NGHTTP2_NO_ERROR, "transport_stalled");
      break;
    case Timer::kCount:
      CHECK(false);
  }
}

std::optional<TimePoint> Connection::next_timeout() const {
  if (closed_) return std::nullopt;
  std::optional<TimePoint> next = timers_.next();
  for (const auto& [stream, call] : calls_) next = earlier(next, call.deadline);
  return next;
}

std::optional<Connection::Event> Connection::poll_event() {
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  if (const auto* message = std::get_if<MessageReceived>(&event)) {
    note_read(*message);
    pay_windows();
  }
  return event;
}

ByteVector Connection::poll_transmit() {
  ByteVector bytes = write_frames(kTransmitBytes);
  timers_.disarm(Timer::Stalled);
  note_if_over();
  return bytes;
}

void Connection::set_received_bytes_max(std::size_t bytes) {
  limits_.received_bytes_max = bytes;
  set_window(std::clamp(bytes, kWindowMin, kWindowMax));
  pay_windows();
}

void Connection::ping(TimePoint now, std::uint64_t opaque) {
  now_ = now;
  if (!closed_) send_ping(PingPurpose::Owner, opaque);
}

bool Connection::send_ping(PingPurpose purpose, std::uint64_t opaque) {
  if (!pings_.add(purpose, opaque)) return false;
  submit_ping(opaque);
  return true;
}

void Connection::note_heard() {
  timers_.disarm(Timer::KeepaliveTimeout);
  if (limits_.keepalive_interval > Duration{}) {
    timers_.arm(Timer::Keepalive, now_ + limits_.keepalive_interval);
  }
}

void Connection::send_keepalive() {
  send_ping(PingPurpose::Keepalive, kKeepaliveOpaque);
  timers_.arm(Timer::KeepaliveTimeout, now_ + limits_.keepalive_timeout);
}

// A server says first that it will go, so that calls which are on their way still count, and then
// which was the last: when the client must have heard the first. [RFC 9113 6.8]
void Connection::go_away(TimePoint now) {
  now_ = now;
  if (closed_ || going_away_) return;
  going_away_ = true;
  timers_.disarm(Timer::FirstRequest);
  if (role_ == Role::Server) {
    submit_go_away_notice();
    send_ping(PingPurpose::GoAway, kGoAwayOpaque);
    timers_.arm(Timer::GoAway, now + kGoAwayGrace);
  } else {
    send_last_go_away();
  }
  note_if_over();
}

void Connection::send_last_go_away() {
  if (last_go_away_sent_) return;
  last_go_away_sent_ = true;
  timers_.disarm(Timer::GoAway);
  submit_go_away(NGHTTP2_NO_ERROR, "");
}

void Connection::close(TimePoint now, std::string reason) {
  now_ = now;
  // What the peer said when it went tells more than that it is gone.
  fail(NGHTTP2_NO_ERROR, peer_reason_.empty() ? std::move(reason) : peer_reason_);
}

void Connection::fail(std::uint32_t http2_error, std::string reason) {
  if (closed_) return;
  submit_go_away(http2_error, reason);
  finish_closing(std::move(reason));
}

void Connection::note_pending_output() {
  if (closed_ || !has_output() || timers_.armed(Timer::Stalled)) return;
  timers_.arm(Timer::Stalled, now_ + kStall);
}

void Connection::note_if_over() {
  if (closed_) return;
  if (session_over()) {
    if (!last_error_.empty()) return finish_closing(last_error_);
    return finish_closing(peer_reason_.empty() ? "the peer has gone away" : peer_reason_);
  }
  const bool leaving = last_go_away_sent_ || (role_ == Role::Client && peer_going_away_);
  if (!leaving || !calls_.empty()) return;
  finish_closing(last_go_away_sent_     ? "gone away"
                 : peer_reason_.empty() ? "the server has gone away"
                                        : peer_reason_);
}

void Connection::finish_closing(std::string reason) {
  closed_ = true;
  close_reason_ = std::move(reason);
  timers_.disarm_all();
  end_all_calls({role_ == Role::Server ? StatusCode::Cancelled : StatusCode::Unavailable,
                 "the connection ended: " + close_reason_});
}

}  // namespace trellis::grpc
