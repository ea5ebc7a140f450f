#pragma once

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/kem.h"
#include "node/uplink/event.h"
#include "node/uplink/status.h"

#include <memory>

namespace trellis::uplink {

/// Who we are. The public key's bytes (a mapped file) must outlive the uplink.
struct Identity {
  crypto::PrivateKey wireguard;
  std::optional<pair::KeyName> rosenpass;  // nothing: an agent without a post-quantum key
  ByteView rosenpass_public;
};

/// What the machine says of itself: claims, for listings.
struct Facts {
  std::string host_name;  // the name that is asked for at registration
  std::string system;     // "linux"
  std::string kernel;     // its release
  std::string platform;   // "x86_64"
  std::string distribution;
  std::string distribution_version;
  std::vector<Prefix> addresses;  // of the underlay
};

struct Options {
  std::string authority;  // "vpn.example.org:8443": HTTP/2's, see control::JoinLine::authority
  Facts facts;
  Bytes<16> instance{};        // random, new at every start of the agent
  std::string allowed_domain;  // see netmap::MapContext
  bool strict = true;
  const crypto::Suite* suite = nullptr;  // of our own key, where it is none of crypto's: tests
  /// This machine has never been a member: the setup key, if there is one, goes with the first
  /// Login and saves a round trip.
  bool never_joined = false;
  /// What was in force when the agent stopped. A map of that server with a lower serial is not
  /// taken over.
  std::optional<crypto::PublicKey> server_key;
  std::optional<netmap::Map> map;
};

/// The agent's line to its server: one connection that carries logins, the map, signals and keys,
/// and is made again whenever it breaks.
///
///            Connect            connected()                 Login
///   Waiting ---------> Connecting ---------> LoggingIn ---------------> Up
///      ^                   |                     |                       | Sync, ConnectStream,
///      `---- back-off -----+---------------------+---- disconnected() ---' Upload, Fetch, Send
///
/// Pure: bytes, events and time in; bytes, events and a deadline out. The transport is the owner's:
/// it opens and closes it as the events say. After every call that takes `now` drain `poll_event`,
/// then `poll_transmit` as far as the transport takes bytes; again when the transport can take
/// more.
class Uplink {
 public:
  /// Asks for a connection in the first `handle_timeout`. `random` must outlive the uplink.
  Uplink(TimePoint now, Identity identity, Options options, Random& random);
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;
  ~Uplink();

  /// To be used if the server does not know us, and wiped as soon as it cannot be needed any more.
  /// After a refusal the server is asked at once. Fails, without quoting it, if it is no setup key.
  Result<> set_setup_key(TimePoint now, SecretBuffer text);

  // The transport, opened when `Connect` says so.
  void connected(TimePoint now);
  void receive(TimePoint now, ByteView bytes);
  /// It broke, or could not be opened: `why` is a sentence for people ("connection refused").
  void disconnected(TimePoint now, std::string why);
  /// Bytes for the transport; empty: none now. Never more than some tens of kilobytes at a time:
  /// call it only while the transport can take more.
  ByteVector poll_transmit();

  /// Which serials of a map are plausible. Without it those that follow closely on the last one.
  void set_wall_clock(WallTime now);
  void handle_timeout(TimePoint now);
  std::optional<TimePoint> next_timeout() const;
  std::optional<Event> poll_event();

  /// To a peer of the map, through the server, in order. Waits for the line for 30 s at most. Of
  /// offers that wait to a peer only the newest is sent.
  void send_signal(TimePoint now, const crypto::PublicKey& to, const wire::signal::Body& body);

  /// Asks until `KeyFetched` comes, or `forget_key`, or a map that does not name it any more.
  /// `have`: what an earlier fetch has left, from the key's first byte on. Nothing happens if the
  /// key is being fetched already.
  void fetch_key(TimePoint now, const pair::KeyName& name, ByteVector have = {});
  bool is_fetching(const pair::KeyName& name) const;
  void forget_key(TimePoint now, const pair::KeyName& name);

  /// The network has changed, or a person wants it: a line that waits tries now, one that stands
  /// has to answer within 3 s.
  void retry_now(TimePoint now);

  /// Leaves the network: the server forgets this machine. Ends in `LoggedOut`, within 15 s.
  void log_out(TimePoint now);

  /// The map in force, if there is one: the server's last, or the cached one.
  const netmap::Map* map() const;
  Status status() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace trellis::uplink
