#include "system/store/sqlite_store.h"

#include "system/store/schema.h"

namespace trellis::system {
namespace {

using server::Changes;
using server::KeyName;
using server::NetworkRecord;
using server::PeerRecord;
using server::SetupKeyRecord;
using server::Snapshot;

constexpr const char* kSelectNetwork = "SELECT box, v4, v6, domain, serial FROM network";
constexpr const char* kPutNetwork =
    "INSERT INTO network (id, box, v4, v6, domain, serial) VALUES (1, ?1, ?2, ?3, ?4, ?5)"
    " ON CONFLICT (id) DO UPDATE SET box = excluded.box, v4 = excluded.v4, v6 = excluded.v6,"
    " domain = excluded.domain, serial = excluded.serial";
constexpr const char* kPutSerial = "UPDATE network SET serial = ?1 WHERE id = 1";

constexpr const char* kSelectPeers =
    "SELECT key, name, v4, v6, key_name, asked_key, key_complete, ephemeral, setup_key, created,"
    " last_seen, host_name, version, system FROM peers";
constexpr const char* kPutPeer =
    "INSERT OR REPLACE INTO peers (key, name, v4, v6, key_name, asked_key, key_complete, ephemeral,"
    " setup_key, created, last_seen, host_name, version, system)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
constexpr const char* kRemovePeer = "DELETE FROM peers WHERE key = ?1";

constexpr const char* kSelectSetupKeys =
    "SELECT id, hash, name, reusable, usage_limit, used, expires, revoked, ephemeral, created"
    " FROM setup_keys";
constexpr const char* kPutSetupKey =
    "INSERT INTO setup_keys (id, hash, name, reusable, usage_limit, used, expires, revoked,"
    " ephemeral, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    " ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, name = excluded.name,"
    " reusable = excluded.reusable, usage_limit = excluded.usage_limit, used = excluded.used,"
    " expires = excluded.expires, revoked = excluded.revoked, ephemeral = excluded.ephemeral,"
    " created = excluded.created";

void bind_key_name(Statement& statement, int parameter, const std::optional<KeyName>& name) {
  name ? statement.bind(parameter, ByteView(*name)) : statement.bind_null(parameter);
}

std::optional<KeyName> key_name_of(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return to_array<33>(row.blob(column));
}

WallTime time_of(const Statement& row, int column) { return WallTime{row.integer(column)}; }

// What a reader makes of a row; nothing if no server of ours can have written it.

std::optional<NetworkRecord> network_of(const Statement& row) {
  const auto v4 = Prefix::parse(row.text(1));
  const auto v6 = Prefix::parse(row.text(2));
  if (row.blob(0).size() != 32 || !v4 || !v6) return std::nullopt;
  return NetworkRecord{crypto::PrivateKey(row.blob(0).first<32>()), *v4, *v6,
                       std::string(row.text(3)), static_cast<std::uint64_t>(row.integer(4))};
}

std::optional<PeerRecord> peer_of(const Statement& row) {
  const auto v4 = IpAddress::parse(row.text(2));
  const auto v6 = IpAddress::parse(row.text(3));
  if (row.blob(0).size() != 32 || !v4 || !v6) return std::nullopt;
  PeerRecord peer;
  peer.key.bytes = to_array<32>(row.blob(0));
  peer.name = row.text(1);
  peer.v4 = *v4;
  peer.v6 = *v6;
  peer.key_name = key_name_of(row, 4);
  peer.asked_key = key_name_of(row, 5);
  peer.key_complete = row.integer(6) != 0;
  peer.ephemeral = row.integer(7) != 0;
  peer.setup_key = row.text(8);
  peer.created = time_of(row, 9);
  peer.last_seen = time_of(row, 10);
  peer.host_name = row.text(11);
  peer.version = row.text(12);
  peer.system = row.text(13);
  return peer;
}

SetupKeyRecord setup_key_of(const Statement& row) {
  SetupKeyRecord key;
  key.id = row.text(0);
  key.hash = row.text(1);
  key.name = row.text(2);
  key.reusable = row.integer(3) != 0;
  key.usage_limit = static_cast<std::uint32_t>(row.integer(4));
  key.used = static_cast<std::uint32_t>(row.integer(5));
  if (const auto expires = row.optional_integer(6)) key.expires = WallTime{*expires};
  key.revoked = row.integer(7) != 0;
  key.ephemeral = row.integer(8) != 0;
  key.created = time_of(row, 9);
  return key;
}

}  // namespace

struct SqliteStore::State {
  State(std::string file, std::unique_ptr<Database> opened)
      : path(std::move(file)), database(std::move(opened)) {}

  Result<> prepare();
  Result<> write(const Changes& changes);
  Result<> put(const NetworkRecord& network);
  Result<> put(const PeerRecord& peer);
  Result<> put(const SetupKeyRecord& key);

  /// Calls `take` with each row; false from it: the row is none of ours.
  template <class Take>
  Result<> read_all(const char* sql, Take take) {
    Statement rows = TRY(database->prepare(sql));
    while (TRY(rows.step())) {
      if (!take(rows)) {
        return fail_with(path +
                         ": the database is damaged: stop the server and put a backup in "
                         "its place");
      }
    }
    return {};
  }

  std::string path;
  std::unique_ptr<Database> database;  // before its statements: it outlives them
  std::optional<Statement> put_network;
  std::optional<Statement> put_serial;
  std::optional<Statement> put_peer;
  std::optional<Statement> remove_peer;
  std::optional<Statement> put_setup_key;
};

Result<> SqliteStore::State::prepare() {
  put_network = TRY(database->prepare(kPutNetwork));
  put_serial = TRY(database->prepare(kPutSerial));
  put_peer = TRY(database->prepare(kPutPeer));
  remove_peer = TRY(database->prepare(kRemovePeer));
  put_setup_key = TRY(database->prepare(kPutSetupKey));
  return {};
}

Result<> SqliteStore::State::put(const NetworkRecord& network) {
  const std::string v4 = network.v4.to_string();
  const std::string v6 = network.v6.to_string();
  put_network->bind(1, ByteView(network.box.expose()));
  put_network->bind(2, std::string_view(v4));
  put_network->bind(3, std::string_view(v6));
  put_network->bind(4, std::string_view(network.domain));
  put_network->bind(5, static_cast<std::int64_t>(network.serial));
  return put_network->run();
}

Result<> SqliteStore::State::put(const PeerRecord& peer) {
  const std::string v4 = peer.v4.to_string();
  const std::string v6 = peer.v6.to_string();
  Statement& row = *put_peer;
  row.bind(1, ByteView(peer.key.bytes));
  row.bind(2, std::string_view(peer.name));
  row.bind(3, std::string_view(v4));
  row.bind(4, std::string_view(v6));
  bind_key_name(row, 5, peer.key_name);
  bind_key_name(row, 6, peer.asked_key);
  row.bind(7, std::int64_t{peer.key_complete});
  row.bind(8, std::int64_t{peer.ephemeral});
  row.bind(9, std::string_view(peer.setup_key));
  row.bind(10, peer.created.nanoseconds_since_epoch);
  row.bind(11, peer.last_seen.nanoseconds_since_epoch);
  row.bind(12, std::string_view(peer.host_name));
  row.bind(13, std::string_view(peer.version));
  row.bind(14, std::string_view(peer.system));
  return row.run();
}

Result<> SqliteStore::State::put(const SetupKeyRecord& key) {
  Statement& row = *put_setup_key;
  row.bind(1, std::string_view(key.id));
  row.bind(2, std::string_view(key.hash));
  row.bind(3, std::string_view(key.name));
  row.bind(4, std::int64_t{key.reusable});
  row.bind(5, std::int64_t{key.usage_limit});
  row.bind(6, std::int64_t{key.used});
  key.expires ? row.bind(7, key.expires->nanoseconds_since_epoch) : row.bind_null(7);
  row.bind(8, std::int64_t{key.revoked});
  row.bind(9, std::int64_t{key.ephemeral});
  row.bind(10, key.created.nanoseconds_since_epoch);
  return row.run();
}

/// Within a transaction. What goes, goes first: a name or an address may pass to another machine.
Result<> SqliteStore::State::write(const Changes& changes) {
  if (changes.network) TRY(put(*changes.network));
  if (changes.serial) {
    put_serial->bind(1, static_cast<std::int64_t>(*changes.serial));
    TRY(put_serial->run());
  }
  for (const crypto::PublicKey& key : changes.removed_peers) {
    remove_peer->bind(1, ByteView(key.bytes));
    TRY(remove_peer->run());
  }
  for (const PeerRecord& peer : changes.put_peers) TRY(put(peer));
  for (const SetupKeyRecord& key : changes.put_setup_keys) TRY(put(key));
  return {};
}

SqliteStore::SqliteStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
  auto database = TRY(Database::open(path, kSchema));
  auto state = std::make_unique<State>(path, std::move(database));
  TRY(state->prepare());
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(state)));
}

Result<Snapshot> SqliteStore::load() {
  Snapshot snapshot;
  TRY(state_->read_all(kSelectNetwork, [&](const Statement& row) {
    snapshot.network = network_of(row);
    return snapshot.network.has_value();
  }));
  TRY(state_->read_all(kSelectPeers, [&](const Statement& row) {
    auto peer = peer_of(row);
    if (!peer) return false;
    snapshot.peers.push_back(*std::move(peer));
    return true;
  }));
  TRY(state_->read_all(kSelectSetupKeys, [&](const Statement& row) {
    snapshot.setup_keys.push_back(setup_key_of(row));
    return true;
  }));
  return snapshot;
}

Result<> SqliteStore::commit(const Changes& changes) {
  if (changes.empty()) return {};
  auto done = state_->database->begin();
  if (done) done = state_->write(changes);
  if (done) done = state_->database->commit();
  if (!done) state_->database->roll_back();
  return done;
}

}  // namespace trellis::system
