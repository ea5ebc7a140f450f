#pragma once

#include "node/uplink/uplink.h"
#include "testing/stream.h"

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

namespace trellis::uplink {

/// An uplink and its owner in virtual time: opens and closes the transport as it is told, and
/// remembers the other events.
class TestAgent final : public testing::SimHost, public testing::StreamHost {
 public:
  TestAgent(testing::Sim& net, testing::StreamNet& streams, const IpAddress& address,
            const Endpoint& server, Identity identity, Options options, Random& random)
      : net_(net),
        streams_(streams),
        address_(address),
        server_(server),
        uplink_(net.now(), std::move(identity), std::move(options), random) {
    net_.attach({address, 1}, *this);
  }
  ~TestAgent() override {
    streams_.remove(*this);
    net_.detach({address_, 1});
  }
  TestAgent(const TestAgent&) = delete;
  TestAgent& operator=(const TestAgent&) = delete;

  Uplink& uplink() { return uplink_; }
  std::optional<testing::StreamEnd> stream() const { return stream_; }
  std::deque<Event>& events() { return events_; }

  template <class T>
  std::vector<T> all() const {
    std::vector<T> result;
    for (const Event& event : events_) {
      if (const T* one = std::get_if<T>(&event)) result.push_back(*one);
    }
    return result;
  }
  template <class T>
  bool has() const {
    return std::ranges::any_of(events_,
                               [](const Event& e) { return std::holds_alternative<T>(e); });
  }

  // SimHost
  void handle_datagram(TimePoint, const Endpoint&, ByteView) override {}
  void handle_timeout(TimePoint now) override { uplink_.handle_timeout(now); }
  std::optional<TimePoint> next_timeout() const override { return uplink_.next_timeout(); }
  std::optional<testing::SimDatagram> poll_transmit() override {
    while (auto event = uplink_.poll_event()) take(*std::move(event));
    while (stream_ && streams_.writable(*stream_)) {
      const ByteVector bytes = uplink_.poll_transmit();
      if (bytes.empty()) break;
      streams_.send(*stream_, bytes);
    }
    return std::nullopt;
  }

  // StreamHost
  void stream_opened(TimePoint now, testing::StreamEnd, const IpAddress&) override {
    uplink_.connected(now);
  }
  void stream_received(TimePoint now, testing::StreamEnd, ByteView bytes) override {
    uplink_.receive(now, bytes);
  }
  void stream_closed(TimePoint now, testing::StreamEnd, const std::string& why) override {
    stream_.reset();
    uplink_.disconnected(now, why);
  }

 private:
  void take(Event event) {
    if (std::holds_alternative<Connect>(event)) {
      stream_ = streams_.connect(*this, address_, server_);
    } else if (std::holds_alternative<Disconnect>(event)) {
      if (stream_) streams_.close(*stream_);
      stream_.reset();
    } else {
      events_.push_back(std::move(event));
    }
  }

  testing::Sim& net_;
  testing::StreamNet& streams_;
  IpAddress address_;
  Endpoint server_;
  std::optional<testing::StreamEnd> stream_;
  std::deque<Event> events_;
  Uplink uplink_;
};

}  // namespace trellis::uplink
