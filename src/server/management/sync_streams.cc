#include "server/management/sync_streams.h"

#include <algorithm>

namespace trellis::server {

using grpc::Status;
using grpc::StatusCode;

namespace {

constexpr Duration kGatherMin = 100ms;
constexpr Duration kGatherMax = 500ms;
constexpr Duration kGatherEach = 500us;  // for each stream

}  // namespace

void SyncStreams::open(CallRef call, const PeerRecord& machine, const Reader& reader) {
  if (const auto it = streams_.find(machine.key); it != streams_.end()) {
    by_call_.erase(it->second.call);
    calls_.finish(it->second.call, {StatusCode::Aborted, "another stream of this machine began"});
  }
  Stream& stream = streams_[machine.key];
  stream = {call, reader.ours, reader.deltas, roster_.serial(), machine.name};
  by_call_[call] = machine.key;
  calls_.send(call, channels_.seal(machine.key,
                                   writer_.whole_map(machine, reader.ours, reader.infrastructure)));
}

std::optional<crypto::PublicKey> SyncStreams::close(CallRef call) {
  const auto it = by_call_.find(call);
  if (it == by_call_.end()) return std::nullopt;
  const crypto::PublicKey key = it->second;
  by_call_.erase(it);
  streams_.erase(key);
  return key;
}

void SyncStreams::dismiss(const PeerRecord& gone) {
  const auto it = streams_.find(gone.key);
  if (it == streams_.end()) return;
  const CallRef call = it->second.call;
  calls_.send(call, channels_.seal(gone.key, writer_.last_map(gone)));
  // A stock agent reads the end of the stream, and is refused when it comes again.
  // [netbird-wire 2.12]
  calls_.finish(call, it->second.ours ? removed() : Status{});
  by_call_.erase(call);
  streams_.erase(it);
}

std::optional<CallRef> SyncStreams::call_of(const crypto::PublicKey& machine) const {
  const auto it = streams_.find(machine);
  return it == streams_.end() ? std::nullopt : std::optional(it->second.call);
}

Duration SyncStreams::gathering_time() const {
  return std::clamp<Duration>(kGatherEach * static_cast<Duration::rep>(streams_.size()), kGatherMin,
                              kGatherMax);
}

void SyncStreams::handle_timeout(TimePoint now) {
  if (told_ == roster_.serial()) {
    due_.reset();
    return;
  }
  if (!due_) due_ = last_ ? std::max(now, *last_ + gathering_time()) : now;
  if (*due_ > now) return;
  tell_all();
  told_ = roster_.serial();
  last_ = now;
  due_.reset();
}

void SyncStreams::tell_all() {
  for (auto& [machine, stream] : streams_) tell(machine, stream);
}

void SyncStreams::drained(ConnectionId connection) {
  for (auto it = by_call_.lower_bound({connection, grpc::CallId{}});
       it != by_call_.end() && it->first.connection == connection; ++it) {
    Stream& stream = streams_.at(it->second);
    // What all the others wait for, it waits for too.
    if (stream.serial < told_) tell(it->second, stream);
  }
}

void SyncStreams::tell(const crypto::PublicKey& machine, Stream& stream) {
  if (stream.serial == roster_.serial()) return;
  if (calls_.queued_bytes(stream.call) > 0) return;  // `drained` comes
  const PeerRecord& reader = *roster_.find(machine);
  const bool takes_update = stream.deltas && stream.name == reader.name;
  std::optional<ByteVector> message;
  if (takes_update) message = writer_.update(stream.serial, machine);
  if (!message) message = writer_.whole_map(reader, stream.ours, {});
  if (!calls_.send(stream.call, channels_.seal(machine, *message))) return;
  stream.serial = roster_.serial();
  stream.name = reader.name;
}

}  // namespace trellis::server
