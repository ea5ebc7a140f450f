#include "node/uplink/signal_outbox.h"

#include "node/uplink/constants.h"
#include "protocol/control/method_names.h"

#include <algorithm>

namespace trellis::uplink {

namespace {

/// Is it of use to send the same again?
bool passes(grpc::StatusCode code) {
  return code == grpc::StatusCode::Unavailable || code == grpc::StatusCode::DeadlineExceeded ||
         code == grpc::StatusCode::ResourceExhausted || code == grpc::StatusCode::Aborted ||
         code == grpc::StatusCode::Cancelled;
}

}  // namespace

void SignalOutbox::add(TimePoint now, const crypto::PublicKey& to, wire::signal::Body::Type type,
                       ByteVector sealed) {
  Queue& queue = queues_[to];
  const auto waiting = queue.letters.begin() + (queue.sending ? 1 : 0);
  if (type == wire::signal::Body::OFFER) {
    const auto older = std::find_if(waiting, queue.letters.end(),
                                    [&](const Letter& letter) { return letter.type == type; });
    if (older != queue.letters.end()) queue.letters.erase(older);
  } else if (queue.letters.size() >= kSignalsWaitingMax) {
    queue.letters.erase(waiting);
    ++shared_.counters.signals_dropped;
  }
  queue.letters.push_back({type, std::move(sealed), now + kSignalWaitMax});
}

void SignalOutbox::map_changed() {
  std::erase_if(queues_, [&](const auto& entry) {
    if (shared_.find_peer(entry.first)) return false;
    shared_.counters.signals_dropped += entry.second.letters.size();
    return true;
  });
}

void SignalOutbox::line_lost() {
  sends_.clear();
  for (auto& [peer, queue] : queues_) {
    queue.sending = false;
    queue.not_before = {};
  }
}

void SignalOutbox::handle_end(TimePoint now, grpc::CallId call, const grpc::Status& status) {
  const auto send = sends_.extract(call);
  const auto found = queues_.find(send.mapped());
  if (found == queues_.end()) return;  // its peer has left the map
  Queue& queue = found->second;
  queue.sending = false;
  Letter& letter = queue.letters.front();
  if (status.ok()) {
    ++shared_.counters.signals_sent;
    queue.letters.pop_front();
  } else if (passes(status.code) && ++letter.tries < kSendTriesMax) {
    queue.not_before = now + kStreamRetryFirst * letter.tries;
  } else {
    drop_front(queue);
  }
  if (queue.letters.empty()) queues_.erase(found);
}

void SignalOutbox::pump(TimePoint now, const Session* session) {
  for (auto& [peer, queue] : queues_) {
    if (queue.sending) continue;
    while (!queue.letters.empty() && queue.letters.front().drop_at <= now) drop_front(queue);
    if (queue.letters.empty() || queue.not_before > now || !session) continue;
    if (sends_.size() >= kSendsAtOnceMax) continue;
    const grpc::CallId call = session->grpc.start(now, control::kSignalSend, {}, kSendLimit);
    session->grpc.send_message(call, queue.letters.front().sealed);
    session->grpc.half_close(call);
    queue.sending = true;
    sends_.emplace(call, peer);
  }
  std::erase_if(queues_, [](const auto& entry) { return entry.second.letters.empty(); });
}

std::optional<TimePoint> SignalOutbox::next_timeout() const {
  std::optional<TimePoint> next;
  for (const auto& [peer, queue] : queues_) {
    if (queue.sending) continue;
    next = earlier(next, queue.letters.front().drop_at);
    const bool later = queue.not_before != TimePoint{} && sends_.size() < kSendsAtOnceMax;
    if (later) next = earlier(next, queue.not_before);
  }
  return next;
}

void SignalOutbox::drop_front(Queue& queue) {
  queue.letters.pop_front();
  ++shared_.counters.signals_dropped;
}

}  // namespace trellis::uplink
