#include "node/uplink/key_fetches.h"

#include "base/log.h"
#include "crypto/kem.h"
#include "node/uplink/constants.h"
#include "node/uplink/login.h"
#include "protocol/control/keys.pb.h"
#include "protocol/rosenpass/key.h"

#include <algorithm>

namespace trellis::uplink {

void KeyFetches::want(const pair::KeyName& name, ByteVector have) {
  const crypto::Suite* const own = shared_.options.suite;
  const crypto::Suite* const suite =
      own && own->number == name.suite ? own : crypto::find_suite(name.suite);
  if (!suite || fetches_.contains(name)) return;  // read_map() lets no other suite in
  const std::size_t total = suite->static_kem->sizes().public_key;
  if (have.size() >= total) have.clear();  // the last piece is never kept alone
  fetches_.emplace(name, Fetch{.name = name,
                               .total = total,
                               .bytes = std::move(have),
                               .call = std::nullopt,
                               .back_off = BackOff({kKeyRetryFirst, kKeyRetryMax}),
                               .error = {}});
}

void KeyFetches::forget(TimePoint now, const Session* session, const pair::KeyName& name) {
  const auto found = fetches_.find(name);
  if (found == fetches_.end()) return;
  if (found->second.call && session) session->grpc.cancel(now, *found->second.call);
  settle_charge(found->second);
  fetches_.erase(found);
}

void KeyFetches::map_changed(TimePoint now, const Session& session) {
  std::vector<pair::KeyName> gone;
  for (const auto& [name, fetch] : fetches_) {
    const auto names_it = [&](const netmap::MapPeer& peer) { return peer.key_name == name; };
    if (std::ranges::none_of(shared_.map->peers, names_it)) gone.push_back(name);
  }
  for (const pair::KeyName& name : gone) forget(now, &session, name);
}

void KeyFetches::line_lost() {
  for (auto& [name, fetch] : fetches_) {
    settle_charge(fetch);
    fetch.call.reset();
    fetch.not_before = {};
    fetch.back_off.reset();
  }
}

void KeyFetches::handle_message(TimePoint now, const Session& session, grpc::CallId call,
                                ByteView message) {
  Fetch& fetch = *find(call);
  const auto piece = control::parse_message<wire::keys::FetchPiece>(message);
  const bool fits = piece && piece->offset() == fetch.bytes.size() &&
                    piece->total() == fetch.total &&
                    piece->piece().size() <= fetch.total - fetch.bytes.size();
  if (!fits) {
    session.grpc.cancel(now, call);
    drop_bytes(fetch);
    fail_later(now, fetch, "the server sent pieces that do not fit");
    return;
  }
  fetch.bytes.reserve(fetch.total);
  append(fetch.bytes, control::field_bytes(piece->piece()));
  fetch.grew = fetch.grew || !piece->piece().empty();
  shared_.counters.key_bytes_received += piece->piece().size();
  if (fetch.bytes.size() < fetch.total) {
    shared_.events.emplace_back(KeyPiece{fetch.name, static_cast<std::size_t>(piece->offset()),
                                         to_vector(control::field_bytes(piece->piece()))});
    return;
  }
  session.grpc.cancel(now, call);  // nothing of interest follows
  complete(now, fetch);
}

void KeyFetches::handle_end(TimePoint now, grpc::CallId call, const grpc::Status& status) {
  Fetch& fetch = *find(call);
  if (fetch.grew) fetch.back_off.reset();  // half the way is a success
  fail_later(now, fetch,
             status.code == grpc::StatusCode::NotFound ? "the server does not have it yet"
             : status.ok()                             ? "the server sent only a part"
                                                       : describe(status));
}

void KeyFetches::start_due(TimePoint now, const Session& session) {
  std::size_t room = kFetchesAtOnceMax - std::min(running(), kFetchesAtOnceMax);
  for (auto& [name, fetch] : fetches_) {
    if (room == 0) return;
    if (fetch.call || fetch.not_before > now || !charge(now, fetch)) continue;
    wire::keys::FetchRequest request;
    request.set_key_name(key_name_bytes(name));
    request.set_offset(static_cast<std::uint32_t>(fetch.bytes.size()));
    fetch.call = session.grpc.start(now, control::kKeyFetch, {}, kTransferLimit);
    fetch.grew = false;
    session.grpc.send_message(*fetch.call, control::format_message(request));
    session.grpc.half_close(*fetch.call);
    --room;
  }
}

std::optional<TimePoint> KeyFetches::next_timeout() const {
  if (running() >= kFetchesAtOnceMax) return std::nullopt;
  std::optional<TimePoint> next;
  for (const auto& [name, fetch] : fetches_) {
    if (!fetch.call) next = earlier(next, fetch.not_before);
  }
  return next;
}

std::vector<Transfer> KeyFetches::status() const {
  std::vector<Transfer> result;
  for (const auto& [name, fetch] : fetches_) {
    result.push_back({.name = name,
                      .bytes = static_cast<std::uint32_t>(fetch.bytes.size()),
                      .total = static_cast<std::uint32_t>(fetch.total),
                      .error = fetch.error});
  }
  return result;
}

const KeyFetches::Fetch* KeyFetches::find(grpc::CallId call) const {
  for (const auto& [name, fetch] : fetches_) {
    if (fetch.call == call) return &fetch;
  }
  return nullptr;
}

KeyFetches::Fetch* KeyFetches::find(grpc::CallId call) {
  return const_cast<Fetch*>(std::as_const(*this).find(call));
}

std::size_t KeyFetches::running() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      fetches_, [](const auto& entry) { return entry.second.call.has_value(); }));
}

/// False: so many were fetched lately that this one waits.
bool KeyFetches::charge(TimePoint now, Fetch& fetch) {
  const double keys =
      static_cast<double>(fetch.total - fetch.bytes.size()) / static_cast<double>(fetch.total);
  if (!keys_.take(now, keys)) {
    fetch.not_before = keys_.next(now, keys);
    fetch.error = "so many keys were fetched lately that it waits";
    return false;
  }
  fetch.charged = keys;
  return true;
}

/// Bytes that did not come cost nothing.
void KeyFetches::settle_charge(Fetch& fetch) {
  if (!fetch.call) return;
  const double left =
      static_cast<double>(fetch.total - fetch.bytes.size()) / static_cast<double>(fetch.total);
  keys_.give_back(std::min(left, fetch.charged));
  fetch.charged = 0;
}

void KeyFetches::drop_bytes(Fetch& fetch) {
  fetch.charged = 0;  // they came
  fetch.bytes = {};
  shared_.events.emplace_back(KeyPiece{fetch.name, 0, {}});
}

void KeyFetches::complete(TimePoint now, Fetch& fetch) {
  if (rosenpass::peer_hash(fetch.bytes) != fetch.name.pid) {
    drop_bytes(fetch);
    fail_later(now, fetch, "the server sent another key under its name");
    return;
  }
  shared_.events.emplace_back(KeyFetched{fetch.name, std::move(fetch.bytes)});
  fetches_.erase(pair::KeyName(fetch.name));
}

void KeyFetches::fail_later(TimePoint now, Fetch& fetch, std::string why) {
  LOG(debug, "uplink", "key fetch failed key={} reason={}", fetch.name.to_string(), why);
  settle_charge(fetch);
  fetch.call.reset();
  fetch.error = std::move(why);
  fetch.not_before = now + fetch.back_off.next(shared_.random);
}

}  // namespace trellis::uplink
