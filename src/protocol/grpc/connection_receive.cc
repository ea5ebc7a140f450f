#include "protocol/grpc/connection.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

// What the peer's frames do to calls.

namespace trellis::grpc {
namespace {

// What a message costs in the queue of events beside its bytes, so that empty ones count too.
constexpr std::size_t kEventBytes = 128;

Status status_of(MessageProblem problem) {
  switch (problem) {
    case MessageProblem::Compressed:
      return {StatusCode::Unimplemented, "compressed messages are not supported"};
    case MessageProblem::TooLong:
      return {StatusCode::ResourceExhausted, "the message is too long"};
    case MessageProblem::NoRoom:
      return {StatusCode::ResourceExhausted, "too many messages at once on this connection"};
  }
  return {StatusCode::Internal, ""};
}

// [gRPC PROTOCOL-HTTP2.md, "HTTP2 Transport Mapping", Errors]
Status status_of_reset(std::uint32_t http2_error) {
  switch (http2_error) {
    case NGHTTP2_REFUSED_STREAM:
      return {StatusCode::Unavailable, "the server refused the call"};
    case NGHTTP2_CANCEL:
      return {StatusCode::Cancelled, "the server cancelled the call"};
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return {StatusCode::ResourceExhausted, "the server asks for fewer calls"};
    case NGHTTP2_INADEQUATE_SECURITY:
      return {StatusCode::PermissionDenied, "the server asks for a better transport"};
    default:
      return {StatusCode::Internal,
              "the stream was reset, HTTP/2 error " + std::to_string(http2_error)};
  }
}

}  // namespace

void Connection::on_headers_begin(std::uint32_t stream) {
  if (role_ == Role::Client || closed_ || find(stream) != nullptr) return;
  calls_[stream].state = CallState::Receiving;
}

bool Connection::on_header(std::uint32_t stream, std::string_view name, std::string_view value) {
  Call* call = find(stream);
  return call == nullptr || call->headers.add(name, value, limits_.header_bytes_max);
}

void Connection::on_headers_end(std::uint32_t stream, bool last) {
  Call* call = find(stream);
  if (call == nullptr) return;
  if (role_ == Role::Client) {
    on_answer_headers(CallId{stream}, *call, last);
  } else if (call->state == CallState::Receiving) {
    on_request(CallId{stream}, *call, last);
  } else if (last) {
    on_peer_done(stream, *call);  // with trailers, of which gRPC has none in this direction
  }
  call->headers.clear();
}

void Connection::on_request(CallId id, Call& call, bool last) {
  auto request = read_request(call.headers);
  if (!request) {
    call.state = CallState::Closing;
    submit_headers(id, write_refusal(request.error()), /*data_follows=*/false);
    return;
  }
  timers_.disarm(Timer::FirstRequest);
  call.state = CallState::Open;
  if (request->timeout) call.deadline = now_ + *request->timeout;
  events_.push_back(CallStarted{id, std::move(request->method), std::move(request->metadata),
                                call.deadline, std::move(request->authority)});
  if (last) on_peer_done(static_cast<std::uint32_t>(id), call);
}

void Connection::on_answer_headers(CallId id, Call& call, bool last) {
  if (last) {
    Trailers end = read_trailers(call.headers);
    if (end.status.ok() && !call.reader.at_boundary()) {
      end.status = {StatusCode::Internal, "the last message is cut short"};
    }
    end_call(id, call, std::move(end.status), std::move(end.metadata));
    if (still_sends(id)) reset(id, call, NGHTTP2_NO_ERROR);
    return;
  }
  if (call.answered || is_informational(call.headers.headers())) return;
  auto metadata = read_response(call.headers);
  if (!metadata) return break_off(id, call, std::move(metadata).error());
  call.answered = true;
  if (call.state == CallState::Closing) return;
  events_.push_back(HeadersReceived{id, *std::move(metadata)});
}

void Connection::on_peer_done(std::uint32_t stream, Call& call) {
  const CallId id{stream};
  call.peer_done = true;
  if (call.state == CallState::Closing || call.state == CallState::Receiving) return;
  if (role_ == Role::Client) {
    return break_off(id, call, {StatusCode::Internal, "the answer ended without a status"});
  }
  if (!call.reader.at_boundary()) {
    return break_off(id, call, {StatusCode::Internal, "the last message is cut short"});
  }
  events_.push_back(HalfClosed{id});
}

void Connection::on_data(std::uint32_t stream, ByteView data) {
  Call* call = find(stream);
  if (call == nullptr) return consume(stream, data.size());
  if (call->state != CallState::Closing) read_messages(CallId{stream}, *call, data);
  take_back(stream, *call, data.size());
}

void Connection::read_messages(CallId id, Call& call, ByteView data) {
  if (role_ == Role::Client && !call.answered) {
    return break_off(id, call, {StatusCode::Internal, "data came before the headers"});
  }
  while (!data.empty()) {
    const std::size_t before = call.reader.announced_bytes();
    const MessageReader::Bounds bounds{
        limits_.message_bytes_max,
        limits_.received_bytes_max - std::min(limits_.received_bytes_max, announced_bytes_)};
    auto message = call.reader.read(data, bounds);
    announced_bytes_ = announced_bytes_ + call.reader.announced_bytes() - before;
    if (!message) return break_off(id, call, status_of(message.error()));
    if (!*message) return;
    unread_bytes_ += (*message)->size() + kEventBytes;
    events_.push_back(MessageReceived{id, **std::move(message)});
  }
}

// Flow control: the peer may send as much again, now or when the owner has read.
void Connection::take_back(std::uint32_t stream, Call& call, std::size_t bytes) {
  if (unread_bytes_ < limits_.received_bytes_max || call.state == CallState::Closing) {
    return consume(stream, bytes);
  }
  call.owed_bytes += bytes;
  windows_owed_ = true;
}

// When the owner has read enough.
void Connection::pay_windows() {
  if (!windows_owed_ || unread_bytes_ >= limits_.received_bytes_max) return;
  windows_owed_ = false;
  for (auto& [stream, call] : calls_) consume(stream, std::exchange(call.owed_bytes, 0));
}

void Connection::note_read(const MessageReceived& message) {
  unread_bytes_ -= message.message.size() + kEventBytes;
}

void Connection::on_stream_closed(std::uint32_t stream, std::uint32_t http2_error) {
  const auto found = calls_.find(stream);
  if (found == calls_.end()) return;
  Call& call = found->second;
  const bool unfinished = call.state != CallState::Closing;
  if (role_ == Role::Client) {
    end_call(CallId{stream}, call, status_of_reset(http2_error));
  } else {
    if (!call.reset_by_us && (unfinished || http2_error != NGHTTP2_NO_ERROR)) on_call_broken_off();
    end_call(CallId{stream}, call, {StatusCode::Cancelled, "the client cancelled the call"});
  }
  drop_queue(call);
  consume(stream, std::exchange(call.owed_bytes, 0));
  calls_.erase(found);
}

void Connection::on_ping() {
  if (role_ == Role::Server && !ping_guard_.accept(now_)) {
    fail(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
  }
}

void Connection::on_ping_answer(std::uint64_t opaque) {
  const auto purpose = pings_.take(opaque);
  if (!purpose) return on_idle_frame();
  if (*purpose == PingPurpose::Owner) events_.push_back(Ponged{opaque});
  if (*purpose == PingPurpose::GoAway) send_last_go_away();
}

void Connection::on_going_away(std::uint32_t last_stream, std::uint32_t error, std::string reason) {
  if (closed_) return;
  if (!peer_going_away_) events_.push_back(GoingAway{error, reason});
  peer_going_away_ = true;
  if (!reason.empty()) peer_reason_ = std::move(reason);
  if (role_ == Role::Server) return;
  // Those that wait here for a free stream are not known to nghttp2's own clean-up.
  for (auto& [stream, call] : calls_) {
    if (stream <= last_stream) continue;
    break_off(CallId{stream}, call, {StatusCode::Unavailable, "the server is going away"});
  }
}

void Connection::on_idle_frame() {
  if (!idle_frames_.take(now_)) fail(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_idle_frames");
}

void Connection::on_call_broken_off() {
  if (!resets_.take(now_)) fail(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_resets");
}

}  // namespace trellis::grpc
