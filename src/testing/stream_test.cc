#include "testing/stream.h"

#include <gtest/gtest.h>

namespace trellis::testing {
namespace {

const IpAddress kClient = *IpAddress::parse("192.0.2.1");
const Endpoint kServer = *Endpoint::parse("192.0.2.9:443");

/// Remembers what happens to its ends.
class Recorder final : public StreamHost {
 public:
  void stream_opened(TimePoint now, StreamEnd end, const IpAddress&) override {
    opened.emplace_back(end);
    opened_at = now;
  }
  void stream_received(TimePoint now, StreamEnd, ByteView bytes) override {
    append(received, bytes);
    ++pieces;
    received_at = now;
  }
  void stream_closed(TimePoint now, StreamEnd, const std::string& why) override {
    closed = why;
    closed_at = now;
  }

  std::vector<StreamEnd> opened;
  ByteVector received;
  int pieces = 0;
  std::optional<std::string> closed;
  TimePoint opened_at, received_at, closed_at;
};

class StreamNetTest : public ::testing::Test {
 protected:
  void connect() {
    streams_.listen(kServer, server_);
    end_ = streams_.connect(client_, kClient, kServer);
    net_.run_for(20ms);
    ASSERT_EQ(client_.opened, std::vector{end_});
    ASSERT_EQ(server_.opened.size(), 1U);
    ASSERT_EQ(streams_.connections(), 1U);
  }

  Sim net_{1};
  StreamNet streams_{net_, 1};
  Recorder client_;
  Recorder server_;
  StreamEnd end_{};
};

TEST_F(StreamNetTest, CarriesBytesInOrderAfterTheDelay) {
  const TimePoint start = net_.now();
  connect();
  EXPECT_EQ(client_.opened_at, start + 20ms);
  streams_.set_faults({.delay = 5ms, .jitter = 50ms, .piece_bytes_max = 7});
  ByteVector sent;
  for (int i = 0; i < 100; ++i) {
    const ByteVector bytes(10, static_cast<std::byte>(i));
    streams_.send(end_, bytes);
    append(sent, bytes);
  }
  net_.run_for(1s);
  EXPECT_EQ(server_.received, sent);
  EXPECT_GT(server_.pieces, 200);
  EXPECT_EQ(streams_.bytes_sent(kClient), sent.size());
}

TEST_F(StreamNetTest, RefusesWhereNobodyListens) {
  streams_.connect(client_, kClient, kServer);
  net_.run_for(1s);
  EXPECT_EQ(client_.closed, "connection refused");
  EXPECT_EQ(streams_.connections(), 0U);
}

TEST_F(StreamNetTest, ClosesAfterWhatWasSent) {
  connect();
  streams_.send(server_.opened[0], as_bytes("bye"));
  streams_.close(server_.opened[0]);
  net_.run_for(1s);
  EXPECT_EQ(client_.received, to_vector(as_bytes("bye")));
  EXPECT_EQ(client_.closed, "closed by the other end");
  EXPECT_FALSE(server_.closed);
}

TEST_F(StreamNetTest, LosesWhatIsOnItsWayWhenCut) {
  connect();
  streams_.send(end_, as_bytes("lost"));
  streams_.cut_all(kClient);
  net_.run_for(1s);
  EXPECT_TRUE(server_.received.empty());
  EXPECT_TRUE(server_.closed);
  EXPECT_TRUE(client_.closed);
}

TEST_F(StreamNetTest, DeliversAfterASilence) {
  connect();
  streams_.set_silent(kClient, true);
  streams_.send(end_, as_bytes("late"));
  net_.run_for(60s);
  EXPECT_TRUE(server_.received.empty());
  EXPECT_FALSE(client_.closed);
  streams_.set_silent(kClient, false);
  net_.run_for(1ms);
  EXPECT_EQ(server_.received, to_vector(as_bytes("late")));
}

TEST_F(StreamNetTest, ShowsADeadMachineOnlyByAnAnswer) {
  connect();
  streams_.remove(server_, /*machine_too=*/true);
  net_.run_for(60s);
  EXPECT_FALSE(client_.closed);
  streams_.send(end_, as_bytes("anybody?"));
  net_.run_for(1s);
  EXPECT_EQ(client_.closed, "connection reset by peer");
}

TEST_F(StreamNetTest, ClosesTheEndsOfADeadProgram) {
  connect();
  streams_.remove(server_);
  net_.run_for(1s);
  EXPECT_EQ(client_.closed, "connection reset by peer");
  Recorder other;
  streams_.connect(other, kClient, kServer);
  net_.run_for(1s);
  EXPECT_EQ(other.closed, "connection refused");
}

TEST_F(StreamNetTest, IsNotWritableWhileItsWindowIsFull) {
  connect();
  streams_.send(end_, ByteVector(300 << 10));
  EXPECT_FALSE(streams_.writable(end_));
  net_.run_for(1s);
  EXPECT_TRUE(streams_.writable(end_));
}

}  // namespace
}  // namespace trellis::testing
