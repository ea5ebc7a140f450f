#pragma once

#include "base/token_bucket.h"
#include "node/uplink/back_off.h"
#include "node/uplink/constants.h"
#include "node/uplink/session.h"

#include <map>

namespace trellis::uplink {

/// Gets public keys from the server, a few at a time, going on where an earlier attempt ended,
/// until the bytes have the hash that names them. [pair rule 6]
class KeyFetches {
 public:
  explicit KeyFetches(Shared& shared) : shared_(shared) {}

  void want(const pair::KeyName& name, ByteVector have);
  bool wanted(const pair::KeyName& name) const { return fetches_.contains(name); }
  void forget(TimePoint now, const Session* session, const pair::KeyName& name);
  /// Forgets what the map in force does not name.
  void map_changed(TimePoint now, const Session& session);
  void line_lost();

  bool owns(grpc::CallId call) const { return find(call) != nullptr; }
  void handle_message(TimePoint now, const Session& session, grpc::CallId call, ByteView message);
  void handle_end(TimePoint now, grpc::CallId call, const grpc::Status& status);

  /// Starts what is due, as long as there is room.
  void start_due(TimePoint now, const Session& session);
  std::optional<TimePoint> next_timeout() const;
  std::vector<Transfer> status() const;

 private:
  struct Fetch {
    pair::KeyName name;
    std::size_t total = 0;  // as its suite has it
    ByteVector bytes;
    std::optional<grpc::CallId> call;
    double charged = 0;  // for this call, in keys
    TimePoint not_before{};
    BackOff back_off;
    bool grew = false;  // in this call
    std::string error;
  };

  const Fetch* find(grpc::CallId call) const;
  Fetch* find(grpc::CallId call);
  std::size_t running() const;
  bool charge(TimePoint now, Fetch& fetch);
  void settle_charge(Fetch& fetch);
  void drop_bytes(Fetch& fetch);
  void complete(TimePoint now, Fetch& fetch);
  void fail_later(TimePoint now, Fetch& fetch, std::string why);

  Shared& shared_;
  std::map<pair::KeyName, Fetch> fetches_;
  TokenBucket keys_{kFetchedKeysPerSecond, kFetchedKeysBurst};
};

}  // namespace trellis::uplink
