#include "testing/stream.h"

#include "base/result.h"

#include <algorithm>

namespace trellis::testing {

namespace {

const Endpoint kOwnAddress;  // 0.0.0.0:0, where no machine is

}  // namespace

StreamNet::StreamNet(Sim& net, std::uint64_t seed, StreamFaults faults)
    : net_(net), random_(seed), faults_(faults) {
  net_.attach(kOwnAddress, *this);
}

StreamNet::~StreamNet() { net_.detach(kOwnAddress); }

void StreamNet::listen(const Endpoint& at, StreamHost& host) { listeners_[at] = &host; }

void StreamNet::stop_listening(const Endpoint& at) { listeners_.erase(at); }

StreamEnd StreamNet::connect(StreamHost& host, const IpAddress& from, const Endpoint& to) {
  const StreamEnd end = add_end(host, from, to.address);
  calls_.push_back({end, to, net_.now() + draw_delay()});
  return end;
}

void StreamNet::send(StreamEnd end, ByteView bytes) {
  const auto found = ends_.find(end);
  if (found == ends_.end() || !found->second.peer || bytes.empty()) return;
  sent_[found->second.address] += bytes.size();
  if (ends_.contains(*found->second.peer)) {
    post(*found->second.peer, Kind::Data, draw_delay(), bytes);
  } else {
    post(end, Kind::Closed, 2 * faults_.delay, {}, "connection reset by peer");
  }
}

bool StreamNet::writable(StreamEnd end) const {
  const auto found = ends_.find(end);
  if (found == ends_.end() || !found->second.peer) return false;
  const auto peer = ends_.find(*found->second.peer);
  return peer == ends_.end() || peer->second.inbox_bytes < faults_.window_bytes;
}

void StreamNet::close(StreamEnd end) {
  const auto found = ends_.find(end);
  if (found == ends_.end()) return;
  const auto peer = found->second.peer;
  ends_.erase(found);
  if (peer) post(*peer, Kind::Closed, draw_delay(), {}, "closed by the other end");
}

void StreamNet::cut(StreamEnd end) {
  const auto found = ends_.find(end);
  if (found == ends_.end()) return;
  const auto peer = found->second.peer;
  for (const auto id : {std::optional(end), peer}) {
    const auto one = id ? ends_.find(*id) : ends_.end();
    if (one == ends_.end()) continue;
    one->second.inbox.clear();
    one->second.inbox_bytes = 0;
    post(*id, Kind::Closed, {}, {}, "connection reset");
  }
  std::erase_if(calls_, [end](const Call& call) { return call.client == end; });
}

void StreamNet::cut_all(const IpAddress& machine) {
  std::vector<StreamEnd> ends;
  for (const auto& [id, end] : ends_) {
    if (end.address == machine) ends.push_back(id);
  }
  for (const StreamEnd end : ends) cut(end);
}

void StreamNet::set_silent(const IpAddress& machine, bool silent) {
  if (silent) {
    silent_.insert(machine);
  } else {
    silent_.erase(machine);
  }
}

void StreamNet::remove(StreamHost& host, bool machine_too) {
  std::erase_if(listeners_, [&](const auto& entry) { return entry.second == &host; });
  std::vector<StreamEnd> peers;
  std::erase_if(ends_, [&](const auto& entry) {
    if (entry.second.host != &host) return false;
    if (entry.second.peer) peers.push_back(*entry.second.peer);
    return true;
  });
  if (machine_too) return;
  for (const StreamEnd peer : peers) {
    post(peer, Kind::Closed, draw_delay(), {}, "connection reset by peer");
  }
}

std::uint64_t StreamNet::bytes_sent(const IpAddress& machine) const {
  const auto found = sent_.find(machine);
  return found == sent_.end() ? 0 : found->second;
}

std::size_t StreamNet::connections() const {
  std::size_t result = 0;
  for (const auto& [id, end] : ends_) {
    if (!end.peer) continue;
    const bool first = id < *end.peer || !ends_.contains(*end.peer);
    result += first ? 1U : 0U;
  }
  return result;
}

void StreamNet::handle_timeout(TimePoint now) {
  while (answer_call(now) || deliver_one(now)) {
  }
}

std::optional<TimePoint> StreamNet::next_timeout() const {
  std::optional<TimePoint> next;
  for (const Call& call : calls_) {
    const auto client = ends_.find(call.client);
    if (client == ends_.end() || passes(client->second.address, call.to.address)) {
      next = earlier(next, call.due);
    }
  }
  for (const auto& [id, end] : ends_) next = earlier(next, due(end));
  return next;
}

StreamEnd StreamNet::add_end(StreamHost& host, const IpAddress& own, const IpAddress& peer) {
  const auto id = static_cast<StreamEnd>(next_end_++);
  ends_.emplace(id, End{&host, own, peer, std::nullopt, {}, 0});
  return id;
}

void StreamNet::post(StreamEnd to, Kind kind, Duration delay, ByteView bytes, std::string why) {
  const auto found = ends_.find(to);
  if (found == ends_.end()) return;
  End& end = found->second;
  TimePoint due = net_.now() + delay;
  if (!end.inbox.empty()) due = std::max(due, end.inbox.back().due);
  end.inbox_bytes += bytes.size();
  end.inbox.push_back({kind, due, to_vector(bytes), std::move(why)});
}

Duration StreamNet::draw_delay() {
  if (faults_.jitter <= Duration{}) return faults_.delay;
  return faults_.delay + Duration(static_cast<Duration::rep>(
                             random_.below(static_cast<std::uint64_t>(faults_.jitter.count()))));
}

bool StreamNet::passes(const IpAddress& a, const IpAddress& b) const {
  return !silent_.contains(a) && !silent_.contains(b);
}

std::optional<TimePoint> StreamNet::due(const End& end) const {
  if (end.inbox.empty() || !passes(end.address, end.peer_address)) return std::nullopt;
  return end.inbox.front().due;
}

bool StreamNet::answer_call(TimePoint now) {
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    const Call call = calls_[i];
    const auto client = ends_.find(call.client);
    const bool gone = client == ends_.end();
    if (call.due > now || (!gone && !passes(client->second.address, call.to.address))) continue;
    calls_.erase(calls_.begin() + static_cast<std::ptrdiff_t>(i));
    if (gone) return true;
    const auto listener = listeners_.find(call.to);
    if (listener == listeners_.end()) {
      post(call.client, Kind::Closed, draw_delay(), {}, "connection refused");
      return true;
    }
    const IpAddress from = client->second.address;
    const StreamEnd server = add_end(*listener->second, call.to.address, from);
    ends_.at(server).peer = call.client;
    ends_.at(call.client).peer = server;
    post(call.client, Kind::Opened, draw_delay());
    listener->second->stream_opened(now, server, from);
    return true;
  }
  return false;
}

bool StreamNet::deliver_one(TimePoint now) {
  std::optional<StreamEnd> first;
  std::optional<TimePoint> first_due;
  for (const auto& [id, end] : ends_) {
    const auto its = due(end);
    if (!its || *its > now || (first_due && *first_due <= *its)) continue;
    first = id;
    first_due = its;
  }
  if (!first) return false;
  End& end = ends_.at(*first);
  if (end.inbox.front().kind == Kind::Data) {
    deliver_data(now, *first, end);
    return true;
  }
  const Parcel parcel = std::move(end.inbox.front());
  end.inbox.pop_front();
  StreamHost* const host = end.host;
  if (parcel.kind == Kind::Opened) {
    host->stream_opened(now, *first, end.peer_address);
  } else {
    ends_.erase(*first);
    host->stream_closed(now, *first, parcel.why);
  }
  return true;
}

void StreamNet::deliver_data(TimePoint now, StreamEnd id, End& end) {
  ByteVector& bytes = end.inbox.front().bytes;
  std::size_t size = bytes.size();
  if (faults_.piece_bytes_max > 0) {
    size = std::min<std::size_t>(size, 1 + random_.below(faults_.piece_bytes_max));
  }
  const ByteVector piece(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  end.inbox_bytes -= size;
  if (size == bytes.size()) {
    end.inbox.pop_front();
  } else {
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  }
  end.host->stream_received(now, id, piece);
}

}  // namespace trellis::testing
