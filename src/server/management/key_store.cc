#include "server/management/key_store.h"

#include "base/log.h"
#include "protocol/control/key_text.h"
#include "protocol/control/keys.pb.h"
#include "protocol/control/message.h"
#include "protocol/rosenpass/key.h"
#include "server/management/login.h"

#include <algorithm>
#include <vector>

namespace trellis::server {

using grpc::Status;
using grpc::StatusCode;

namespace {

auto refuse(StatusCode code, std::string why) { return fail(Status{code, std::move(why)}); }

Status unreadable(control::MessageError error) {
  return {StatusCode::InvalidArgument,
          std::string("the request cannot be read: ") + to_string(error)};
}

}  // namespace

// ---- uploads ---------------------------------------------------------------------------------

void KeyStore::upload(const Session& session, CallRef call, ByteView message, WallTime wall) {
  const auto stop = [&](const Status& status) {
    uploads_.erase(call);
    calls_.finish(call, status);
  };
  const auto request = control::parse_message<wire::keys::UploadRequest>(message);
  if (!request) return stop(unreadable(request.error()));
  auto it = uploads_.find(call);
  if (it == uploads_.end()) {
    const auto begun = begin(session, call, request->key_name(), request->offset());
    if (!begun) return stop(begun.error());
    if (*begun == nullptr) return;  // answered
    it = uploads_.find(call);
  }
  Upload& upload = it->second;
  if (const auto added = append(upload, control::field_bytes(request->piece())); !added) {
    return stop(added.error());
  }
  if (upload.offset < key_bytes_) return;
  if (const auto done = complete(upload, wall); !done) return stop(done.error());
  uploads_.erase(it);
  reply(call, key_bytes_, /*complete=*/true);
}

/// Nothing if there is nothing to upload, and the caller was told so.
Expected<KeyStore::Upload*, Status> KeyStore::begin(const Session& session, CallRef call,
                                                    std::string_view name_field,
                                                    std::uint32_t offset) {
  const auto member = session.member();
  const PeerRecord* peer = member ? roster_.find(*member) : nullptr;
  if (!peer) {
    return refuse(StatusCode::PermissionDenied, "log in on this connection first");
  }
  const auto name = control::read_key_name(name_field);
  if (!name || peer->key_name != name) {
    return refuse(StatusCode::PermissionDenied, "that is not the key of your login");
  }
  if (files_.is_complete(*name)) {
    reply(call, key_bytes_, /*complete=*/true);
    return nullptr;
  }
  const auto rival = std::find_if(uploads_.begin(), uploads_.end(),
                                  [&](const auto& entry) { return entry.second.name == *name; });
  if (rival != uploads_.end()) {  // of a connection that is dead, most likely
    calls_.finish(rival->first, {StatusCode::Aborted, "another upload of this key has begun"});
    uploads_.erase(rival);
  }
  const std::uint32_t here = files_.size(*name);
  if (offset != here) {
    reply(call, here, /*complete=*/false);
    return nullptr;
  }
  Upload& upload = uploads_[call];
  upload = {peer->key, *name, here};
  return &upload;
}

Expected<void, Status> KeyStore::append(Upload& upload, ByteView piece) {
  if (piece.size() > control::kKeyPieceBytesMax || piece.size() > key_bytes_ - upload.offset) {
    return refuse(StatusCode::InvalidArgument, "the piece is too long");
  }
  if (piece.empty()) return {};
  if (const auto stored = files_.append(upload.name, upload.offset, piece); !stored) {
    return fail(cannot_store(stored.error()));
  }
  upload.offset += static_cast<std::uint32_t>(piece.size());
  return {};
}

Expected<void, Status> KeyStore::complete(const Upload& upload, WallTime wall) {
  const auto bytes = files_.read(upload.name, 0, key_bytes_);
  if (!bytes) return fail(cannot_store(bytes.error()));
  const auto hash = rosenpass::peer_hash(*bytes);
  if (!std::equal(hash.bytes.begin(), hash.bytes.end(), upload.name.begin() + 1)) {
    if (const auto removed = files_.remove(upload.name); !removed) {
      return fail(cannot_store(removed.error()));
    }
    return refuse(StatusCode::InvalidArgument, "these bytes are not the key of that name");
  }
  if (const auto kept = files_.complete(upload.name); !kept)
    return fail(cannot_store(kept.error()));
  const PeerRecord* peer = roster_.find(upload.machine);
  if (!peer || peer->key_name != upload.name) {
    return refuse(StatusCode::PermissionDenied, "that is not the key of your login any more");
  }
  if (peer->key_complete) return {};
  PeerRecord changed = *peer;
  changed.key_complete = true;
  if (const auto stored = roster_.update(changed, wall); !stored) {
    return fail(cannot_store(stored.error()));
  }
  LOG(debug, "server", "key is here machine={}", changed.name);
  return {};
}

void KeyStore::half_closed(CallRef call) {
  const auto it = uploads_.find(call);
  if (it == uploads_.end()) return;
  const std::uint32_t offset = it->second.offset;
  uploads_.erase(it);
  reply(call, offset, /*complete=*/false);
}

void KeyStore::reply(CallRef call, std::uint32_t offset, bool complete) {
  wire::keys::UploadReply reply;
  reply.set_offset(offset);
  reply.set_complete(complete);
  calls_.send(call, control::format_message(reply));
  calls_.finish(call, Status{});
}

// ---- fetches ---------------------------------------------------------------------------------

bool KeyStore::named_by_map_of(const crypto::PublicKey& reader, const KeyName& name) const {
  return std::any_of(roster_.peers().begin(), roster_.peers().end(), [&](const auto& entry) {
    return entry.first != reader && entry.second.key_name == name && Roster::visible(entry.second);
  });
}

Expected<KeyName, Status> KeyStore::may_fetch(const Session& session, CallRef call,
                                              std::string_view name_field,
                                              std::uint32_t offset) const {
  const auto member = session.member();
  if (!member || !roster_.find(*member)) {
    return refuse(StatusCode::PermissionDenied, "log in on this connection first");
  }
  const auto first = fetches_.lower_bound({call.connection, grpc::CallId{}});
  std::size_t running = 0;
  for (auto it = first; it != fetches_.end() && it->first.connection == call.connection; ++it) {
    ++running;
  }
  if (running >= kFetchesMax) {
    return refuse(StatusCode::ResourceExhausted, "too many keys at once");
  }
  const auto name = control::read_key_name(name_field);
  if (!name || !named_by_map_of(*member, *name) || !files_.is_complete(*name)) {
    return refuse(StatusCode::NotFound, "no machine of your map has such a key");
  }
  if (offset > key_bytes_) return refuse(StatusCode::OutOfRange, "the key is not that long");
  return *name;
}

void KeyStore::fetch(TimePoint now, const Session& session, CallRef call, ByteView message) {
  const auto request = control::parse_message<wire::keys::FetchRequest>(message);
  if (!request) return calls_.finish(call, unreadable(request.error()));
  const std::uint32_t offset = request->offset();
  const auto name = may_fetch(session, call, request->key_name(), offset);
  if (!name) return calls_.finish(call, name.error());
  const crypto::PublicKey reader = *session.member();
  TokenBucket& rate =
      rates_.try_emplace(reader, kFetchedKeysPerSecond, kFetchedKeysBurst).first->second;
  if (!rate.take(now, share(offset))) {
    return calls_.finish(call, {StatusCode::ResourceExhausted,
                                "you have fetched many keys lately: one each few seconds now"});
  }
  const auto fetch = fetches_.emplace(call, Fetch{reader, *name, offset}).first;
  if (!pump(call, fetch->second)) end(fetch);
}

/// Of a key, what follows on `offset`.
double KeyStore::share(std::uint32_t offset) const {
  return static_cast<double>(key_bytes_ - offset) / static_cast<double>(key_bytes_);
}

/// What was not sent costs nothing.
void KeyStore::end(std::map<CallRef, Fetch>::iterator fetch) {
  const auto rate = rates_.find(fetch->second.reader);
  if (rate != rates_.end()) rate->second.give_back(share(fetch->second.offset));
  fetches_.erase(fetch);
}

bool KeyStore::pump(CallRef call, Fetch& fetch) {
  while (fetch.offset < key_bytes_) {
    if (calls_.queued_bytes(call) >= kFetchAheadBytes) return true;
    const auto piece = files_.read(fetch.name, fetch.offset, control::kKeyPieceBytesMax);
    if (!piece || piece->empty()) {
      calls_.finish(call, {StatusCode::NotFound, "the key is gone"});
      return false;
    }
    wire::keys::FetchPiece message;
    message.set_offset(fetch.offset);
    message.set_total(key_bytes_);
    message.set_piece(control::to_field(*piece));
    if (!calls_.send(call, control::format_message(message))) return true;  // full, or it ends
    fetch.offset += static_cast<std::uint32_t>(piece->size());
  }
  calls_.finish(call, Status{});
  return false;
}

void KeyStore::drained(ConnectionId connection) {
  auto it = fetches_.lower_bound({connection, grpc::CallId{}});
  while (it != fetches_.end() && it->first.connection == connection) {
    const auto fetch = it++;
    if (!pump(fetch->first, fetch->second)) end(fetch);
  }
}

void KeyStore::ended(CallRef call) {
  uploads_.erase(call);
  if (const auto fetch = fetches_.find(call); fetch != fetches_.end()) end(fetch);
}

}  // namespace trellis::server
