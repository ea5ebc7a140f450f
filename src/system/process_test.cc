#include "system/clock.h"
#include "system/hardening.h"
#include "system/log_sink.h"
#include "system/resolver.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <string>

namespace trellis::system {
namespace {

/// Runs `body` in a child (what it changes is the process's), and returns what it said on standard
/// error. `reader` decides when it is read: at once, or only after the child has ended.
enum class Reader { Ready, Late };

template <class Body>
std::string stderr_of(Body&& body, Reader reader = Reader::Ready) {
  std::array<int, 2> ends{};
  CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    ::dup2(ends[1], STDERR_FILENO);
    body();
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  ::close(ends[1]);
  int status = 0;
  if (reader == Reader::Late) ::waitpid(child, &status, 0);
  std::string text;
  std::array<char, 4096> piece;
  for (ssize_t n = 0; (n = ::read(ends[0], piece.data(), piece.size())) > 0;) {
    text.append(piece.data(), static_cast<std::size_t>(n));
  }
  if (reader == Reader::Ready) ::waitpid(child, &status, 0);
  ::close(ends[0]);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << text;
  return text;
}

TEST(Hardening, NoCoreFilesNoTracingPrivateFiles) {
  stderr_of([] {
    const auto warnings = harden_process();
    EXPECT_EQ(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    rlimit core{};
    ::getrlimit(RLIMIT_CORE, &core);
    EXPECT_EQ(core.rlim_max, 0u);
    EXPECT_EQ(::umask(0), 077u);
    std::ifstream status("/proc/self/status");
    std::string line;
    std::string locked;
    while (std::getline(status, line)) {
      if (line.starts_with("VmLck:")) locked = line;
    }
    const bool has_locked = locked.find_first_of("123456789") != std::string::npos;
    // ASan and TSan make mlockall do nothing: their shadow memory is too large for it.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
    EXPECT_EQ(warnings.empty(), has_locked) << locked;
#else
    static_cast<void>(has_locked);
#endif
  });
}

TEST(Hardening, WithoutThePrivilegeItWarnsAndSaysWhatToDo) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give it up";
  stderr_of([] {
    const rlimit little{4096, 4096};
    ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &little), 0);
    ASSERT_EQ(::setresuid(65534, 65534, 65534), 0);
    const auto warnings = harden_process();
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_NE(warnings[0].find("LimitMEMLOCK"), std::string::npos) << warnings[0];
  });
}

TEST(LogSink, WritesLinesWithTimeAndLevel) {
  const std::string text = stderr_of([] {
    ::unsetenv("JOURNAL_STREAM");
    start_logging(log::Level::info);
    LOG(debug, "test", "not to be seen");
    LOG(info, "test", "first n={}", 1);
    LOG(warn, "test", "forged\nline \x1b[31m");
  });
  EXPECT_EQ(text.find("not to be seen"), std::string::npos);
  EXPECT_NE(text.find("Z info  test: first n=1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("Z warn  test: forged?line ?[31m\n"), std::string::npos) << text;
}

TEST(LogSink, TheJournalIsToldPriorities) {
  const std::string text = stderr_of([] {
    struct stat info{};
    ::fstat(STDERR_FILENO, &info);
    ::setenv("JOURNAL_STREAM", fmt::format("{}:{}", info.st_dev, info.st_ino).c_str(), 1);
    start_logging(log::Level::trace);
    LOG(trace, "test", "a");
    LOG(info, "test", "b");
    LOG(warn, "test", "c");
    LOG(error, "test", "d");
    ::setenv("JOURNAL_STREAM", "0:0", 1);  // inherited from a service, but this is not its stderr
    start_logging(log::Level::trace);
    LOG(info, "test", "e");
  });
  EXPECT_TRUE(text.starts_with("<7>test: a\n<6>test: b\n<4>test: c\n<3>test: d\n")) << text;
  EXPECT_EQ(text.find("<6>test: e"), std::string::npos) << text;
}

TEST(LogSink, AReaderThatIsStuckCostsLinesNotTime) {
  // The child ends although nobody reads: what does not fit into the pipe is dropped and counted.
  const std::string text = stderr_of(
      [] {
        start_logging(log::Level::info);
        for (int i = 0; i < 100'000; ++i) LOG(info, "test", "line {}", i);
      },
      Reader::Late);
  EXPECT_NE(text.find("line 0\n"), std::string::npos);
  EXPECT_EQ(text.find("line 99999\n"), std::string::npos);
}

class ResolverTest : public ::testing::Test {
 protected:
  ResolverTest() : loop_(Loop::create().value()), resolver_(Resolver::create(*loop_).value()) {
    patience_ = loop_
                    ->timer([this] {
                      ADD_FAILURE() << "no answer for 60 s";
                      loop_->stop();
                    })
                    .value();
    patience_.arm(boot_now() + 60s);
  }
  Result<std::vector<Endpoint>> resolve(const std::string& host, std::uint16_t port) {
    Result<std::vector<Endpoint>> answer = fail_with("no answer");
    resolver_->resolve(host, port, [&](Result<std::vector<Endpoint>> result) {
      answer = std::move(result);
      loop_->stop();
    });
    loop_->run();
    return answer;
  }

  std::unique_ptr<Loop> loop_;
  std::optional<Resolver> resolver_;
  Timer patience_;
};

TEST_F(ResolverTest, AddressesNeedNoNameServer) {
  EXPECT_EQ(resolve("192.0.2.7", 51820).value(),
            std::vector<Endpoint>{*Endpoint::parse("192.0.2.7:51820")});
  EXPECT_EQ(resolve("2001:db8::7", 1).value(),
            std::vector<Endpoint>{*Endpoint::parse("[2001:db8::7]:1")});
}

TEST_F(ResolverTest, TheHostsFileIsRead) {
  const auto endpoints = resolve("localhost", 7);
  ASSERT_TRUE(endpoints) << endpoints.error().message;
  for (const Endpoint& endpoint : *endpoints) {
    EXPECT_TRUE(endpoint.address.is_loopback());
    EXPECT_EQ(endpoint.port, 7);
  }
}

TEST_F(ResolverTest, AnUnknownNameIsAnErrorThatNamesIt) {
  const auto endpoints = resolve("no..such..name", 7);
  ASSERT_FALSE(endpoints);
  EXPECT_NE(endpoints.error().message.find("no..such..name"), std::string::npos);
}

TEST_F(ResolverTest, ManyAtOnceAreAllAnswered) {
  int answers = 0;
  for (std::uint16_t i = 1; i <= 200; ++i) {
    resolver_->resolve("127.0.0.1", i, [&, i](Result<std::vector<Endpoint>> result) {
      EXPECT_EQ(result.value().at(0).port, i);
      if (++answers == 200) loop_->stop();
    });
  }
  loop_->run();
  EXPECT_EQ(answers, 200);
}

TEST_F(ResolverTest, ADestroyedResolverCallsNobody) {
  resolver_->resolve("localhost", 1, [](const auto&) { ADD_FAILURE(); });
  resolver_.reset();
  auto end = loop_->timer([&] { loop_->stop(); }).value();
  end.arm(boot_now() + 50ms);
  loop_->run();
}

}  // namespace
}  // namespace trellis::system
