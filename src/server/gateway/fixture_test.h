#pragma once

#include "protocol/control/box_channel.h"
#include "protocol/control/envelope.h"
#include "protocol/control/keys.pb.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/method_names.h"
#include "protocol/control/signal.pb.h"
#include "protocol/grpc/client_connection.h"
#include "server/gateway/gateway.h"
#include "server/store/memory_store.h"
#include "testing/random.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace trellis::server {

using Json = nlohmann::json;

/// What a machine has on its disk.
struct Machine {
  std::string host_name;
  crypto::PrivateKey wireguard;
  crypto::PublicKey key;
  ByteVector rosenpass;  // public key; empty: a stock agent
  KeyName key_name{};
  Bytes<16> instance{};

  bool ours() const { return !rosenpass.empty(); }
};

/// A call as its client sees it.
struct SeenCall {
  bool headers = false;
  grpc::Metadata metadata;
  std::vector<ByteVector> messages;
  std::optional<grpc::Status> status;
};

class World;

/// A connection of a machine to the gateway.
class Client {
 public:
  Client(World& world, const Machine& machine, const IpAddress& source);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  const Machine& machine;
  ConnectionId id{};
  bool open = true;
  bool stuck = false;  // takes no bytes from the gateway, and sends none
  std::map<grpc::CallId, SeenCall> calls;
  grpc::ClientConnection grpc;

  // Whole exchanges; they run the world until nothing moves.
  grpc::Status log_in(const std::string& setup_key = {});
  grpc::CallId start_login(const std::string& setup_key = {});
  wire::management::LoginResponse login;  // the last one that was granted
  grpc::CallId sync(bool deltas = true);
  /// The answers to a Sync, opened, from the `first`th on.
  std::vector<wire::management::SyncResponse> maps(grpc::CallId call, std::size_t first = 0) const;
  wire::management::SyncResponse last_map(grpc::CallId call) const { return maps(call).back(); }
  grpc::CallId connect_signal();
  grpc::CallId connect_signal_as(const crypto::PublicKey& id);
  grpc::Status send_signal(const crypto::PublicKey& to, const std::string& body);
  grpc::Status send_signal_from(const crypto::PublicKey& from, const crypto::PublicKey& to,
                                ByteView body);
  /// Of what was received on ConnectStream.
  std::vector<std::string> bodies(grpc::CallId call) const;
  /// Uploads `bytes` from `offset` on.
  grpc::CallId upload(ByteView bytes, std::uint32_t offset, bool to_the_end = true);
  wire::keys::UploadReply upload_reply(grpc::CallId call) const;
  grpc::CallId fetch(const KeyName& name, std::uint32_t offset = 0);
  ByteVector fetched(grpc::CallId call) const;

  /// A call with one request.
  grpc::CallId ask(std::string_view method, ByteView message);
  grpc::Status status_of(grpc::CallId call) const;
  wire::management::ServerKeyResponse server_key();
  ByteVector sealed(const google::protobuf::Message& message);
  /// What the server knows it by: changed by tests that lie.
  ByteVector nonce;

  void collect();

 private:
  const control::BoxChannel& channel();

  World& world_;
  std::optional<control::BoxChannel> channel_;
};

/// A gateway and its clients. Bytes travel at once, time moves by hand.
class World {
 public:
  static constexpr std::size_t kKeyBytes = 100'000;  // four pieces

  explicit World(std::uint64_t seed = 1);
  ~World();

  void start();
  /// The process ends without a word. Its clients notice.
  void crash();

  Machine& machine(const std::string& host_name);
  Machine& stock_machine(const std::string& host_name);
  Client& connect(const Machine& machine, const std::string& source = "192.0.2.1");
  /// The transport breaks.
  void cut(Client& client);

  /// Until nothing moves at this time.
  void run();
  void advance(Duration time);

  Json ask(const Json& request, bool may_change = true);
  std::string setup_key(Json order = Json::object());
  Json peer(const std::string& name);
  /// What the gateway keeps for this client.
  std::size_t queued_bytes(const Client& client) const;
  /// A machine of ours that is a member, with its key here and a stream of changes.
  struct Member {
    Machine* machine;
    Client* client;
    grpc::CallId sync;
  };
  Member join(const std::string& host_name);
  Member join_stock(const std::string& host_name);

  TimePoint now{1h};
  WallTime wall{1'760'000'000'000'000'000};
  testing::SeededRandom random;
  MemoryStore store;
  MemoryKeyFiles files;
  Gateway::Options options;
  std::unique_ptr<Gateway> gateway;
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::unique_ptr<Machine>> machines;

 private:
  bool carry();
};

/// A test with a running server, and a setup key that admits everybody.
class GatewayTest : public ::testing::Test {
 protected:
  GatewayTest() {
    world.start();
    everybody = world.setup_key({{"reusable", true}});
  }

  World world;
  std::string everybody;
};

}  // namespace trellis::server
