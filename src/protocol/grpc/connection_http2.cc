#include "protocol/grpc/connection.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

// All that is said to nghttp2 and by it.

namespace trellis::grpc {
namespace {

constexpr std::uint32_t kStreamWindowBytes = 256U << 10;
// nghttp2 counts resets by the clock of the machine. Ours counts by `now` and is the stricter one.
constexpr std::uint64_t kLibraryResetBurst = 10'000;
constexpr std::uint64_t kLibraryResetsPerSecond = 1'000;
constexpr std::size_t kContinuationsMax = 8;
constexpr std::size_t kUnsentAnswersMax = 200;  // to SETTINGS and PING
constexpr std::size_t kUnsentFramesMax = 1'000;
constexpr std::size_t kErrorTextMax = 200;

std::string_view text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

std::uint32_t stream_of(const nghttp2_frame* frame) {
  return static_cast<std::uint32_t>(frame->hd.stream_id);
}

std::int32_t signed_id(std::uint32_t stream) { return static_cast<std::int32_t>(stream); }

bool has_flag(std::uint8_t flags, nghttp2_flag flag) {
  return (static_cast<unsigned>(flags) & static_cast<unsigned>(flag)) != 0;
}

std::uint8_t* mutable_bytes(const std::string& text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

/// Views of `headers`, which nghttp2 copies.
std::vector<nghttp2_nv> name_values(const Headers& headers) {
  std::vector<nghttp2_nv> result;
  result.reserve(headers.size());
  for (const Header& header : headers) {
    result.push_back({mutable_bytes(header.name), mutable_bytes(header.value), header.name.size(),
                      header.value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return result;
}

template <class T, auto kDelete>
struct Deleter {
  void operator()(T* object) const { kDelete(object); }
};
using Options = std::unique_ptr<nghttp2_option, Deleter<nghttp2_option, nghttp2_option_del>>;
using Callbacks =
    std::unique_ptr<nghttp2_session_callbacks,
                    Deleter<nghttp2_session_callbacks, nghttp2_session_callbacks_del>>;

// nghttp2's memory is the heap's, but for the room for a frame. [frame_buffer.h]

void* take_memory(std::size_t size, void* user) {
  auto& loan = *static_cast<FrameBufferLoan*>(user);
  if (loan.buffer == nullptr || loan.lent || size != FrameBuffer::kSize) return std::malloc(size);
  loan.lent = true;
  return loan.buffer->data();
}

void give_memory(void* memory, void* user) {
  auto& loan = *static_cast<FrameBufferLoan*>(user);
  if (loan.lent && memory == loan.buffer->data()) {
    loan.lent = false;
  } else {
    std::free(memory);
  }
}

void* take_zeroed_memory(std::size_t count, std::size_t size, void* /*user*/) {
  return std::calloc(count, size);
}

void* change_memory(void* memory, std::size_t size, void* user) {
  if (memory == nullptr) return take_memory(size, user);
  const auto& loan = *static_cast<FrameBufferLoan*>(user);
  // It has a fixed size; should it ever change, there is no telling how much of it is in use.
  CHECK(!loan.lent || memory != loan.buffer->data());
  return std::realloc(memory, size);
}

Options make_options() {
  nghttp2_option* raw = nullptr;
  CHECK(nghttp2_option_new(&raw) == 0);
  Options options(raw);
  nghttp2_option_set_no_auto_window_update(raw, 1);
  nghttp2_option_set_no_closed_streams(raw, 1);
  nghttp2_option_set_max_outbound_ack(raw, kUnsentAnswersMax);
  nghttp2_option_set_stream_reset_rate_limit(raw, kLibraryResetBurst, kLibraryResetsPerSecond);
  nghttp2_option_set_max_continuations(raw, kContinuationsMax);
  return options;
}

}  // namespace

/// What nghttp2 calls from inside nghttp2_session_mem_recv and nghttp2_session_mem_send.
struct Http2Callbacks {
  static Connection& self(void* user_data) { return *static_cast<Connection*>(user_data); }

  static int on_begin_frame(nghttp2_session* /*session*/, const nghttp2_frame_hd* hd, void* user) {
    const bool settings = hd->type == NGHTTP2_SETTINGS && !has_flag(hd->flags, NGHTTP2_FLAG_ACK);
    const bool nothing = hd->type == NGHTTP2_DATA && hd->length == 0 &&
                         !has_flag(hd->flags, NGHTTP2_FLAG_END_STREAM);
    const bool unknown = hd->type > NGHTTP2_CONTINUATION;
    if (settings || nothing || unknown || hd->type == NGHTTP2_PRIORITY) self(user).on_idle_frame();
    return 0;
  }

  static int on_begin_headers(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                              void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS) self(user).on_headers_begin(stream_of(frame));
    return 0;
  }

  static int on_header(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                       const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                       std::size_t value_size, std::uint8_t /*flags*/, void* user) {
    const bool go_on =
        self(user).on_header(stream_of(frame), text(name, name_size), text(value, value_size));
    return go_on ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_frame_received(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                               void* user) {
    Connection& connection = self(user);
    const bool last = has_flag(frame->hd.flags, NGHTTP2_FLAG_END_STREAM);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        connection.on_headers_end(stream_of(frame), last);
        break;
      case NGHTTP2_DATA: {
        Call* call = last ? connection.find(stream_of(frame)) : nullptr;
        if (call != nullptr) connection.on_peer_done(stream_of(frame), *call);
        break;
      }
      case NGHTTP2_PING: {
        std::uint64_t opaque = 0;
        std::memcpy(&opaque, frame->ping.opaque_data, sizeof opaque);
        if (has_flag(frame->hd.flags, NGHTTP2_FLAG_ACK)) {
          connection.on_ping_answer(opaque);
        } else {
          connection.on_ping();
        }
        break;
      }
      case NGHTTP2_GOAWAY: {
        const nghttp2_goaway& away = frame->goaway;
        const std::string_view words = text(away.opaque_data, away.opaque_data_len);
        connection.on_going_away(static_cast<std::uint32_t>(away.last_stream_id), away.error_code,
                                 std::string(words.substr(0, kErrorTextMax)));
        break;
      }
      default:
        break;
    }
    return 0;
  }

  static int on_data(nghttp2_session* /*session*/, std::uint8_t /*flags*/, std::int32_t stream,
                     const std::uint8_t* data, std::size_t size, void* user) {
    self(user).on_data(static_cast<std::uint32_t>(stream), std::as_bytes(std::span(data, size)));
    return 0;
  }

  static int on_stream_closed(nghttp2_session* /*session*/, std::int32_t stream,
                              std::uint32_t error, void* user) {
    self(user).on_stream_closed(static_cast<std::uint32_t>(stream), error);
    return 0;
  }

  static int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Connection& connection = self(user);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    connection.ping_guard_.note_data_sent();
    const bool last = has_flag(frame->hd.flags, NGHTTP2_FLAG_END_STREAM);
    if (connection.role_ == Role::Client || !last) return 0;
    // The answer is complete, and the client still sends: tell it that nobody reads.
    if (nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) != 0) return 0;
    Call* call = connection.find(stream_of(frame));
    if (call != nullptr) connection.reset(CallId{stream_of(frame)}, *call, NGHTTP2_NO_ERROR);
    return 0;
  }

  static int on_frame_not_sent(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                               int /*error*/, void* user) {
    // A call that was cancelled, or is too late, before its stream was open.
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      self(user).on_stream_closed(stream_of(frame), NGHTTP2_REFUSED_STREAM);
    }
    return 0;
  }

  static int on_error(nghttp2_session* /*session*/, int /*error*/, const char* words,
                      std::size_t size, void* user) {
    self(user).last_error_ = std::string(words, std::min(size, kErrorTextMax));
    return 0;
  }

  static ssize_t read_data(nghttp2_session* /*session*/, std::int32_t stream, std::uint8_t* target,
                           std::size_t size, std::uint32_t* flags, nghttp2_data_source* /*source*/,
                           void* user) {
    Connection& connection = self(user);
    const auto id = static_cast<std::uint32_t>(stream);
    Call* call = connection.find(id);
    if (call == nullptr || (call->queue.empty() && !call->all_queued)) return NGHTTP2_ERR_DEFERRED;
    const std::size_t taken = call->queue.take(std::as_writable_bytes(std::span(target, size)));
    connection.queued_bytes_ -= taken;
    if (!call->queue.empty() || !call->all_queued) return static_cast<ssize_t>(taken);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (call->trailers) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      connection.submit_trailers(id, *call->trailers);
      call->trailers.reset();
    }
    return static_cast<ssize_t>(taken);
  }

  static Callbacks make() {
    nghttp2_session_callbacks* raw = nullptr;
    CHECK(nghttp2_session_callbacks_new(&raw) == 0);
    Callbacks callbacks(raw);
    nghttp2_session_callbacks_set_on_begin_frame_callback(raw, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(raw, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(raw, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(raw, on_frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(raw, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(raw, on_stream_closed);
    nghttp2_session_callbacks_set_on_frame_send_callback(raw, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(raw, on_frame_not_sent);
    nghttp2_session_callbacks_set_error_callback2(raw, on_error);
    return callbacks;
  }
};

void Connection::SessionDeleter::operator()(nghttp2_session* session) const {
  nghttp2_session_del(session);
}

void Connection::make_session() {
  const Options options = make_options();
  const Callbacks callbacks = Http2Callbacks::make();
  const bool server = role_ == Role::Server;
  nghttp2_session* raw = nullptr;
  const auto make = server ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
  nghttp2_mem memory{&loan_, take_memory, give_memory, take_zeroed_memory, change_memory};
  CHECK(make(&raw, callbacks.get(), this, options.get(), &memory) == 0);
  session_.reset(raw);
  const std::array<nghttp2_settings_entry, 3> settings{{
      server ? nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.calls_max}
             : nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits_.header_bytes_max)},
  }};
  CHECK(nghttp2_submit_settings(raw, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
}

void Connection::set_window(std::size_t bytes) {
  nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(bytes));
}

void Connection::submit_headers(CallId id, const Headers& headers, bool data_follows) {
  const auto values = name_values(headers);
  nghttp2_data_provider provider{{}, Http2Callbacks::read_data};
  nghttp2_submit_response(session_.get(), signed_id(static_cast<std::uint32_t>(id)), values.data(),
                          values.size(), data_follows ? &provider : nullptr);
}

std::optional<std::uint32_t> Connection::submit_request(const Headers& headers) {
  const auto values = name_values(headers);
  nghttp2_data_provider provider{{}, Http2Callbacks::read_data};
  const std::int32_t stream = nghttp2_submit_request(session_.get(), nullptr, values.data(),
                                                     values.size(), &provider, nullptr);
  if (stream <= 0) return std::nullopt;
  return static_cast<std::uint32_t>(stream);
}

void Connection::submit_trailers(std::uint32_t stream, const Headers& trailers) {
  const auto values = name_values(trailers);
  nghttp2_submit_trailer(session_.get(), signed_id(stream), values.data(), values.size());
}

void Connection::resume(CallId id) {
  // Refused where the stream is not open yet, or reads by itself: then there is nothing to wake.
  nghttp2_session_resume_data(session_.get(), signed_id(static_cast<std::uint32_t>(id)));
}

void Connection::reset(CallId id, Call& call, std::uint32_t http2_error) {
  if (call.reset_by_us) return;
  call.reset_by_us = true;
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE,
                            signed_id(static_cast<std::uint32_t>(id)), http2_error);
}

bool Connection::still_sends(CallId id) const {
  const auto stream = signed_id(static_cast<std::uint32_t>(id));
  return nghttp2_session_get_stream_local_close(session_.get(), stream) == 0;
}

void Connection::consume(std::uint32_t stream, std::size_t bytes) {
  if (bytes > 0) nghttp2_session_consume(session_.get(), signed_id(stream), bytes);
}

void Connection::submit_ping(std::uint64_t opaque) {
  Bytes<8> bytes{};
  std::memcpy(bytes.data(), &opaque, sizeof opaque);
  nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE,
                      reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

void Connection::submit_go_away_notice() { nghttp2_submit_shutdown_notice(session_.get()); }

void Connection::submit_go_away(std::uint32_t http2_error, std::string_view reason) {
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), http2_error,
                        reinterpret_cast<const std::uint8_t*>(reason.data()), reason.size());
}

void Connection::read_frames(ByteView bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const ssize_t used = nghttp2_session_mem_recv(session_.get(), data, bytes.size());
  if (used < 0) {
    const bool flooded = used == NGHTTP2_ERR_FLOODED;
    return fail(flooded ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR,
                nghttp2_strerror(static_cast<int>(used)));
  }
  const bool too_much = nghttp2_session_get_outbound_queue_size(session_.get()) > kUnsentFramesMax;
  if (role_ == Role::Server && too_much) fail(NGHTTP2_ENHANCE_YOUR_CALM, "too_many_unsent_frames");
}

ByteVector Connection::write_frames(std::size_t bytes_wanted) {
  ByteVector result;
  while (result.size() < bytes_wanted) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &data);
    if (size <= 0) break;
    append(result, std::as_bytes(std::span(data, static_cast<std::size_t>(size))));
  }
  return result;
}

bool Connection::has_output() const { return nghttp2_session_want_write(session_.get()) != 0; }

bool Connection::session_over() const {
  return nghttp2_session_want_read(session_.get()) == 0 &&
         nghttp2_session_want_write(session_.get()) == 0;
}

}  // namespace trellis::grpc
