#pragma once

#include "testing/sim.h"

#include <deque>
#include <set>
#include <string>

namespace trellis::testing {

/// One end of a connection. Both ends have numbers of their own.
enum class StreamEnd : std::uint64_t {};

/// Somebody who has connections. May call the StreamNet from inside these.
class StreamHost {
 public:
  virtual ~StreamHost() = default;
  /// Ours: what `connect` asked for is there. At a listener: somebody has connected from `peer`.
  virtual void stream_opened(TimePoint now, StreamEnd end, const IpAddress& peer) = 0;
  virtual void stream_received(TimePoint now, StreamEnd end, ByteView bytes) = 0;
  /// The other end closed it, it broke, or it could not be opened. The end is gone.
  virtual void stream_closed(TimePoint now, StreamEnd end, const std::string& why) = 0;
};

struct StreamFaults {
  Duration delay = 10ms;  // one way
  Duration jitter{};      // added, uniform in [0, jitter); the order stays
  /// Bytes arrive in pieces of random sizes of at most so many; 0: as they were sent.
  std::size_t piece_bytes_max = 0;
  /// `writable` is false while so many bytes of an end are on their way.
  std::size_t window_bytes = 256 << 10;
};

/// Reliable byte streams (TCP, without its handshake's cost but for one round trip) in the virtual
/// time of a Sim, to which it attaches itself.
///
///   StreamNet streams(net, seed);
///   streams.listen(kServer, server);
///   StreamEnd end = streams.connect(client, kClientAddress, kServer);
///
/// A host that is a SimHost too drains its engine into `send` in its `poll_transmit`, which the Sim
/// calls after every event, so that it also notices when `writable` is true again. Hosts must be
/// taken out by `remove` before they die.
class StreamNet final : public SimHost {
 public:
  StreamNet(Sim& net, std::uint64_t seed, StreamFaults faults = {});
  ~StreamNet() override;
  StreamNet(const StreamNet&) = delete;
  StreamNet& operator=(const StreamNet&) = delete;

  void set_faults(StreamFaults faults) { faults_ = faults; }

  void listen(const Endpoint& at, StreamHost& host);
  /// Connections that stand are not touched; new ones are refused.
  void stop_listening(const Endpoint& at);

  /// `stream_opened` or `stream_closed` follows, unless the server is silent.
  StreamEnd connect(StreamHost& host, const IpAddress& from, const Endpoint& to);
  void send(StreamEnd end, ByteView bytes);  // of an end that is gone: nothing
  bool writable(StreamEnd end) const;
  /// After what was sent: the other end gets it, then `stream_closed`. We get nothing more.
  void close(StreamEnd end);

  /// Breaks the connection at once: what is on its way is lost, both ends are told.
  void cut(StreamEnd end);
  /// The same for all connections of this machine.
  void cut_all(const IpAddress& machine);
  /// Nothing passes to or from this machine, and nobody is told (a pulled cable, a dead NAT entry);
  /// with false all that was sent arrives after all.
  void set_silent(const IpAddress& machine, bool silent);
  /// The program has died: its ends are gone. The system that lives on closes its connections; if
  /// it died too (`machine_too`), the others learn it only by an answer to what they send.
  void remove(StreamHost& host, bool machine_too = false);

  /// Bytes that were sent by ends of this machine since the start.
  std::uint64_t bytes_sent(const IpAddress& machine) const;
  /// That stand, or of which one end does not know yet that they do not.
  std::size_t connections() const;

  // SimHost
  void handle_datagram(TimePoint, const Endpoint&, ByteView) override {}
  void handle_timeout(TimePoint now) override;
  std::optional<TimePoint> next_timeout() const override;
  std::optional<SimDatagram> poll_transmit() override { return std::nullopt; }

 private:
  enum class Kind : std::uint8_t { Opened, Data, Closed };
  struct Parcel {
    Kind kind;
    TimePoint due;
    ByteVector bytes;
    std::string why;
  };
  struct End {
    StreamHost* host;
    IpAddress address;  // of its machine
    IpAddress peer_address;
    std::optional<StreamEnd> peer;  // nothing while it is being opened
    std::deque<Parcel> inbox;       // in the order of arrival
    std::size_t inbox_bytes = 0;
  };
  /// A connection that is being opened.
  struct Call {
    StreamEnd client;
    Endpoint to;
    TimePoint due;
  };

  StreamEnd add_end(StreamHost& host, const IpAddress& own, const IpAddress& peer);
  void post(StreamEnd to, Kind kind, Duration delay, ByteView bytes = {}, std::string why = {});
  Duration draw_delay();
  bool passes(const IpAddress& a, const IpAddress& b) const;
  std::optional<TimePoint> due(const End& end) const;
  bool answer_call(TimePoint now);
  bool deliver_one(TimePoint now);
  void deliver_data(TimePoint now, StreamEnd id, End& end);

  Sim& net_;
  SeededRandom random_;
  StreamFaults faults_;
  std::uint64_t next_end_ = 1;
  std::map<StreamEnd, End> ends_;
  std::vector<Call> calls_;
  std::map<Endpoint, StreamHost*> listeners_;
  std::set<IpAddress> silent_;
  std::map<IpAddress, std::uint64_t> sent_;
};

}  // namespace trellis::testing
