#include "system/loop.h"

#include "system/descriptor.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <utility>

namespace trellis::system {
namespace asio = boost::asio;

struct Loop::Context {
  asio::io_context io{1};
};

struct Watch::State : std::enable_shared_from_this<Watch::State> {
  State(asio::io_context& io, std::function<void()> on_ready)
      : descriptor(io), callback(std::move(on_ready)) {}

  void wait() {
    const auto what = ready == Ready::Read ? asio::posix::stream_descriptor::wait_read
                                           : asio::posix::stream_descriptor::wait_write;
    descriptor.async_wait(what,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            if (!self->live || error) return;
                            self->callback();
                            if (self->live) self->wait();
                          });
  }

  asio::posix::stream_descriptor descriptor;
  std::function<void()> callback;
  Ready ready = Ready::Read;
  bool live = true;
  bool owns_descriptor = false;
};

Watch::Watch(std::shared_ptr<State> state) : state_(std::move(state)) {}

Watch& Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    reset();
    state_ = std::move(other.state_);
  }
  return *this;
}

Watch::~Watch() { reset(); }

void Watch::reset() {
  if (!state_) return;
  state_->live = false;
  if (state_->owns_descriptor) {
    boost::system::error_code ignored;
    state_->descriptor.close(ignored);
  } else {
    state_->descriptor.release();
  }
  state_.reset();
}

struct DuplexWatch::State {
  State(asio::io_context& io, std::function<void(Ready)> on_ready)
      : descriptor(io), callback(std::move(on_ready)) {}

  asio::posix::stream_descriptor descriptor;
  std::function<void(Ready)> callback;
  bool reading = false;
  bool writing = false;
  bool live = true;
};

DuplexWatch::DuplexWatch(std::shared_ptr<State> state) : state_(std::move(state)) {}

DuplexWatch& DuplexWatch::operator=(DuplexWatch&& other) noexcept {
  if (this != &other) {
    reset();
    state_ = std::move(other.state_);
  }
  return *this;
}

DuplexWatch::~DuplexWatch() { reset(); }

void DuplexWatch::wait(Ready ready) {
  CHECK(state_ != nullptr);
  bool& waiting = ready == Ready::Read ? state_->reading : state_->writing;
  if (waiting) return;
  waiting = true;
  const auto what = ready == Ready::Read ? asio::posix::stream_descriptor::wait_read
                                         : asio::posix::stream_descriptor::wait_write;
  state_->descriptor.async_wait(what,
                                [self = state_, ready](const boost::system::error_code& error) {
                                  (ready == Ready::Read ? self->reading : self->writing) = false;
                                  if (self->live && !error) self->callback(ready);
                                });
}

void DuplexWatch::reset() {
  if (!state_) return;
  state_->live = false;
  state_->descriptor.release();
  state_.reset();
}

struct Timer::State {
  Descriptor descriptor;
  std::optional<Duration> due;  // since the boot; nothing: not armed
  std::function<void()> callback;
  Watch watch;  // last: it ends first
};

Timer::Timer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Timer::Timer() = default;
Timer::Timer(Timer&&) noexcept = default;
Timer& Timer::operator=(Timer&&) noexcept = default;
Timer::~Timer() = default;

void Timer::arm(TimePoint deadline) {
  CHECK(state_ != nullptr);
  // Zero would disarm.
  const auto due = std::max(deadline.time_since_epoch(), Duration(1));
  if (state_->due == due) return;  // it would be told the same after each batch of packets
  itimerspec value{};
  value.it_value.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(due).count();
  value.it_value.tv_nsec = (due % std::chrono::seconds(1)).count();
  CHECK(::timerfd_settime(state_->descriptor.get(), TFD_TIMER_ABSTIME, &value, nullptr) == 0);
  state_->due = due;
}

void Timer::disarm() {
  if (!state_ || !state_->due) return;
  const itimerspec none{};
  CHECK(::timerfd_settime(state_->descriptor.get(), 0, &none, nullptr) == 0);
  state_->due.reset();
}

Loop::Loop(std::unique_ptr<Context> context) : context_(std::move(context)) {}

Loop::~Loop() = default;

Result<std::unique_ptr<Loop>> Loop::create() {
  try {
    return std::unique_ptr<Loop>(new Loop(std::make_unique<Context>()));
  } catch (const boost::system::system_error& error) {
    return fail_with(std::string("cannot make an event loop: ") + error.what());
  }
}

Result<Watch> Loop::watch(int descriptor, Ready ready, std::function<void()> callback) {
  auto state = std::make_shared<Watch::State>(context_->io, std::move(callback));
  state->ready = ready;
  boost::system::error_code error;
  state->descriptor.assign(descriptor, error);
  if (error) return fail_with("cannot watch a descriptor: " + error.message());
  state->wait();
  return Watch(std::move(state));
}

Result<DuplexWatch> Loop::watch_both(int descriptor, std::function<void(Ready)> callback) {
  auto state = std::make_shared<DuplexWatch::State>(context_->io, std::move(callback));
  boost::system::error_code error;
  state->descriptor.assign(descriptor, error);
  if (error) return fail_with("cannot watch a descriptor: " + error.message());
  return DuplexWatch(std::move(state));
}

Result<Timer> Loop::timer(std::function<void()> callback) {
  auto state = std::make_unique<Timer::State>();
  state->descriptor = Descriptor(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!state->descriptor.valid()) return fail_with_errno("cannot make a timer", errno);
  state->callback = std::move(callback);
  Timer::State* raw = state.get();
  state->watch = TRY(watch(raw->descriptor.get(), Ready::Read, [raw] {
    std::uint64_t expirations = 0;
    // Nothing to read: it was armed anew or disarmed after it had been due.
    const ssize_t n = ::read(raw->descriptor.get(), &expirations, sizeof expirations);
    if (n != sizeof expirations || !raw->due) return;
    raw->due.reset();
    const auto function = raw->callback;  // which may destroy the timer
    function();
  }));
  return Timer(std::move(state));
}

Result<Watch> Loop::on_signals(std::initializer_list<int> signals,
                               std::function<void(int)> callback) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  // Blocked signals wait for the descriptor.
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return fail_with_errno("cannot block signals", error);
  }
  const int descriptor = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (descriptor < 0) return fail_with_errno("cannot wait for signals", errno);
  auto state = std::make_shared<Watch::State>(context_->io, nullptr);
  boost::system::error_code error;
  state->descriptor.assign(descriptor, error);
  if (error) {
    ::close(descriptor);
    return fail_with("cannot watch for signals: " + error.message());
  }
  state->owns_descriptor = true;
  state->callback = [raw = state.get(), descriptor, function = std::move(callback)] {
    signalfd_siginfo info{};
    while (raw->live && ::read(descriptor, &info, sizeof info) == sizeof info) {
      function(static_cast<int>(info.ssi_signo));
    }
  };
  state->wait();
  return Watch(std::move(state));
}

void Loop::post(std::function<void()> task) { asio::post(context_->io, std::move(task)); }

void Loop::run() {
  const auto guard = asio::make_work_guard(context_->io);
  context_->io.run();
  context_->io.restart();
}

void Loop::stop() { context_->io.stop(); }

}  // namespace trellis::system
