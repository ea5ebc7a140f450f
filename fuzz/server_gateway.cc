// A gateway with four connections of three machines, which do what they like: bytes that are no
// frames, calls whose messages make no sense, boxes with anything in them, and the right calls in
// any order. Whatever they do, the gateway's memory and its store agree, and a stranger with a good
// setup key is admitted afterwards.

#include "crypto/x25519.h"
#include "input.h"
#include "protocol/control/envelope.h"
#include "protocol/control/key_text.h"
#include "protocol/control/keys.pb.h"
#include "protocol/control/management.pb.h"
#include "protocol/grpc/client_connection.h"
#include "protocol/rosenpass/key.h"
#include "server/gateway/state.h"
#include "server/store/memory_store.h"
#include "testing/random.h"

#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace trellis::fuzz {
namespace {

using server::Gateway;

constexpr std::size_t kKeyBytes = 300;
constexpr std::string_view kMethods[] = {control::kGetServerKey,
                                         control::kLogin,
                                         control::kSync,
                                         control::kSyncMeta,
                                         control::kLogout,
                                         control::kIsHealthy,
                                         control::kJob,
                                         control::kKeyUpload,
                                         control::kKeyFetch,
                                         control::kSignalSend,
                                         control::kSignalConnectStream,
                                         control::kGetDeviceAuthorizationFlow};

struct Machine {
  crypto::PrivateKey wireguard = crypto::PrivateKey::zero();
  crypto::PublicKey key;
  ByteVector rosenpass;
  server::KeyName key_name{};
};

/// Two of ours and a stock one; and the stranger that comes last.
std::array<Machine, 4> make_machines() {
  testing::SeededRandom random(5);
  std::array<Machine, 4> machines;
  for (Machine& machine : machines) {
    machine.wireguard = crypto::generate_private_key(random);
    machine.key = crypto::public_key(machine.wireguard);
    machine.rosenpass.resize(kKeyBytes);
    random.fill(machine.rosenpass);
    const auto pid = rosenpass::peer_hash(machine.rosenpass);
    machine.key_name[0] = std::byte{1};
    std::copy(pid.bytes.begin(), pid.bytes.end(), machine.key_name.begin() + 1);
  }
  return machines;
}

struct Line {
  const Machine* machine = nullptr;
  server::ConnectionId id{};
  std::unique_ptr<grpc::ClientConnection> grpc;
  std::optional<control::BoxChannel> channel;
  grpc::CallId last{};
  grpc::Status ended;  // of the last call that did
  bool deaf = false;
};

class World {
 public:
  World() {
    Gateway::Options options;
    options.key_bytes = kKeyBytes;
    auto made = Gateway::create(options, store_, files_, random_, now_, wall_);
    CHECK(made.has_value());
    gateway_ = *std::move(made);
    setup_key_ = setup_key();
    for (std::size_t i = 0; i < lines_.size(); ++i) open(i, i);
  }

  void step(Input& input);
  void check_end();

 private:
  std::string setup_key() {
    const std::string answer =
        gateway_->handle_request(now_, true, R"({"command":"setup-key create","reusable":true})");
    const std::string field = R"("setup_key":")";
    return answer.substr(answer.find(field) + field.size(), 36);
  }

  void open(std::size_t slot, std::size_t machine) {
    cut(slot);
    Line& line = lines_[slot];
    line.machine = &machines_[machine % 3];
    connect(line, static_cast<std::uint8_t>(slot));
  }

  void connect(Line& line, std::uint8_t source) {
    Gateway::Transport transport;
    transport.source = endpoint_of(source).address;
    line.id = gateway_->open(now_, transport);
    line.grpc = std::make_unique<grpc::ClientConnection>(
        now_, grpc::ClientOptions{.authority = "vpn.test"});
    line.channel = control::BoxChannel::create(
        line.machine->wireguard, crypto::public_key(gateway_->state().roster_.network().box));
    line.deaf = false;
  }

  void cut(std::size_t slot) {
    Line& line = lines_[slot];
    if (!line.grpc) return;
    gateway_->closed(now_, line.id);
    line = Line{};
  }

  void carry(Line& line) {
    if (!line.grpc) return;
    for (ByteVector bytes = line.grpc->poll_transmit(); !bytes.empty();
         bytes = line.grpc->poll_transmit()) {
      gateway_->receive(now_, line.id, bytes);
    }
    while (!line.deaf) {
      const ByteVector bytes = gateway_->poll_transmit(line.id);
      if (bytes.empty()) break;
      line.grpc->receive(now_, bytes);
    }
    while (const auto event = line.grpc->poll_event()) {
      if (const auto* end = std::get_if<grpc::CallEnded>(&*event)) line.ended = end->status;
    }
    if (!gateway_->to_close(line.id)) return;
    gateway_->closed(now_, line.id);
    line.grpc.reset();
  }

  void run() {
    for (int round = 0; round < 4; ++round) {
      for (Line& line : lines_) carry(line);
    }
    while (gateway_->poll_ready()) continue;
  }

  void pass(Duration time) {
    const TimePoint end = now_ + time;
    while (now_ < end) {
      const auto next = gateway_->next_timeout();
      now_ = next ? std::min(end, std::max(*next, now_ + 1ms)) : end;
      gateway_->set_wall_clock({wall_.nanoseconds_since_epoch + now_.time_since_epoch().count()});
      gateway_->handle_timeout(now_);
      run();
    }
  }

  void call(Line& line, std::string_view method, ByteView message, bool half_close = true) {
    line.last = line.grpc->start(
        now_, method,
        {{std::string(control::kPeerIdMetadata), control::key_text(line.machine->key)}});
    line.grpc->send_message(line.last, message);
    if (half_close) line.grpc->half_close(line.last);
  }

  std::string nonce_of(const Line& line) {
    const server::Connection* connection = gateway_->state().find(line.id);
    return connection ? control::to_field(connection->session.nonce) : std::string();
  }

  void log_in(Line& line, std::uint8_t how, ByteView extra);
  void sync(Line& line, std::uint8_t how, ByteView extra);
  void upload(Line& line, Input& input);

  std::array<Machine, 4> machines_ = make_machines();
  testing::SeededRandom random_{1};
  TimePoint now_{1h};
  WallTime wall_{1'760'000'000'000'000'000};
  server::MemoryStore store_;
  server::MemoryKeyFiles files_;
  std::unique_ptr<Gateway> gateway_;
  std::string setup_key_;
  std::array<Line, 4> lines_;
};

/// Bits of `how`: 0 no setup key, 1 a wrong nonce, 2 a stock agent's, 3 another instance, 4 another
/// machine's Rosenpass key, 5 none.
void World::log_in(Line& line, std::uint8_t how, ByteView extra) {
  wire::management::LoginRequest request;
  if ((how & 1) == 0) request.set_setup_key(setup_key_);
  request.mutable_meta()->set_hostname("m");
  const bool stock = (how & 4) != 0 || line.machine == &machines_[2];
  if (!stock) {
    auto& said = *request.mutable_trellis();
    said.set_connection_nonce((how & 2) != 0 ? std::string(32, 'x') : nonce_of(line));
    said.set_instance(std::string(16, (how & 8) != 0 ? 'a' : 'b'));
    const Machine& named = (how & 16) != 0 ? machines_[0] : *line.machine;
    if ((how & 32) == 0) said.set_key_name(control::to_field(named.key_name));
  }
  wire::management::LoginRequest more;
  if (more.ParseFromArray(extra.data(), static_cast<int>(extra.size()))) request.MergeFrom(more);
  call(line, control::kLogin, control::seal_message(*line.channel, request, random_));
}

void World::sync(Line& line, std::uint8_t how, ByteView extra) {
  wire::management::SyncRequest request;
  if ((how & 4) == 0 && line.machine != &machines_[2]) {
    auto& said = *request.mutable_trellis();
    said.set_connection_nonce((how & 2) != 0 ? std::string(32, 'x') : nonce_of(line));
    said.set_deltas((how & 1) == 0);
  }
  wire::management::SyncRequest more;
  if (more.ParseFromArray(extra.data(), static_cast<int>(extra.size()))) request.MergeFrom(more);
  call(line, control::kSync, control::seal_message(*line.channel, request, random_));
}

/// Right bytes of the machine's key from an offset on, with one spoiled perhaps.
void World::upload(Line& line, Input& input) {
  const std::size_t offset = input.number() % (kKeyBytes + 1);
  const std::size_t size = input.number();
  wire::keys::UploadRequest request;
  request.set_key_name(control::to_field(line.machine->key_name));
  request.set_offset(static_cast<std::uint32_t>(offset));
  ByteVector piece = to_vector(ByteView(line.machine->rosenpass).subspan(offset));
  piece.resize(std::min<std::size_t>(size, 400));
  if (const std::uint8_t with = input.byte(); with > 127) spoil(piece, input.byte(), with);
  request.set_piece(control::to_field(piece));
  call(line, control::kKeyUpload, control::format_message(request), (size & 1) == 0);
}

void World::step(Input& input) {
  const std::uint8_t what = input.byte() % 16;
  const std::size_t slot = input.byte() % lines_.size();
  Line& line = lines_[slot];
  if (!line.grpc) open(slot, slot);
  switch (what) {
    case 0:
      gateway_->receive(now_, line.id, input.bytes(input.byte()));
      break;
    case 1:
      return pass(500ms * input.byte());
    case 2:
      return open(slot, input.byte());
    case 3:
      return cut(slot);
    case 4:
      call(line, kMethods[input.byte() % std::size(kMethods)], input.bytes(input.byte()));
      break;
    case 5:
      log_in(line, input.byte(), input.bytes(input.byte()));
      break;
    case 6:
      sync(line, input.byte(), input.bytes(input.byte()));
      break;
    case 7: {
      const std::string_view method = kMethods[input.byte() % std::size(kMethods)];
      const ByteVector box = line.channel->seal(input.bytes(input.byte()), random_);
      call(line, method, control::format_envelope({line.machine->key, box}));
      break;
    }
    case 8:
      upload(line, input);
      break;
    case 9: {
      wire::keys::FetchRequest request;
      request.set_key_name(control::to_field(machines_[input.byte() % 3].key_name));
      request.set_offset(input.number());
      call(line, control::kKeyFetch, control::format_message(request));
      break;
    }
    case 10:
      call(line, control::kSignalConnectStream, input.bytes(input.byte()), false);
      break;
    case 11: {
      const Machine& from = machines_[input.byte() % 4];
      const Machine& to = machines_[input.byte() % 4];
      call(line, control::kSignalSend,
           control::format_signal_envelope({from.key, to.key, to_vector(input.bytes(20))}));
      break;
    }
    case 12:
      gateway_->handle_request(now_, true, text_of(input.bytes(input.byte())));
      break;
    case 13:
      line.deaf = !line.deaf;
      break;
    case 14:
      line.grpc->cancel(now_, line.last);
      break;
    default:
      line.grpc->send_message(line.last, input.bytes(input.byte()));
      break;
  }
  run();
}

void World::check_end() {
  for (std::size_t i = 0; i < lines_.size(); ++i) cut(i);
  const Gateway::State& state = gateway_->state();
  CHECK(state.connections_.empty() && state.management_.streams() == 0);
  CHECK(state.signal_.registered() == 0);

  Line& last = lines_[0];
  last.machine = &machines_[3];
  connect(last, 99);
  setup_key_ = setup_key();
  log_in(last, 0, {});
  run();
  CHECK(last.grpc && last.ended.ok());

  const auto snapshot = store_.load();
  CHECK(snapshot.has_value() && snapshot->network->serial == state.roster_.serial());
  CHECK(snapshot->peers.size() == state.roster_.peers().size());
  std::set<std::string> names;
  std::set<IpAddress> addresses;
  for (server::PeerRecord stored : snapshot->peers) {
    const server::PeerRecord* kept = state.roster_.find(stored.key);
    CHECK(kept != nullptr);
    stored.last_seen = kept->last_seen;  // not worth a write
    CHECK(stored == *kept);
    CHECK(names.insert(kept->name).second && addresses.insert(kept->v4).second);
    CHECK(!kept->key_complete || files_.is_complete(*kept->key_name));
  }
}

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  fuzz::Input input(data, size);
  fuzz::World world;
  for (int steps = 0; !input.at_end() && steps < 200; ++steps) world.step(input);
  world.check_end();
  return 0;
}
