#pragma once

#include "crypto/x25519.h"
#include "protocol/control/box_channel.h"
#include "protocol/control/envelope.h"
#include "protocol/control/key_text.h"
#include "protocol/control/keys.pb.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/method_names.h"
#include "protocol/control/signal.pb.h"
#include "protocol/grpc/server_connection.h"
#include "testing/stream.h"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace trellis::uplink {

/// A server of a few lines that behaves well until a test tells it otherwise: admits who has the
/// setup key, hands out one map, forwards signals, keeps keys.
class ScriptedServer final : public testing::SimHost, public testing::StreamHost {
  testing::Sim& net_;
  testing::StreamNet& streams_;
  Endpoint at_;
  Random& random_;

 public:
  ScriptedServer(testing::Sim& net, testing::StreamNet& streams, const Endpoint& at, Random& random)
      : net_(net), streams_(streams), at_(at), random_(random) {
    net_.attach({at.address, 1}, *this);
    streams_.listen(at_, *this);
  }
  ~ScriptedServer() override {
    streams_.remove(*this);
    net_.detach({at_.address, 1});
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  // What a test may change.
  crypto::PrivateKey box = crypto::generate_private_key(random_);
  std::string setup_key = "A2C8E62B-38F5-4553-B31E-DD66C696CEBB";
  std::set<crypto::PublicKey> members;
  wire::management::NetworkMap map;
  std::map<std::string, ByteVector> keys;  // by their 33 bytes
  bool gives_nonce = true;
  bool registers = true;
  bool loops_heartbeats = true;
  /// Asked before anything else: a status ends the call so.
  std::function<std::optional<grpc::Status>(const std::string& method)> fault;
  /// Methods that get no answer at all.
  std::set<std::string> silent;
  std::uint32_t pieces_max = 1 << 20;  // of a Fetch; then it ends with Unavailable

  // What it saw.
  struct Login {
    crypto::PublicKey from;
    wire::management::LoginRequest request;
  };
  std::vector<Login> logins;
  std::vector<wire::management::SyncRequest> syncs;
  std::vector<wire::keys::FetchRequest> fetches;
  std::map<std::string, int> calls;  // by method
  std::uint64_t uploaded = 0;

  int called(std::string_view method) const {
    const auto found = calls.find(std::string(method));
    return found == calls.end() ? 0 : found->second;
  }
  std::size_t sync_streams() const { return count(control::kSync); }
  std::size_t signal_streams() const { return count(control::kSignalConnectStream); }

  void send_to_all_syncs(const wire::management::SyncResponse& response) {
    for_each_call(control::kSync, [&](Connection& connection, grpc::CallId id, Call& call) {
      connection.grpc.send_message(id,
                                   control::seal_message(channel(*call.peer), response, random_));
    });
  }
  void send_map() {
    wire::management::SyncResponse response;
    *response.mutable_network_map() = map;
    send_to_all_syncs(response);
  }
  void send_update(const wire::management::TrellisUpdate& update) {
    wire::management::SyncResponse response;
    *response.mutable_trellis() = update;
    send_to_all_syncs(response);
  }
  void send_raw(std::string_view method, const ByteVector& message) {
    for_each_call(method, [&](Connection& connection, grpc::CallId id, Call&) {
      connection.grpc.send_message(id, message);
    });
  }
  void end_all(std::string_view method, const grpc::Status& status) {
    for (auto& [end, connection] : connections_) {
      std::erase_if(connection.calls, [&](const auto& entry) {
        if (entry.second.method != method) return false;
        connection.grpc.finish(entry.first, status);
        return true;
      });
    }
  }
  void send_signal(const crypto::PublicKey& to, ByteView envelope) {
    for_each_call(control::kSignalConnectStream,
                  [&](Connection& connection, grpc::CallId id, Call& call) {
                    if (call.peer == to) connection.grpc.send_message(id, envelope);
                  });
  }
  void go_away() {
    for (auto& [end, connection] : connections_) connection.grpc.go_away(net_.now());
  }

  // SimHost
  void handle_datagram(TimePoint, const Endpoint&, ByteView) override {}
  void handle_timeout(TimePoint now) override {
    for (auto& [end, connection] : connections_) connection.grpc.handle_timeout(now);
  }
  std::optional<TimePoint> next_timeout() const override {
    std::optional<TimePoint> next;
    for (const auto& [end, connection] : connections_) {
      next = earlier(next, connection.grpc.next_timeout());
    }
    return next;
  }
  std::optional<testing::SimDatagram> poll_transmit() override {
    for (auto& [end, connection] : connections_) {
      while (auto event = connection.grpc.poll_event()) {
        std::visit([&](const auto& one) { handle(connection, one); }, *event);
      }
      while (streams_.writable(end)) {
        const ByteVector bytes = connection.grpc.poll_transmit();
        if (bytes.empty()) break;
        streams_.send(end, bytes);
      }
    }
    std::erase_if(connections_, [&](const auto& entry) {
      if (!entry.second.grpc.closed()) return false;
      streams_.close(entry.first);
      return true;
    });
    return std::nullopt;
  }

  // StreamHost
  void stream_opened(TimePoint now, testing::StreamEnd end, const IpAddress&) override {
    connections_.emplace(end, Connection{grpc::ServerConnection(now, grpc::ServerLimits{}),
                                         random_.bytes<control::kConnectionNonceBytes>(),
                                         {}});
  }
  void stream_received(TimePoint now, testing::StreamEnd end, ByteView bytes) override {
    const auto found = connections_.find(end);
    if (found != connections_.end()) found->second.grpc.receive(now, bytes);
  }
  void stream_closed(TimePoint, testing::StreamEnd end, const std::string&) override {
    connections_.erase(end);
  }

 private:
  struct Call {
    std::string method;
    std::optional<crypto::PublicKey> peer;
    ByteVector request;
    std::string key_name;
    std::uint32_t offset = 0;
  };
  struct Connection {
    grpc::ServerConnection grpc;
    Bytes<control::kConnectionNonceBytes> nonce;
    std::map<grpc::CallId, Call> calls;
  };

  template <class Function>
  void for_each_call(std::string_view method, Function&& function) {
    for (auto& [end, connection] : connections_) {
      for (auto& [id, call] : connection.calls) {
        if (call.method == method) function(connection, id, call);
      }
    }
  }
  std::size_t count(std::string_view method) const {
    std::size_t result = 0;
    for (const auto& [end, connection] : connections_) {
      for (const auto& [id, call] : connection.calls) result += call.method == method ? 1U : 0U;
    }
    return result;
  }

  control::BoxChannel channel(const crypto::PublicKey& peer) const {
    return *control::BoxChannel::create(box, peer);
  }

  void handle(Connection& connection, const grpc::CallStarted& event) {
    ++calls[event.method];
    Call& call = connection.calls[event.call];
    call.method = event.method;
    if (silent.contains(event.method)) return;
    if (const auto status = fault ? fault(event.method) : std::nullopt) {
      finish(connection, event.call, *status);
      return;
    }
    if (event.method != control::kSignalConnectStream) return;
    const auto id = grpc::find(event.metadata, control::kPeerIdMetadata);
    call.peer = control::parse_key_text(id.value_or(""));
    grpc::Metadata headers;
    if (registers) headers.push_back({std::string(control::kPeerRegisteredMetadata), "1"});
    connection.grpc.send_headers(event.call, headers);
  }
  void handle(Connection& connection, const grpc::MessageReceived& event) {
    const auto call = connection.calls.find(event.call);
    if (call == connection.calls.end()) return;
    if (call->second.method == control::kKeyUpload) {
      take_piece(call->second, event.message);
    } else {
      call->second.request = event.message;
    }
  }
  void handle(Connection& connection, const grpc::HalfClosed& event) {
    const auto found = connection.calls.find(event.call);
    if (found == connection.calls.end() || silent.contains(found->second.method)) return;
    answer(connection, event.call, found->second);
  }
  void handle(Connection& connection, const grpc::CallEnded& event) {
    connection.calls.erase(event.call);
  }
  void handle(Connection&, const grpc::Ponged&) {}
  void handle(Connection&, const grpc::GoingAway&) {}

  void answer(Connection& connection, grpc::CallId id, Call& call) {
    if (call.method == control::kGetServerKey) return answer_hello(connection, id);
    if (call.method == control::kLogin) return answer_login(connection, id, call);
    if (call.method == control::kSync) return answer_sync(connection, id, call);
    if (call.method == control::kSignalSend) return answer_send(connection, id, call);
    if (call.method == control::kKeyUpload) return answer_upload(connection, id, call);
    if (call.method == control::kKeyFetch) return answer_fetch(connection, id, call);
    if (call.method == control::kLogout) return answer_logout(connection, id, call);
    finish(connection, id, {grpc::StatusCode::Unimplemented, "no such method"});
  }

  void answer_hello(Connection& connection, grpc::CallId id) {
    wire::management::ServerKeyResponse response;
    response.set_key(control::key_text(crypto::public_key(box)));
    if (gives_nonce) response.set_connection_nonce(control::to_field(connection.nonce));
    reply(connection, id, control::format_message(response));
  }

  void answer_login(Connection& connection, grpc::CallId id, const Call& call) {
    const auto envelope = control::parse_envelope(call.request);
    const auto request = control::open_message<wire::management::LoginRequest>(
        channel(envelope->sender), envelope->body);
    logins.push_back({envelope->sender, *request});
    if (request->trellis().connection_nonce() != control::to_field(connection.nonce)) {
      return finish(connection, id, {grpc::StatusCode::Unauthenticated, "another connection's"});
    }
    if (!members.contains(envelope->sender)) {
      if (request->setup_key().empty()) {
        return finish(connection, id, {grpc::StatusCode::PermissionDenied, "who are you?"});
      }
      if (request->setup_key() != setup_key) {
        return finish(connection, id, {grpc::StatusCode::InvalidArgument, "setup key is expired"});
      }
      members.insert(envelope->sender);
    }
    wire::management::LoginResponse response;
    *response.mutable_peer_config() = map.peer_config();
    auto& trellis = *response.mutable_trellis();
    const std::string& name = request->trellis().key_name();
    const auto key = keys.find(name);
    const std::size_t have = key == keys.end() ? 0 : key->second.size();
    trellis.set_key_wanted(!name.empty() && have < kKeyBytes);
    trellis.set_key_offset(static_cast<std::uint32_t>(have));
    trellis.set_name("alice");
    trellis.set_domain("trellis.internal");
    reply(connection, id, control::seal_message(channel(envelope->sender), response, random_));
  }

  void answer_sync(Connection& connection, grpc::CallId id, Call& call) {
    const auto envelope = control::parse_envelope(call.request);
    call.peer = envelope->sender;
    syncs.push_back(*control::open_message<wire::management::SyncRequest>(channel(envelope->sender),
                                                                          envelope->body));
    if (!members.contains(envelope->sender)) {
      return finish(connection, id, {grpc::StatusCode::PermissionDenied, "who are you?"});
    }
    wire::management::SyncResponse response;
    *response.mutable_network_map() = map;
    connection.grpc.send_message(
        id, control::seal_message(channel(envelope->sender), response, random_));
  }

  void answer_send(Connection& connection, grpc::CallId id, const Call& call) {
    const auto envelope = control::parse_signal_envelope(call.request);
    if (envelope->sender != envelope->receiver || loops_heartbeats) {
      send_signal(envelope->receiver, call.request);
    }
    reply(connection, id, {});
  }

  void take_piece(Call& call, ByteView message) {
    const auto piece = control::parse_message<wire::keys::UploadRequest>(message);
    if (call.key_name.empty()) {
      call.key_name = piece->key_name();
      keys[call.key_name].resize(piece->offset());
    }
    append(keys[call.key_name], control::field_bytes(piece->piece()));
    uploaded += piece->piece().size();
  }

  void answer_upload(Connection& connection, grpc::CallId id, const Call& call) {
    wire::keys::UploadReply response;
    const std::size_t have = keys[call.key_name].size();
    response.set_offset(static_cast<std::uint32_t>(have));
    response.set_complete(have == kKeyBytes);
    reply(connection, id, control::format_message(response));
  }

  void answer_fetch(Connection& connection, grpc::CallId id, const Call& call) {
    fetches.push_back(*control::parse_message<wire::keys::FetchRequest>(call.request));
    const auto key = keys.find(fetches.back().key_name());
    if (key == keys.end()) {
      return finish(connection, id, {grpc::StatusCode::NotFound, "no such key"});
    }
    std::uint32_t offset = fetches.back().offset();
    for (std::uint32_t n = 0; offset < key->second.size(); ++n) {
      if (n == pieces_max) {
        return finish(connection, id, {grpc::StatusCode::Unavailable, "come back later"});
      }
      wire::keys::FetchPiece piece;
      piece.set_offset(offset);
      piece.set_total(static_cast<std::uint32_t>(key->second.size()));
      const ByteView rest = ByteView(key->second).subspan(offset);
      piece.set_piece(control::to_field(rest.first(std::min<std::size_t>(rest.size(), 32 << 10))));
      offset += static_cast<std::uint32_t>(piece.piece().size());
      connection.grpc.send_message(id, control::format_message(piece));
    }
    finish(connection, id, {});
  }

  void answer_logout(Connection& connection, grpc::CallId id, const Call& call) {
    members.erase(control::parse_envelope(call.request)->sender);
    reply(connection, id, {});
  }

  void reply(Connection& connection, grpc::CallId id, ByteView message) {
    connection.grpc.send_message(id, message);
    finish(connection, id, {});
  }
  void finish(Connection& connection, grpc::CallId id, const grpc::Status& status) {
    connection.grpc.finish(id, status);
    connection.calls.erase(id);
  }

  static constexpr std::size_t kKeyBytes = 524160;

  std::map<testing::StreamEnd, Connection> connections_;
};

}  // namespace trellis::uplink
