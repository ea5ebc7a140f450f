#include "apps/server/server_host.h"

#include "protocol/control/management.pb.h"
#include "protocol/control/method_names.h"
#include "protocol/grpc/client_connection.h"
#include "system/clock.h"
#include "system/temporary_folder_test.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <thread>

namespace trellis::apps {
namespace {

using system::Stream;

/// An agent's end of a connection: TLS and gRPC, and no opinion of its own.
class Client {
 public:
  Client(system::Loop& loop, system::Resolver& resolver, std::uint16_t port,
         const system::TlsFingerprint& pin)
      : grpc_(system::boot_now(), {.authority = "localhost"}) {
    auto tls = system::ClientTls::create({.server_name = "localhost", .pinned_key = pin}).value();
    stream_ = Stream::connect(loop, resolver, std::move(tls), {.host = "127.0.0.1", .port = port},
                              {.connected = [this] { flush(); },
                               .received =
                                   [this](ByteView bytes) {
                                     grpc_.receive(system::boot_now(), bytes);
                                     flush();
                                   },
                               .writable = {},
                               .closed = [this](const std::string& why) { closed = why; }});
  }

  void ask_for_server_key() {
    const grpc::CallId call = grpc_.start(system::boot_now(), control::kGetServerKey);
    grpc_.send_message(call, {});
    grpc_.half_close(call);
    flush();
  }

  std::string server_key;
  std::optional<std::string> closed;

 private:
  void flush() {
    while (auto event = grpc_.poll_event()) {
      const auto* message = std::get_if<grpc::MessageReceived>(&*event);
      if (!message) continue;
      wire::management::ServerKeyResponse answer;
      if (answer.ParseFromArray(message->message.data(),
                                static_cast<int>(message->message.size()))) {
        server_key = answer.key();
      }
    }
    while (stream_.open()) {
      const ByteVector bytes = grpc_.poll_transmit();
      if (bytes.empty()) break;
      stream_.send(bytes);
    }
    if (grpc_.closed()) stream_.close();
  }

  grpc::ClientConnection grpc_;
  Stream stream_;
};

class ServerHostTest : public ::testing::Test {
 protected:
  ServerHost::Options options() const {
    ServerHost::Options options;
    options.state_folder = folder_.file("state");
    options.control_socket = folder_.file("server.sock");
    options.listen = {Endpoint{IpAddress::v4({std::byte{127}, {}, {}, std::byte{1}}), 0, 0}};
    options.public_name = "localhost";
    return options;
  }
  void serve() { host_ = ServerHost::create(*loop_, options()).value(); }

  bool run_until(const std::function<bool()>& condition) {
    const TimePoint end = system::boot_now() + 20s;
    std::function<void()> check;
    system::Timer timer = loop_->timer([&] { check(); }).value();
    check = [&] {
      if (condition() || system::boot_now() > end) return loop_->stop();
      timer.arm(system::boot_now() + 1ms);
    };
    timer.arm(system::boot_now());
    loop_->run();
    return condition();
  }

  std::unique_ptr<Client> connect() {
    const auto line = control::JoinLine::parse(host_->join_url()).value();
    EXPECT_EQ(line.port, host_->listening().front().port);
    return std::make_unique<Client>(*loop_, resolver_, line.port, line.fingerprint);
  }

  nlohmann::json ask(const std::string& request) {
    std::string answer;
    std::thread asking([&] {
      answer = system::ipc_call(options().control_socket, request, 10s).value_or("{}");
      loop_->stop();
    });
    loop_->run();
    asking.join();
    return nlohmann::json::parse(answer);
  }

  system::TemporaryFolder folder_;
  std::unique_ptr<system::Loop> loop_ = system::Loop::create().value();
  system::Resolver resolver_ = system::Resolver::create(*loop_).value();
  std::unique_ptr<ServerHost> host_;
};

TEST_F(ServerHostTest, AnswersOverTlsAndIsTheSameAfterARestart) {
  serve();
  const std::string fingerprint = host_->join_url().substr(host_->join_url().find('#'));
  auto client = connect();
  client->ask_for_server_key();
  ASSERT_TRUE(run_until([&] { return !client->server_key.empty(); }));
  const std::string key = client->server_key;

  host_.reset();
  EXPECT_TRUE(run_until([&] { return client->closed.has_value(); }));
  serve();
  EXPECT_EQ(host_->join_url().substr(host_->join_url().find('#')), fingerprint);
  client = connect();
  client->ask_for_server_key();
  EXPECT_TRUE(run_until([&] { return !client->server_key.empty(); }));
  EXPECT_EQ(client->server_key, key);
}

TEST_F(ServerHostTest, ASetupKeyComesWithTheJoinLine) {
  serve();
  const auto answer = ask(R"({"command":"setup-key create"})");
  EXPECT_EQ(answer.value("ok", false), true) << answer;
  EXPECT_EQ(answer.value("server", ""), host_->join_url());
  EXPECT_EQ(answer.value("setup_key", "").size(), 36U) << answer;
  const auto status = ask(R"({"command":"status"})");
  EXPECT_EQ(status["status"].value("server", ""), host_->join_url()) << status;
}

TEST_F(ServerHostTest, AnOrderlyEndClosesAllConnectionsInBoundedTime) {
  serve();
  auto client = connect();
  client->ask_for_server_key();
  ASSERT_TRUE(run_until([&] { return !client->server_key.empty(); }));
  const std::uint16_t port = host_->listening().front().port;
  bool done = false;
  const TimePoint begin = system::boot_now();
  host_->drain([&] { done = true; });
  EXPECT_TRUE(run_until([&] { return done; }));
  EXPECT_LT(system::boot_now() - begin, 10s);
  host_.reset();
  EXPECT_TRUE(run_until([&] { return client->closed.has_value(); }));
  Client late(*loop_, resolver_, port, {});
  EXPECT_TRUE(run_until([&] { return late.closed.has_value(); }));
}

TEST_F(ServerHostTest, OneServerUsesAStateFolder) {
  serve();
  const auto second = ServerHost::create(*loop_, options());
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos) << second.error().message;
}

TEST_F(ServerHostTest, WrongOptionsAreRefused) {
  ServerHost::Options wrong = options();
  wrong.certificate_file = "/nowhere.pem";
  EXPECT_FALSE(ServerHost::check(wrong));
  wrong.key_file = "/nowhere.key";
  EXPECT_FALSE(ServerHost::check(wrong));
  wrong.plain = true;
  EXPECT_FALSE(ServerHost::check(wrong));
  EXPECT_TRUE(ServerHost::check(options()));
  wrong = options();
  wrong.public_name = "not a host";
  EXPECT_FALSE(ServerHost::check(wrong));
}

}  // namespace
}  // namespace trellis::apps
