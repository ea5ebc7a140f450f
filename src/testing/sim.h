#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/time.h"
#include "testing/random.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace trellis::testing {

/// What a Sim carries from one address to another.
struct SimDatagram {
  Endpoint from;
  Endpoint to;
  ByteVector bytes;
};

/// A machine in a Sim: an engine, or several, behind the shape of all engines.
class SimHost {
 public:
  virtual ~SimHost() = default;
  virtual void handle_datagram(TimePoint now, const Endpoint& from, ByteView datagram) = 0;
  virtual void handle_timeout(TimePoint now) = 0;
  virtual std::optional<TimePoint> next_timeout() const = 0;
  /// The next datagram to send; `from` is filled in by the Sim. Drained after every call.
  virtual std::optional<SimDatagram> poll_transmit() = 0;
};

/// What a link does to datagrams. Each fault is drawn for each datagram by itself.
struct LinkFaults {
  Duration delay = 10ms;
  Duration jitter{};       // added, uniform in [0, jitter); alone enough to reorder
  double loss = 0;         // chance to vanish
  double duplication = 0;  // chance to come twice, the copy after a delay of its own
  double reordering = 0;   // chance to come late by `reorder_delay`
  Duration reorder_delay = 200ms;
};

/// A network in virtual time, in one thread, from a seed: the same seed, the same run.
///
/// Addresses are the hosts' names. A host may be attached at several; it sends from the one of the
/// receiver's family that was attached last, and to a family that it has no address of, nowhere.
/// What goes to an address where nobody is attached is lost.
class Sim {
 public:
  explicit Sim(std::uint64_t seed, LinkFaults faults = {});

  /// `host` stays with the caller and must be detached before it dies.
  void attach(const Endpoint& at, SimHost& host);
  /// Nothing reaches this address any more. A host that is attached nowhere has stopped.
  void detach(const Endpoint& at);
  /// Roaming: from now on the host sends and receives at `to`; at `from` is nobody.
  void move(const Endpoint& from, const Endpoint& to);
  /// A restart: what was on the way to the old host reaches the new one.
  void replace(const Endpoint& at, SimHost& host);
  /// The machine at this address sleeps: no timers, and what arrives is lost, until the time is
  /// over.
  void suspend(const Endpoint& at, Duration time);

  void set_faults(LinkFaults faults) { default_faults_ = faults; }
  /// Of one direction between two addresses.
  void set_faults(const Endpoint& from, const Endpoint& to, LinkFaults faults);

  /// Sees every datagram as it is sent, before any fault; false drops it.
  using Filter = std::function<bool(TimePoint, const SimDatagram&)>;
  void set_filter(Filter filter) { filter_ = std::move(filter); }
  /// Puts a datagram on the wire as if `datagram.from` had sent it, without the filter: replays,
  /// forgeries.
  void inject(SimDatagram datagram, Duration delay = {});

  TimePoint now() const { return now_; }
  /// The wall clock of all hosts; jumps with `jump_wall_clock`.
  WallTime wall_now() const;
  void jump_wall_clock(Duration by) { wall_offset_ += by; }

  /// Sends what the hosts have to send now. Call it after calling a host directly.
  void flush();
  void run_for(Duration time);
  /// Until `done` holds after some step (true), or `limit` is over (false).
  bool run_until(Duration limit, const std::function<bool()>& done);

  struct Counters {
    std::uint64_t sent = 0;
    std::uint64_t delivered = 0;
    std::uint64_t lost = 0;  // by a link, the filter, sleep, or for want of a receiver
    std::uint64_t duplicated = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  struct Machine {
    SimHost* host;
    std::vector<Endpoint> addresses;  // in the order in which they were attached
    std::optional<TimePoint> asleep_until;
  };

  bool step(TimePoint limit);
  void deliver(SimDatagram datagram);
  void run_timers();
  void send(SimDatagram datagram);
  void schedule(const LinkFaults& faults, SimDatagram datagram);
  const LinkFaults& faults_between(const Endpoint& from, const Endpoint& to) const;
  std::optional<TimePoint> next_event() const;
  static std::optional<Endpoint> source_of(const Machine& machine, const Endpoint& to);
  Machine* machine_at(const Endpoint& at);
  bool awake(const Machine& machine) const;

  TimePoint now_{1h};  // not zero: an engine that mistakes zero for "never" is found
  Duration wall_offset_{};
  SeededRandom random_;
  LinkFaults default_faults_;
  std::map<std::pair<Endpoint, Endpoint>, LinkFaults> link_faults_;
  Filter filter_;
  std::vector<Machine> machines_;
  std::map<Endpoint, SimHost*> addresses_;
  std::multimap<TimePoint, SimDatagram> in_flight_;
  Counters counters_;
};

}  // namespace trellis::testing
