// How many agents a server bears: real uplinks over real TLS connections on loopback join a real
// `trellis-server`; then the change of one name has to reach them all. See README.md here.

#include "server_process.h"
#include "simulated_agent.h"
#include "system/clock.h"
#include "system/program.h"
#include "system/random.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <thread>
#include <vector>

namespace trellis::bench {
namespace {

struct CommandLine {
  std::size_t agents = 1000;
  std::size_t rounds = 5;
  bool with_keys = false;
  std::string server;  // program; empty: beside this one
  double limit_s = 300;
  bool progress = false;
};

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

double megabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

/// CPU time of this program: what the agents themselves cost.
double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

/// All agents, and the wait until each of them has seen something.
class Fleet {
 public:
  using Wish = std::function<bool(const SimulatedAgent&)>;

  static Result<std::unique_ptr<Fleet>> create(World& world, const CommandLine& line) {
    auto fleet = std::unique_ptr<Fleet>(new Fleet(world, line));
    fleet->deadline_ = TRY(world.loop.timer([raw = fleet.get()] { raw->world_.loop.stop(); }));
    fleet->progress_ = TRY(world.loop.timer([raw = fleet.get()] { raw->show_progress(); }));
    if (line.progress) fleet->show_progress();
    return fleet;
  }

  std::vector<std::unique_ptr<SimulatedAgent>>& agents() { return agents_; }

  /// When each agent had what it should have, from `start` on, sorted. Fails after the limit.
  Result<std::vector<double>> wait(TimePoint start, std::string_view what, Wish wish) {
    wish_ = std::move(wish);
    waiting_.assign(agents_.size(), true);
    times_.clear();
    start_ = start;
    for (std::size_t i = 0; i < agents_.size(); ++i) look(i);
    deadline_->arm(system::boot_now() + limit_);
    if (times_.size() < agents_.size()) world_.loop.run();
    deadline_->disarm();
    waiting_.assign(agents_.size(), false);
    if (times_.size() == agents_.size()) return times_;
    return fail_with(fmt::format("{}: only {} of {} after {:.0f} s{}", what, times_.size(),
                                 agents_.size(), seconds(limit_), first_error()));
  }

  /// Lets everything run for a while.
  void idle(Duration duration) {
    deadline_->arm(system::boot_now() + duration);
    world_.loop.run();
  }

 private:
  Fleet(World& world, const CommandLine& line)
      : world_(world),
        limit_(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(line.limit_s))) {
    waiting_.assign(line.agents, false);
    agents_.reserve(line.agents);
    for (std::size_t i = 0; i < line.agents; ++i) {
      agents_.push_back(
          std::make_unique<SimulatedAgent>(world, i, line.with_keys, [this, i] { look(i); }));
    }
  }

  void look(std::size_t i) {
    if (!waiting_[i] || !wish_(*agents_[i])) return;
    waiting_[i] = false;
    times_.push_back(seconds(system::boot_now() - start_));
    if (times_.size() == agents_.size()) world_.loop.stop();
  }

  /// Once a second: what the agents are at, and what stopped them last.
  void show_progress() {
    std::map<std::string, std::size_t> counts;
    for (const auto& agent : agents_) {
      const uplink::Status status = agent->status();
      ++counts[fmt::format("{}{} {}", to_string(status.server), status.synced ? ", synced" : "",
                           status.server_error)];
    }
    for (const auto& [what, count] : counts) fmt::print(stderr, "{} {}; ", count, what);
    fmt::print(stderr, "done: {}\n", times_.size());
    progress_->arm(system::boot_now() + 1s);
  }

  std::string first_error() const {
    for (const auto& agent : agents_) {
      if (!agent->error().empty()) return "; an agent says: " + agent->error();
      const uplink::Status status = agent->status();
      for (const std::string* error : {&status.server_error, &status.map_error}) {
        if (!error->empty()) return "; an agent says: " + *error;
      }
    }
    return "";
  }

  World& world_;
  Duration limit_;
  std::vector<std::unique_ptr<SimulatedAgent>> agents_;
  std::optional<system::Timer> deadline_;
  std::optional<system::Timer> progress_;
  Wish wish_;
  TimePoint start_;
  std::vector<bool> waiting_;  // for which agents
  std::vector<double> times_;
};

/// The measurements, one after the other; each prints its figures.
class Bench {
 public:
  Bench(const CommandLine& line, ServerProcess& server, World& world, Fleet& fleet)
      : line_(line), server_(server), world_(world), fleet_(fleet) {}

  Result<> join(std::string_view setup_key) {
    const std::uint64_t memory_before = server_.memory_bytes();
    const double cpu_before = server_.cpu_seconds();
    const double own_before = own_cpu_seconds();
    const TimePoint start = system::boot_now();
    for (const auto& agent : fleet_.agents()) TRY(agent->start(setup_key));
    const std::size_t others = line_.agents - 1;
    const auto complete = [&](const SimulatedAgent& agent) {
      if (!agent.logged_in() || !agent.synced()) return false;
      return (!line_.with_keys || agent.uploaded()) && agent.peers() == others;
    };
    const auto times = TRY(fleet_.wait(start, "joining", complete));
    fmt::print("{} agents, {}\n", line_.agents,
               line_.with_keys ? "each with a Rosenpass key" : "without Rosenpass keys");
    fmt::print("  all logged in, synced, and with a map of all others   {:8.2f} s\n", times.back());
    fmt::print("  server, CPU time of that                              {:8.2f} s\n",
               server_.cpu_seconds() - cpu_before);
    fmt::print("  agents, CPU time of that, all together                {:8.2f} s\n",
               own_cpu_seconds() - own_before);
    print_counters({});
    fleet_.idle(2s);
    const std::uint64_t memory = server_.memory_bytes();
    fmt::print("  server, resident memory                               {:8.1f} MiB\n",
               megabytes(memory));
    fmt::print(
        "  server, of that for each agent                        {:8.1f} KiB\n",
        static_cast<double>(memory - memory_before) / 1024 / static_cast<double>(line_.agents));
    return {};
  }

  Result<> stand_idle() {
    const double cpu_before = server_.cpu_seconds();
    fleet_.idle(10s);
    fmt::print("  server, CPU when nothing happens                      {:8.2f} %\n",
               (server_.cpu_seconds() - cpu_before) * 10);
    return {};
  }

  /// The new name of one peer, from the question to the administration to the last agent.
  Result<> change() {
    std::vector<double> last;
    const double cpu_before = server_.cpu_seconds();
    for (std::size_t round = 0; round < line_.rounds; ++round) {
      const SimulatedAgent& chosen = *fleet_.agents()[round % fleet_.agents().size()];
      const std::string name = fmt::format("renamed-{}", round);
      const std::string old = names_.contains(&chosen) ? names_[&chosen] : chosen.name();
      const TimePoint start = system::boot_now();
      TRY(server_.ask({{"command", "peer rename"}, {"peer", old}, {"name", name}}));
      names_[&chosen] = name;
      const auto times = TRY(fleet_.wait(start, "renaming", [&](const SimulatedAgent& agent) {
        return &agent == &chosen || agent.knows(chosen.key(), name);
      }));
      last.push_back(times.back());
      fleet_.idle(1s);
    }
    const double cpu = server_.cpu_seconds() - cpu_before;
    std::ranges::sort(last);
    fmt::print("  a change, to the last agent: median of {:<3}            {:8.3f} s\n", last.size(),
               last[last.size() / 2]);
    fmt::print("  the same, fastest and slowest                         {:8.3f} s {:.3f} s\n",
               last.front(), last.back());
    fmt::print("  server, CPU time of a change                          {:8.3f} s\n",
               cpu / static_cast<double>(line_.rounds));
    return {};
  }

  /// The server ends and comes back: all agents find it again.
  Result<> restart() {
    for (const auto& agent : fleet_.agents()) agent->clear();
    const double own_before = own_cpu_seconds();
    const uplink::Counters before = counters();
    Result<> result;
    std::optional<TimePoint> back;
    std::thread restarter([&] {
      result = server_.restart();
      back = system::boot_now();
      world_.loop.post([this] { world_.loop.stop(); });
    });
    world_.loop.run();
    restarter.join();
    TRY(std::move(result));
    const auto times = TRY(fleet_.wait(*back, "coming back", [](const SimulatedAgent& agent) {
      return agent.logged_in() && agent.synced();
    }));
    fmt::print("  server restarted, to the last agent synced again      {:8.2f} s\n", times.back());
    fmt::print("  server, CPU time of that                              {:8.2f} s\n",
               server_.cpu_seconds());
    fmt::print("  agents, CPU time of that, all together                {:8.2f} s\n",
               own_cpu_seconds() - own_before);
    print_counters(before);
    return {};
  }

 private:
  /// Of all agents together.
  uplink::Counters counters() const {
    uplink::Counters sum;
    for (const auto& agent : fleet_.agents()) {
      const uplink::Counters one = agent->status().counters;
      sum.connects += one.connects;
      sum.maps += one.maps;
      sum.updates += one.updates;
    }
    return sum;
  }

  void print_counters(const uplink::Counters& before) const {
    const uplink::Counters now = counters();
    const auto each = [&](std::uint64_t count) {
      return static_cast<double>(count) / static_cast<double>(line_.agents);
    };
    fmt::print("  of each agent: connections {:.2f}, whole maps {:.2f}, updates {:.2f}\n",
               each(now.connects - before.connects), each(now.maps - before.maps),
               each(now.updates - before.updates));
  }

  const CommandLine& line_;
  ServerProcess& server_;
  World& world_;
  Fleet& fleet_;
  std::map<const SimulatedAgent*, std::string> names_;  // that the administration gave
};

/// Each agent has a connection and a timer.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<> measure(CommandLine line) {
  raise_descriptor_limit();
  if (line.server.empty()) line.server = TRY(system::find_program("trellis-server"));
  ServerProcess server = TRY(ServerProcess::start(line.server));
  const ServerProcess::Access access = TRY(server.create_setup_key(line.agents));
  const auto loop = TRY(system::Loop::create());
  system::Resolver resolver = TRY(system::Resolver::create(*loop));
  system::SystemRandom random;
  World world{.loop = *loop,
              .resolver = resolver,
              .tls = TRY(system::ClientTls::create(
                  {.server_name = access.server.host, .pinned_key = access.server.fingerprint})),
              .random = random,
              .host = access.server.host,
              .port = access.server.port,
              .authority = access.server.authority()};
  const auto fleet = TRY(Fleet::create(world, line));
  Bench bench(line, server, world, *fleet);
  TRY(bench.join(access.setup_key));
  TRY(bench.stand_idle());
  TRY(bench.change());
  return bench.restart();
}

}  // namespace
}  // namespace trellis::bench

int main(int argc, char** argv) {
  trellis::bench::CommandLine line;
  CLI::App app("How many agents a server bears", "trellis_bench_control");
  app.add_option("--agents", line.agents, "how many")->check(CLI::Range(2, 20'000));
  app.add_option("--rounds", line.rounds, "changes to measure")->check(CLI::Range(1, 1000));
  app.add_flag("--keys", line.with_keys, "each agent uploads a Rosenpass key of its own (512 KiB)");
  app.add_option("--server", line.server, "path of trellis-server; else beside this program");
  app.add_flag("--progress", line.progress, "tell every second what the agents are at");
  app.add_option("--limit", line.limit_s, "seconds to wait for anything");
  CLI11_PARSE(app, argc, argv);
  if (const auto done = trellis::bench::measure(line); !done) {
    std::fprintf(stderr, "trellis_bench_control: %s\n", done.error().message.c_str());
    return 1;
  }
  return 0;
}
