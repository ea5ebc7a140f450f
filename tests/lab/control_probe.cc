// Many agents as a server sees them, driven by a test: real connections and logins, no tunnels.
//
//   control-probe https://HOST:PORT#sha256:FINGERPRINT
//
// Reads lines from stdin, until its end:
//
//   join NUMBER SETUP_KEY     a new machine joins, and stays
//   leave NUMBER              it closes its connection and is forgotten here
//
// and prints a line of JSON for everything that an agent learns: {"agent": NUMBER, "event": ...}
//
//   joined        "key", "name"          whenever the server lets it in
//   refused       "message", "for_good"
//   map           "serial", "peers"      names by WireGuard keys, of the map now in force
//   map refused   "error"                an older serial, or one that cannot be used
//   offline       "error"                the connection is lost, or could not be made

#include "protocol/control/join_line.h"
#include "protocol/control/key_text.h"
#include "simulated_agent.h"
#include "system/random.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace trellis::bench {
namespace {

using Json = nlohmann::json;

/// An agent, and what was told of it last.
class Told {
 public:
  Told(World& world, std::size_t number)
      : number_(number), agent_(world, number, /*with_key=*/false, [this] { look(); }) {}

  Result<> start(std::string_view setup_key) { return agent_.start(setup_key); }

 private:
  void look() {
    const uplink::Status status = agent_.status();
    if (agent_.logged_in()) {
      agent_.clear();
      say({{"event", "joined"}, {"key", control::key_text(agent_.key())}, {"name", agent_.name()}});
    }
    if (const bool refused = status.server == uplink::LineState::Refused; refused != refused_) {
      refused_ = refused;
      if (refused) {
        say({{"event", "refused"},
             {"message", agent_.error()},
             {"for_good", !status.next_try.has_value()}});
      }
    }
    if (status.server_error != offline_) {
      offline_ = status.server_error;
      if (!offline_.empty()) say({{"event", "offline"}, {"error", offline_}});
    }
    if (status.counters.maps_refused != maps_refused_) {
      maps_refused_ = status.counters.maps_refused;
      say({{"event", "map refused"}, {"error", status.map_error}});
    }
    if (agent_.maps() != maps_) {
      maps_ = agent_.maps();
      say_map();
    }
  }

  void say_map() const {
    Json peers = Json::object();
    for (const netmap::MapPeer& peer : agent_.map()->peers) {
      peers[control::key_text(peer.wireguard_key)] = peer.name;
    }
    say({{"event", "map"}, {"serial", agent_.map()->serial}, {"peers", peers}});
  }

  void say(Json line) const {
    line["agent"] = number_;
    std::puts(line.dump().c_str());
    std::fflush(stdout);
  }

  std::size_t number_;
  bool refused_ = false;
  std::string offline_;
  std::uint64_t maps_ = 0;
  std::uint64_t maps_refused_ = 0;
  SimulatedAgent agent_;  // calls us, so it goes first
};

/// What stdin says.
class Probe {
 public:
  explicit Probe(World& world) : world_(world) {}

  Result<> run() {
    const system::Watch input = TRY(world_.loop.watch(STDIN_FILENO, system::Ready::Read, [this] {
      if (const auto done = read(); !done) {
        failure_ = done.error();
        world_.loop.stop();
      }
    }));
    world_.loop.run();
    agents_.clear();
    if (failure_) return fail(*failure_);
    return {};
  }

 private:
  Result<> read() {
    std::array<char, 4096> buffer;
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (count <= 0) {
      world_.loop.stop();
      return {};
    }
    pending_.append(buffer.data(), static_cast<std::size_t>(count));
    for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n')) {
      const std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      TRY(obey(line));
    }
    return {};
  }

  Result<> obey(std::string_view line) {
    const std::string_view what = line.substr(0, line.find(' '));
    std::string_view rest = line.substr(std::min(line.size(), what.size() + 1));
    std::size_t number = 0;
    const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (read.ec != std::errc()) return fail_with("no such line: " + std::string(what));
    rest.remove_prefix(static_cast<std::size_t>(read.ptr - rest.data()));
    if (what == "leave") {
      agents_.erase(number);
      return {};
    }
    if (what != "join" || rest.empty()) return fail_with("no such line: " + std::string(what));
    auto& agent = agents_[number] = std::make_unique<Told>(world_, number);
    return agent->start(rest.substr(1));
  }

  World& world_;
  std::string pending_;
  std::map<std::size_t, std::unique_ptr<Told>> agents_;
  std::optional<Error> failure_;
};

Result<> run(std::string_view server) {
  const control::JoinLine line = TRY(control::JoinLine::parse(server));
  const auto loop = TRY(system::Loop::create());
  system::Resolver resolver = TRY(system::Resolver::create(*loop));
  system::SystemRandom random;
  World world{.loop = *loop,
              .resolver = resolver,
              .tls = TRY(system::ClientTls::create(
                  {.server_name = line.host, .pinned_key = line.fingerprint})),
              .random = random,
              .host = line.host,
              .port = line.port,
              .authority = line.authority()};
  return Probe(world).run();
}

}  // namespace
}  // namespace trellis::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: control-probe https://HOST#sha256:FINGERPRINT\n", stderr);
    return 2;
  }
  if (const auto done = trellis::bench::run(argv[1]); !done) {
    std::fprintf(stderr, "control-probe: %s\n", done.error().message.c_str());
    return 1;
  }
  return 0;
}
