#include "protocol/grpc/connection.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

// What the owner does with calls, and how they end.

namespace trellis::grpc {
namespace {

std::optional<CallId> call_of(const Connection::Event& event) {
  return std::visit(
      [](const auto& one) -> std::optional<CallId> {
        if constexpr (requires { one.call; }) return one.call;
        return std::nullopt;
      },
      event);
}

}  // namespace

Call* Connection::find(std::uint32_t stream) {
  const auto found = calls_.find(stream);
  return found == calls_.end() ? nullptr : &found->second;
}

Call* Connection::find_open(CallId id) {
  Call* call = find(static_cast<std::uint32_t>(id));
  return call != nullptr && call->state == CallState::Open && !closed_ ? call : nullptr;
}

void Connection::send_headers(CallId id, const Metadata& metadata) {
  Call* call = find_open(id);
  if (call == nullptr || call->headers_sent) return;
  call->headers_sent = true;
  submit_headers(id, write_response(metadata), /*data_follows=*/true);
}

bool Connection::send_message(CallId id, ByteView message) {
  Call* call = find_open(id);
  const std::size_t size = SendQueue::kPrefixBytes + message.size();
  if (call == nullptr ||
      size > limits_.queued_bytes_max - std::min(limits_.queued_bytes_max, queued_bytes_)) {
    return false;
  }
  if (role_ == Role::Server) send_headers(id, {});
  call->queue.push(message);
  queued_bytes_ += size;
  resume(id);
  return true;
}

void Connection::finish(CallId id, const Status& status, const Metadata& trailers) {
  forget_events(id);  // its end too, if that is what waits there
  Call* call = find_open(id);
  if (call == nullptr) return;
  send_status(id, *call, status, trailers);
  leave(*call);
}

void Connection::send_status(CallId id, Call& call, const Status& status,
                             const Metadata& trailers) {
  if (!call.headers_sent) {
    call.headers_sent = true;
    return submit_headers(id, write_refusal({200, status}, trailers), /*data_follows=*/false);
  }
  // Trailers need no window. They wait for data only if there are any.
  if (call.queue.empty()) {
    return submit_trailers(static_cast<std::uint32_t>(id), write_trailers(status, trailers));
  }
  call.trailers = write_trailers(status, trailers);
  call.all_queued = true;
  resume(id);
}

CallId Connection::start(TimePoint now, RequestLine line, const Metadata& metadata) {
  now_ = now;
  const bool late = line.timeout && *line.timeout <= Duration{};
  const bool takes_calls = !closed_ && !going_away_ && !peer_going_away_;
  std::optional<std::uint32_t> stream;
  if (takes_calls && !late) stream = submit_request(write_request(line, metadata));
  if (!stream) {
    const CallId dead{next_dead_call_++};
    events_.push_back(CallEnded{
        dead,
        late ? Status{StatusCode::DeadlineExceeded, "the deadline is over"}
             : Status{StatusCode::Unavailable, closed_ ? close_reason_ : "the connection ends"},
        {}});
    return dead;
  }
  Call& call = calls_[*stream];
  call.headers_sent = true;
  if (line.timeout) call.deadline = now + *line.timeout;
  return CallId{*stream};
}

void Connection::half_close(CallId id) {
  Call* call = find_open(id);
  if (call == nullptr) return;
  call->state = CallState::HalfClosed;
  call->all_queued = true;
  resume(id);
}

void Connection::cancel(TimePoint now, CallId id) {
  now_ = now;
  forget_events(id);
  Call* call = find(static_cast<std::uint32_t>(id));
  if (call == nullptr || call->state == CallState::Closing) return;
  leave(*call);
  drop_queue(*call);
  reset(id, *call, NGHTTP2_CANCEL);
}

std::size_t Connection::queued_bytes(CallId id) const {
  const auto found = calls_.find(static_cast<std::uint32_t>(id));
  return found == calls_.end() ? 0 : found->second.queue.size();
}

void Connection::end_call(CallId id, Call& call, Status status, Metadata trailers) {
  if (call.state == CallState::Closing) return;
  const bool known = call.state != CallState::Receiving;
  leave(call);
  drop_queue(call);
  if (known) events_.push_back(CallEnded{id, std::move(status), std::move(trailers)});
}

// For reasons of our own: the owner hears it, and the peer.
void Connection::break_off(CallId id, Call& call, Status status) {
  if (call.state == CallState::Closing) return;
  const bool tell = role_ == Role::Server && call.queue.empty();
  if (tell) send_status(id, call, status, {});
  end_call(id, call, std::move(status));
  if (!tell) reset(id, call, NGHTTP2_CANCEL);
}

void Connection::expire(CallId id, Call& call) {
  call.deadline.reset();
  if (call.state == CallState::Closing) return reset(id, call, NGHTTP2_CANCEL);
  break_off(id, call, {StatusCode::DeadlineExceeded, "the deadline is over"});
}

void Connection::end_all_calls(const Status& status) {
  for (auto& [stream, call] : calls_) {
    end_call(CallId{stream}, call, status);
    drop_queue(call);
  }
}

// What is queued still goes out, what comes is dropped.
void Connection::leave(Call& call) {
  call.state = CallState::Closing;
  announced_bytes_ -= call.reader.announced_bytes();
  call.reader = {};
}

void Connection::drop_queue(Call& call) {
  queued_bytes_ -= call.queue.size();
  call.queue.clear();
}

// What the owner has not taken yet and does not want any more.
void Connection::forget_events(CallId id) {
  std::erase_if(events_, [&](const Event& event) {
    if (const auto* message = std::get_if<MessageReceived>(&event);
        message && message->call == id) {
      note_read(*message);
    }
    return call_of(event) == id;
  });
  pay_windows();
}

}  // namespace trellis::grpc
