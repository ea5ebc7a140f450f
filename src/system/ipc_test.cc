#include "system/ipc.h"

#include "system/clock.h"
#include "system/descriptor.h"
#include "system/ipc_socket.h"
#include "system/temporary_folder_test.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <thread>

namespace trellis::system {
namespace {

bool contains(const Error& error, std::string_view part) {
  return error.message.find(part) != std::string::npos;
}

/// A server in a thread of its own that answers "UID:REQUEST"; "large" is answered at length.
class IpcTest : public ::testing::Test {
 protected:
  void serve(IpcServer::Options options = {}) {
    options.path = path_;
    server_ =
        IpcServer::listen(*loop_, options, [](const IpcCaller& caller, std::string_view text) {
          if (text == "large") return std::string(3 << 20, 'x');
          return std::to_string(caller.uid) + ":" + std::string(text);
        }).value();
    thread_ = std::thread([this] { loop_->run(); });
  }
  ~IpcTest() override {
    loop_->stop();
    if (thread_.joinable()) thread_.join();
  }
  Descriptor connect() const {
    const sockaddr_un address = unix_address(path_).value();
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{5, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    CHECK(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
          0);
    return socket;
  }
  static void put(const Descriptor& socket, std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// Exactly this many bytes, or fewer if the server hangs up.
  static std::string take(const Descriptor& socket, std::size_t size) {
    std::string text(size, '\0');
    std::size_t done = 0;
    while (done < size) {
      const ssize_t n = ::recv(socket.get(), text.data() + done, size - done, 0);
      if (n <= 0) break;
      done += static_cast<std::size_t>(n);
    }
    text.resize(done);
    return text;
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("run/control.sock");
  std::unique_ptr<Loop> loop_ = Loop::create().value();
  std::optional<IpcServer> server_;
  std::thread thread_;
  const std::string own_ = std::to_string(::getuid()) + ":";
};

TEST_F(IpcTest, AnswersWithTheCallersIdentity) {
  serve();
  EXPECT_EQ(ipc_call(path_, "status", 5s).value(), own_ + "status");
  EXPECT_EQ(ipc_call(path_, "", 5s).value(), own_);
}

TEST_F(IpcTest, ALargeAnswerArrivesWhole) {
  serve();
  EXPECT_EQ(ipc_call(path_, "large", 5s).value(), std::string(3 << 20, 'x'));
}

TEST_F(IpcTest, OneConnectionAsksManyTimesInPieces) {
  serve();
  const Descriptor socket = connect();
  put(socket, "on");
  put(socket, "e\ntw");
  EXPECT_EQ(take(socket, own_.size() + 4), own_ + "one\n");
  put(socket, "o\nthree\nfour\n");
  const std::string rest = own_ + "two\n" + own_ + "three\n" + own_ + "four\n";
  EXPECT_EQ(take(socket, rest.size()), rest);
}

TEST_F(IpcTest, ASlowReaderHoldsNobodyUp) {
  serve();
  const Descriptor slow = connect();
  put(slow, "large\nafter\n");
  EXPECT_EQ(ipc_call(path_, "status", 5s).value(), own_ + "status");
  EXPECT_EQ(take(slow, (3 << 20) + 1).size(), static_cast<std::size_t>((3 << 20) + 1));
  EXPECT_EQ(take(slow, own_.size() + 6), own_ + "after\n");
}

TEST_F(IpcTest, TheTerminatorCanBeABlankLine) {
  serve({.terminator = "\n\n"});
  const Descriptor socket = connect();
  put(socket, "get=1\n");
  put(socket, "\n");
  EXPECT_EQ(take(socket, own_.size() + 7), own_ + "get=1\n\n");
}

TEST_F(IpcTest, ARequestWithoutEndIsCutOff) {
  serve({.request_bytes_max = 1000});
  const Descriptor socket = connect();
  put(socket, std::string(1000, 'a') + "\n");
  EXPECT_EQ(take(socket, own_.size() + 1001).size(), own_.size() + 1001);
  put(socket, std::string(5000, 'a'));
  EXPECT_EQ(take(socket, 1), "");
  EXPECT_TRUE(ipc_call(path_, "status", 5s));
}

TEST_F(IpcTest, IdleClientsAreHungUpOnAndMakeRoom) {
  serve({.clients_max = 2, .idle_max = 300ms});
  const Descriptor first = connect();
  const Descriptor second = connect();
  put(first, "x\n");
  EXPECT_EQ(take(first, own_.size() + 2), own_ + "x\n");
  EXPECT_FALSE(ipc_call(path_, "status", 5s));  // no room
  EXPECT_EQ(take(second, 1), "");               // after 300 ms
  EXPECT_EQ(take(first, 1), "");
  EXPECT_EQ(ipc_call(path_, "status", 5s).value(), own_ + "status");
}

TEST_F(IpcTest, TheSocketIsForTheOwnerIfThereIsNoGroup) {
  serve({.group = "no-such-group"});
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(IpcTest, TheSocketIsForAGroupThatExists) {
  serve({.group = "root"});
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  EXPECT_EQ(info.st_gid, 0u);
}

TEST_F(IpcTest, ASecondServerIsRefusedAndAStaleSocketReplaced) {
  serve();
  IpcServer::Options options;
  options.path = path_;
  const auto handler = [](const IpcCaller&, std::string_view) { return std::string("second"); };
  auto other_loop = Loop::create().value();
  const auto second = IpcServer::listen(*other_loop, options, handler);
  ASSERT_FALSE(second);
  EXPECT_TRUE(contains(second.error(), "another process listens on " + path_));
  EXPECT_TRUE(ipc_call(path_, "status", 5s)) << "the refused one must not have removed the socket";

  const std::string stale = folder_.file("stale.sock");
  {
    // As a killed process leaves it: bound, nobody listens.
    const sockaddr_un address = unix_address(stale).value();
    const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  options.path = stale;
  EXPECT_TRUE(IpcServer::listen(*other_loop, options, handler));
  EXPECT_NE(::access(stale.c_str(), F_OK), 0) << "a server that ends removes its socket";

  std::ofstream(stale) << "precious";
  const auto refused = IpcServer::listen(*other_loop, options, handler);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(contains(refused.error(), "is no socket"));
}

TEST_F(IpcTest, TheClientSaysWhatIsWrong) {
  const auto nobody = ipc_call(path_, "status", 5s);
  ASSERT_FALSE(nobody);
  EXPECT_TRUE(contains(nobody.error(), "nobody listens on " + path_)) << nobody.error().message;
  const auto long_path = ipc_call(std::string(200, 'a'), "status", 5s);
  ASSERT_FALSE(long_path);

  // A listener that never answers.
  const std::string silent = folder_.file("silent.sock");
  const sockaddr_un address = unix_address(silent).value();
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(socket.get(), 1), 0);
  const TimePoint start = boot_now();
  const auto late = ipc_call(silent, "status", 100ms);
  ASSERT_FALSE(late);
  EXPECT_TRUE(contains(late.error(), "in time")) << late.error().message;
  EXPECT_LT(boot_now() - start, 3s);
}

}  // namespace
}  // namespace trellis::system
