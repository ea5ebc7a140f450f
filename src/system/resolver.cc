#include "system/resolver.h"

#include "system/descriptor.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

namespace trellis::system {
namespace {

constexpr int kThreadsMax = 4;

struct Job {
  std::uint64_t number = 0;
  std::string host;
  std::uint16_t port = 0;
};

struct Done {
  std::uint64_t number = 0;
  Result<std::vector<Endpoint>> result;
};

/// Between the loop and the threads. Shared: a thread that waits for a name server may outlive the
/// resolver, and even the loop, by half a minute.
struct Mailbox {
  std::mutex mutex;
  std::deque<Job> jobs;
  std::vector<Done> done;
  int threads = 0;
  bool closed = false;
  Descriptor wake;  // an eventfd; written only
};

std::optional<Endpoint> endpoint_of(const addrinfo& entry, std::uint16_t port) {
  if (entry.ai_family == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, entry.ai_addr, sizeof address);
    Bytes<4> bytes;
    std::memcpy(bytes.data(), &address.sin_addr, bytes.size());
    return Endpoint{IpAddress::v4(bytes), port, 0};
  }
  if (entry.ai_family != AF_INET6) return std::nullopt;
  sockaddr_in6 address{};
  std::memcpy(&address, entry.ai_addr, sizeof address);
  Bytes<16> bytes;
  std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
  const IpAddress ip = IpAddress::v6(bytes).unmapped();
  return Endpoint{ip, port, ip.is_v6() && ip.is_link_local() ? address.sin6_scope_id : 0};
}

Result<std::vector<Endpoint>> look_up(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (error != 0) {
    const std::string why = error == EAI_SYSTEM ? errno_text(errno) : ::gai_strerror(error);
    return fail_with(fmt::format("cannot find the address of {}: {}", host, why));
  }
  std::vector<Endpoint> result;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    const auto endpoint = endpoint_of(*entry, port);
    if (!endpoint || std::find(result.begin(), result.end(), *endpoint) != result.end()) continue;
    result.push_back(*endpoint);
  }
  ::freeaddrinfo(list);
  if (result.empty()) return fail_with(fmt::format("{} has no IP address", host));
  return result;
}

/// Takes jobs until there are none.
void work(const std::shared_ptr<Mailbox>& mailbox) {
  while (true) {
    Job job;
    {
      const std::lock_guard lock(mailbox->mutex);
      if (mailbox->closed || mailbox->jobs.empty()) {
        --mailbox->threads;
        return;
      }
      job = std::move(mailbox->jobs.front());
      mailbox->jobs.pop_front();
    }
    auto result = look_up(job.host, job.port);
    const std::lock_guard lock(mailbox->mutex);
    mailbox->done.push_back(Done{job.number, std::move(result)});
    const std::uint64_t one = 1;
    static_cast<void>(::write(mailbox->wake.get(), &one, sizeof one) > 0);
  }
}

}  // namespace

struct Resolver::State {
  std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
  std::unordered_map<std::uint64_t, Callback> callbacks;
  std::uint64_t last_number = 0;
  Watch watch;

  ~State() {
    watch.reset();
    const std::lock_guard lock(mailbox->mutex);
    mailbox->closed = true;
  }

  void start_thread();
  void deliver();
};

/// One more thread, unless there are enough. Detached: nobody can wait for getaddrinfo.
void Resolver::State::start_thread() {
  {
    const std::lock_guard lock(mailbox->mutex);
    if (mailbox->threads == kThreadsMax) return;
    ++mailbox->threads;
  }
  // Signals are the main thread's; a thread takes over its maker's mask.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread(work, mailbox).detach();
  } catch (const std::system_error& error) {
    const std::lock_guard lock(mailbox->mutex);
    --mailbox->threads;
    // If another thread runs it will do the jobs; else they fail.
    if (mailbox->threads == 0) {
      for (Job& job : mailbox->jobs) {
        mailbox->done.push_back(Done{
            job.number, fail_with(fmt::format("cannot look {} up: {}", job.host, error.what()))});
      }
      mailbox->jobs.clear();
      const std::uint64_t one = 1;
      static_cast<void>(::write(mailbox->wake.get(), &one, sizeof one) > 0);
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Resolver::State::deliver() {
  std::uint64_t count = 0;
  static_cast<void>(::read(mailbox->wake.get(), &count, sizeof count) > 0);
  std::vector<Done> done;
  {
    const std::lock_guard lock(mailbox->mutex);
    done.swap(mailbox->done);
  }
  for (Done& entry : done) {
    auto node = callbacks.extract(entry.number);
    if (node) node.mapped()(std::move(entry.result));
  }
}

Resolver::Resolver(std::unique_ptr<State> state) : state_(std::move(state)) {}
Resolver::Resolver(Resolver&&) noexcept = default;
Resolver& Resolver::operator=(Resolver&&) noexcept = default;
Resolver::~Resolver() = default;

Result<Resolver> Resolver::create(Loop& loop) {
  auto state = std::make_unique<State>();
  state->mailbox->wake = Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!state->mailbox->wake.valid()) return fail_with_errno("cannot make a resolver", errno);
  State* raw = state.get();
  raw->watch = TRY(loop.watch(raw->mailbox->wake.get(), Ready::Read, [raw] { raw->deliver(); }));
  return Resolver(std::move(state));
}

void Resolver::resolve(const std::string& host, std::uint16_t port, Callback callback) {
  const std::uint64_t number = ++state_->last_number;
  state_->callbacks.emplace(number, std::move(callback));
  {
    const std::lock_guard lock(state_->mailbox->mutex);
    state_->mailbox->jobs.push_back(Job{number, host, port});
  }
  state_->start_thread();
}

}  // namespace trellis::system
