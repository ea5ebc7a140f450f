#pragma once

#include "server/gateway/gateway.h"
#include "server/store/memory_store.h"
#include "testing/stream.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>

namespace trellis::uplink {

/// The real server behind a listening socket of a StreamNet. Its store outlives its restarts.
class GatewayHost final : public testing::SimHost, public testing::StreamHost {
 public:
  GatewayHost(testing::Sim& net, testing::StreamNet& streams, const Endpoint& at, Random& random)
      : net_(net), streams_(streams), at_(at), random_(random) {
    net_.attach({at.address, 1}, *this);
    start();
  }
  ~GatewayHost() override {
    streams_.remove(*this);
    net_.detach({at_.address, 1});
  }
  GatewayHost(const GatewayHost&) = delete;
  GatewayHost& operator=(const GatewayHost&) = delete;

  server::MemoryStore store;
  server::MemoryKeyFiles files;

  void start() {
    server::Gateway::Options options;
    options.authority = "vpn.example.org:443";
    auto gateway =
        server::Gateway::create(options, store, files, random_, net_.now(), net_.wall_now());
    ASSERT_TRUE(gateway) << gateway.error().message;
    gateway_ = *std::move(gateway);
    streams_.listen(at_, *this);
  }
  /// As SIGKILL does.
  void kill() {
    streams_.remove(*this);
    gateway_.reset();
    by_end_.clear();
    by_connection_.clear();
    waiting_.clear();
  }
  bool running() const { return gateway_ != nullptr; }

  std::string request(std::string_view json) {
    gateway_->set_wall_clock(net_.wall_now());
    return gateway_->handle_request(net_.now(), /*may_change=*/true, json);
  }
  /// The text of a new key: UUIDs are what such an answer quotes last.
  std::string new_setup_key(const std::string& options) {
    const std::string answer =
        request(R"({"command":"setup-key create","name":"test")" + options + "}");
    const std::string field = R"("setup_key":")";
    const std::size_t begin = answer.find(field);
    EXPECT_NE(begin, std::string::npos) << answer;
    return begin == std::string::npos ? "" : answer.substr(begin + field.size(), 36);
  }

  // SimHost
  void handle_datagram(TimePoint, const Endpoint&, ByteView) override {}
  void handle_timeout(TimePoint now) override {
    if (!gateway_) return;
    gateway_->set_wall_clock(net_.wall_now());
    gateway_->handle_timeout(now);
  }
  std::optional<TimePoint> next_timeout() const override {
    return gateway_ ? gateway_->next_timeout() : std::nullopt;
  }
  std::optional<testing::SimDatagram> poll_transmit() override {
    if (!gateway_) return std::nullopt;
    while (const auto ready = gateway_->poll_ready()) waiting_.insert(*ready);
    for (const server::ConnectionId connection : std::set(waiting_)) transmit(connection);
    return std::nullopt;
  }

  // StreamHost
  void stream_opened(TimePoint now, testing::StreamEnd end, const IpAddress& peer) override {
    const auto connection = gateway_->open(now, {.source = peer, .description = "simulated"});
    by_end_.emplace(end, connection);
    by_connection_.emplace(connection, end);
  }
  void stream_received(TimePoint now, testing::StreamEnd end, ByteView bytes) override {
    gateway_->set_wall_clock(net_.wall_now());
    if (const auto found = by_end_.find(end); found != by_end_.end()) {
      gateway_->receive(now, found->second, bytes);
    }
  }
  void stream_closed(TimePoint now, testing::StreamEnd end, const std::string&) override {
    const auto found = by_end_.find(end);
    if (found == by_end_.end()) return;
    const server::ConnectionId connection = found->second;
    forget(connection);
    gateway_->closed(now, connection);
  }

 private:
  void transmit(server::ConnectionId connection) {
    const auto found = by_connection_.find(connection);
    if (found == by_connection_.end()) {
      waiting_.erase(connection);
      return;
    }
    while (streams_.writable(found->second)) {
      const ByteVector bytes = gateway_->poll_transmit(connection);
      if (bytes.empty()) {
        waiting_.erase(connection);
        break;
      }
      streams_.send(found->second, bytes);
    }
    if (waiting_.contains(connection) || !gateway_->to_close(connection)) return;
    streams_.close(found->second);
    forget(connection);
    gateway_->closed(net_.now(), connection);
  }
  void forget(server::ConnectionId connection) {
    const auto found = by_connection_.find(connection);
    by_end_.erase(found->second);
    by_connection_.erase(found);
    waiting_.erase(connection);
  }

  testing::Sim& net_;
  testing::StreamNet& streams_;
  Endpoint at_;
  Random& random_;
  std::unique_ptr<server::Gateway> gateway_;
  std::map<testing::StreamEnd, server::ConnectionId> by_end_;
  std::map<server::ConnectionId, testing::StreamEnd> by_connection_;
  std::set<server::ConnectionId> waiting_;  // have something to send
};

}  // namespace trellis::uplink
