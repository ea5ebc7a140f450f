#include "server/gateway/fixture_test.h"

#include "crypto/x25519.h"
#include "protocol/control/key_text.h"
#include "protocol/control/message.h"
#include "protocol/rosenpass/key.h"
#include "server/gateway/state.h"

#include <algorithm>

namespace trellis::server {

using grpc::CallId;
using grpc::Status;

// ---- a client --------------------------------------------------------------------------------

Client::Client(World& world, const Machine& who, const IpAddress& source)
    : machine(who),
      grpc(world.now, {.authority = "vpn.test:8443", .message_bytes_max = 16U << 20}),
      world_(world) {
  Gateway::Transport transport;
  transport.source = source;
  transport.description = "TLSv1.3 X25519MLKEM768";
  id = world_.gateway->open(world_.now, transport);
}

Client::~Client() = default;

void Client::collect() {
  while (const auto event = grpc.poll_event()) {
    if (const auto* headers = std::get_if<grpc::HeadersReceived>(&*event)) {
      calls[headers->call].headers = true;
      calls[headers->call].metadata = headers->metadata;
    } else if (const auto* message = std::get_if<grpc::MessageReceived>(&*event)) {
      calls[message->call].messages.push_back(message->message);
    } else if (const auto* end = std::get_if<grpc::CallEnded>(&*event)) {
      calls[end->call].status = end->status;
    }
  }
}

CallId Client::ask(std::string_view method, ByteView message) {
  const CallId call = grpc.start(world_.now, method);
  grpc.send_message(call, message);
  grpc.half_close(call);
  calls[call];
  world_.run();
  return call;
}

Status Client::status_of(CallId call) const {
  const auto it = calls.find(call);
  if (it == calls.end() || !it->second.status) return {grpc::StatusCode::Unknown, "still runs"};
  return *it->second.status;
}

wire::management::ServerKeyResponse Client::server_key() {
  const CallId call = ask(control::kGetServerKey, {});
  wire::management::ServerKeyResponse response;
  const auto& messages = calls[call].messages;
  if (!messages.empty()) response = *control::parse_message<decltype(response)>(messages[0]);
  return response;
}

const control::BoxChannel& Client::channel() {
  if (!channel_) {
    const auto hello = server_key();
    const auto key = control::parse_key_text(hello.key());
    CHECK(key.has_value());
    channel_ = control::BoxChannel::create(machine.wireguard, *key);
    if (nonce.empty()) nonce = to_vector(control::field_bytes(hello.connection_nonce()));
  }
  return *channel_;
}

ByteVector Client::sealed(const google::protobuf::Message& message) {
  return control::seal_message(channel(), message, world_.random);
}

CallId Client::start_login(const std::string& setup_key) {
  channel();
  wire::management::LoginRequest request;
  request.set_setup_key(setup_key);
  request.mutable_meta()->set_hostname(machine.host_name);
  request.mutable_meta()->set_go_os("linux");
  request.mutable_meta()->set_netbird_version(machine.ours() ? "0.77.1+trellis" : "0.77.1");
  if (machine.ours()) {
    request.mutable_trellis()->set_connection_nonce(control::to_field(nonce));
    request.mutable_trellis()->set_key_name(control::to_field(machine.key_name));
    request.mutable_trellis()->set_instance(control::to_field(machine.instance));
  }
  return ask(control::kLogin, sealed(request));
}

Status Client::log_in(const std::string& setup_key) {
  const CallId call = start_login(setup_key);
  if (status_of(call).ok()) {
    const auto envelope = control::parse_envelope(calls[call].messages.at(0));
    login = *control::open_message<wire::management::LoginResponse>(channel(), envelope->body);
  }
  return status_of(call);
}

CallId Client::sync(bool deltas) {
  channel();
  wire::management::SyncRequest request;
  if (machine.ours()) {
    request.mutable_trellis()->set_connection_nonce(control::to_field(nonce));
    request.mutable_trellis()->set_instance(control::to_field(machine.instance));
    request.mutable_trellis()->set_deltas(deltas);
  }
  return ask(control::kSync, sealed(request));
}

std::vector<wire::management::SyncResponse> Client::maps(CallId call, std::size_t first) const {
  std::vector<wire::management::SyncResponse> result;
  const auto& messages = calls.at(call).messages;
  for (std::size_t i = first; i < messages.size(); ++i) {
    const auto envelope = control::parse_envelope(messages[i]);
    result.push_back(*control::open_message<wire::management::SyncResponse>(
        *channel_, envelope->body, control::kMapLimits));
  }
  return result;
}

CallId Client::connect_signal() { return connect_signal_as(machine.key); }

CallId Client::connect_signal_as(const crypto::PublicKey& who) {
  const CallId call = grpc.start(world_.now, control::kSignalConnectStream,
                                 {{std::string(control::kPeerIdMetadata), control::key_text(who)}});
  calls[call];
  world_.run();
  return call;
}

Status Client::send_signal(const crypto::PublicKey& to, const std::string& body) {
  return send_signal_from(machine.key, to, as_bytes(body));
}

Status Client::send_signal_from(const crypto::PublicKey& from, const crypto::PublicKey& to,
                                ByteView body) {
  return status_of(
      ask(control::kSignalSend, control::format_signal_envelope({from, to, to_vector(body)})));
}

std::vector<std::string> Client::bodies(CallId call) const {
  std::vector<std::string> result;
  for (const ByteVector& message : calls.at(call).messages) {
    result.push_back(control::to_field(control::parse_signal_envelope(message)->body));
  }
  return result;
}

CallId Client::upload(ByteView bytes, std::uint32_t offset, bool to_the_end) {
  const CallId call = grpc.start(world_.now, control::kKeyUpload);
  calls[call];
  bool first = true;
  do {
    wire::keys::UploadRequest request;
    if (first) {
      request.set_key_name(control::to_field(machine.key_name));
      request.set_offset(offset);
    }
    const std::size_t size = std::min(control::kKeyPieceBytesMax, bytes.size());
    request.set_piece(control::to_field(bytes.first(size)));
    bytes = bytes.subspan(size);
    first = false;
    grpc.send_message(call, control::format_message(request));
    world_.run();
  } while (!bytes.empty());
  if (to_the_end) grpc.half_close(call);
  world_.run();
  return call;
}

wire::keys::UploadReply Client::upload_reply(CallId call) const {
  return *control::parse_message<wire::keys::UploadReply>(calls.at(call).messages.at(0));
}

CallId Client::fetch(const KeyName& name, std::uint32_t offset) {
  wire::keys::FetchRequest request;
  request.set_key_name(control::to_field(name));
  request.set_offset(offset);
  return ask(control::kKeyFetch, control::format_message(request));
}

ByteVector Client::fetched(CallId call) const {
  ByteVector bytes;
  for (const ByteVector& message : calls.at(call).messages) {
    const auto piece = *control::parse_message<wire::keys::FetchPiece>(message);
    append(bytes, control::field_bytes(piece.piece()));
  }
  return bytes;
}

// ---- the world -------------------------------------------------------------------------------

World::World(std::uint64_t seed) : random(seed) { options.key_bytes = kKeyBytes; }

World::~World() = default;

void World::start() {
  auto made = Gateway::create(options, store, files, random, now, wall);
  ASSERT_TRUE(made) << made.error().message;
  gateway = *std::move(made);
}

void World::crash() {
  gateway.reset();
  for (const auto& client : clients) {
    client->grpc.close(now, "connection reset");
    client->collect();
    client->open = false;
  }
}

Machine& World::stock_machine(const std::string& host_name) {
  machines.push_back(std::make_unique<Machine>(
      Machine{host_name, crypto::generate_private_key(random), {}, {}, {}, random.bytes<16>()}));
  Machine& machine = *machines.back();
  machine.key = crypto::public_key(machine.wireguard);
  return machine;
}

Machine& World::machine(const std::string& host_name) {
  Machine& machine = stock_machine(host_name);
  machine.rosenpass.resize(kKeyBytes);
  random.fill(machine.rosenpass);
  machine.key_name[0] = std::byte{1};
  const auto pid = rosenpass::peer_hash(machine.rosenpass);
  std::copy(pid.bytes.begin(), pid.bytes.end(), machine.key_name.begin() + 1);
  return machine;
}

Client& World::connect(const Machine& machine, const std::string& source) {
  clients.push_back(std::make_unique<Client>(*this, machine, *IpAddress::parse(source)));
  return *clients.back();
}

void World::cut(Client& client) {
  client.grpc.close(now, "cut");
  client.collect();
  client.open = false;
  gateway->closed(now, client.id);
  run();
}

bool World::carry() {
  bool moved = false;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    Client& client = *clients[i];
    if (!client.open || client.stuck) continue;
    for (ByteVector bytes = client.grpc.poll_transmit(); !bytes.empty();
         bytes = client.grpc.poll_transmit()) {
      gateway->receive(now, client.id, bytes);
      moved = true;
    }
    for (ByteVector bytes = gateway->poll_transmit(client.id); !bytes.empty();
         bytes = gateway->poll_transmit(client.id)) {
      client.grpc.receive(now, bytes);
      moved = true;
    }
    if (gateway->to_close(client.id)) {
      client.open = false;
      gateway->closed(now, client.id);
      client.grpc.close(now, "closed by the server");
      moved = true;
    }
    client.collect();
  }
  return moved;
}

void World::run() {
  if (!gateway) return;
  gateway->set_wall_clock(wall);
  while (carry()) {
  }
  while (gateway->poll_ready()) {
  }
}

void World::advance(Duration time) {
  const TimePoint end = now + time;
  run();
  while (true) {
    std::optional<TimePoint> next = gateway->next_timeout();
    for (const auto& client : clients) {
      if (client->open && !client->stuck) next = earlier(next, client->grpc.next_timeout());
    }
    const TimePoint to = next && *next < end ? std::max(*next, now) : end;
    wall.nanoseconds_since_epoch += (to - now).count();
    now = to;
    gateway->set_wall_clock(wall);
    gateway->handle_timeout(now);
    for (const auto& client : clients) {
      if (client->open && !client->stuck) client->grpc.handle_timeout(now);
    }
    run();
    if (to == end) return;
  }
}

Json World::ask(const Json& request, bool may_change) {
  gateway->set_wall_clock(wall);
  const Json answer = Json::parse(gateway->handle_request(now, may_change, request.dump()));
  run();
  return answer;
}

std::string World::setup_key(Json order) {
  order["command"] = "setup-key create";
  const Json answer = ask(order);
  EXPECT_TRUE(answer["ok"]) << answer;
  return answer["setup_key"];
}

Json World::peer(const std::string& name) {
  const Json list = ask({{"command", "peer list"}});
  for (const Json& peer : list["peers"]) {
    if (peer["name"] == name) return peer;
  }
  return {};
}

std::size_t World::queued_bytes(const Client& client) const {
  return gateway->state().find(client.id)->grpc.queued_bytes();
}

World::Member World::join(const std::string& host_name) {
  Machine& joined = machine(host_name);
  Client& client = connect(joined);
  const std::string key = setup_key();
  EXPECT_TRUE(client.log_in(key).ok());
  EXPECT_TRUE(client.upload_reply(client.upload(joined.rosenpass, 0)).complete());
  const CallId sync = client.sync();
  advance(1s);
  return {&joined, &client, sync};
}

World::Member World::join_stock(const std::string& host_name) {
  Machine& joined = stock_machine(host_name);
  Client& client = connect(joined);
  EXPECT_TRUE(client.log_in(setup_key()).ok());
  const CallId sync = client.sync();
  advance(1s);
  return {&joined, &client, sync};
}

}  // namespace trellis::server
