#include "apps/agent/agent_daemon.h"

#include "apps/key_store.h"
#include "base/log.h"
#include "node/agent/control.h"
#include "node/mesh/control.h"
#include "system/clock.h"
#include "system/host_name.h"
#include "system/random.h"
#include "system/secure_file.h"

#include <filesystem>
#include <utility>

namespace trellis::apps {
namespace {

constexpr std::size_t kNetworkBytesMax = 64 << 10;
constexpr const char* kNetworkFile = "network.json";

using agent::Json;

constexpr const char* kSetupKey = "setup_key";

/// The setup key, in a copy that wipes itself.
std::optional<SecretBuffer> setup_key_of(const Json& request) {
  const auto it = request.find(kSetupKey);
  if (it == request.end() || !it->is_string()) return std::nullopt;
  return SecretBuffer(as_bytes(it->get_ref<const std::string&>()));
}

/// Leaves no setup key in the memory of a request that is done with.
class WipedAtEnd {
 public:
  explicit WipedAtEnd(Json& request) : request_(request) {}
  WipedAtEnd(const WipedAtEnd&) = delete;
  WipedAtEnd& operator=(const WipedAtEnd&) = delete;
  ~WipedAtEnd() {
    const auto it = request_.find(kSetupKey);
    if (it == request_.end() || !it->is_string()) return;
    zeroise(std::as_writable_bytes(std::span(it->get_ref<std::string&>())));
  }

 private:
  Json& request_;
};

/// Of what nobody waits for.
void warn_of(const Result<>& done) {
  if (!done) LOG(warn, "trellisd", "{}", done.error().message);
}

}  // namespace

Result<std::unique_ptr<AgentDaemon>> AgentDaemon::create(system::Loop& loop, Options options) {
  system::StateFolder folder = TRY(system::StateFolder::open(options.state_folder));
  std::unique_ptr<AgentDaemon> self(
      new AgentDaemon(loop, std::move(folder), std::move(options.allowed_domain)));
  TRY(self->load_network());
  self->make_keys_early();
  system::IpcServer::Options control;
  control.path = options.control_socket;
  self->control_ = TRY(system::IpcServer::listen(
      loop, std::move(control),
      [raw = self.get()](const system::IpcCaller& caller, std::string_view request) {
        return raw->answer(caller, request);
      }));
  if (self->network_ && self->network_->up) TRY(self->start_agent(std::nullopt));
  return self;
}

/// While nobody waits: it takes some tenths of a second, minutes on a small machine, which the
/// first join need not. Without room or right it is tried again, and told, when the keys are
/// needed.
void AgentDaemon::make_keys_early() {
  if (system::file_exists(folder_.file(kWireGuardKeyFile))) return;
  system::SystemRandom random;
  if (const auto made = create_keys(folder_, random); !made) {
    LOG(warn, "trellisd", "{}", made.error().message);
    return;
  }
  LOG(info, "trellisd", "made the keys of this machine");
}

// ---- what is on disk -------------------------------------------------------------------------

Result<> AgentDaemon::load_network() {
  const std::string path = folder_.file(kNetworkFile);
  if (!system::file_exists(path)) return {};
  const ByteVector bytes = TRY(system::read_file(path, kNetworkBytesMax));
  auto network = parse_network_file({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!network) return fail(std::move(network).error().within(path));
  network_ = *std::move(network);
  return {};
}

Result<> AgentDaemon::save_network(const NetworkFile& network) {
  TRY(system::write_secret_file(folder_.file(kNetworkFile),
                                as_bytes(format_network_file(network))));
  network_ = network;
  return {};
}

/// Keys and pins stay: they are this machine's, whichever network it joins next.
Result<> AgentDaemon::forget_network() {
  TRY(system::remove_file(folder_.file(kNetworkFile)));
  network_.reset();
  TRY(system::remove_file(folder_.file(kMemoryFile)));
  std::error_code error;
  std::filesystem::remove_all(folder_.file(kPeerKeysFolder), error);
  return {};
}

// ---- requests --------------------------------------------------------------------------------

std::string AgentDaemon::answer(const system::IpcCaller& caller, std::string_view request) {
  Json object = Json::parse(request, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return agent::refusal("the request is not a JSON object");
  const WipedAtEnd wiped(object);
  finish_log_out();  // what has happened counts before what is asked now
  const std::string name = agent::text_field(object, "command").value_or("");
  if (name == "status") return agent::to_line({{"ok", true}, {"status", status()}});
  if (!caller.is_root) return agent::refusal("only root may do that: run it with sudo");
  if (const auto done = command(name, object); !done) return agent::refusal(done.error().message);
  return agent::to_line({{"ok", true}});
}

Result<> AgentDaemon::command(const std::string& name, const Json& request) {
  if (name == "up") return go_up(request);
  if (name == "down") return go_down();
  if (name == "logout") {
    const auto force = request.find("force");
    return log_out(force != request.end() && force->is_boolean() && force->get<bool>());
  }
  if (name == "trust") {
    if (!agent_) return fail_with("this machine is down: trellis up");
    TRY(agent_->node().trust(system::boot_now(), agent::text_field(request, "peer").value_or("")));
    agent_->settle();
    return {};
  }
  if (name == "reload") {
    retry_now();
    return {};
  }
  return fail_with("unknown command");
}

Json AgentDaemon::status() const {
  if (agent_) {
    Json status = mesh::status_object(agent_->node(), system::boot_now(), agent_->facts());
    if (!log_out_error_.empty()) status["network"]["error"] = log_out_error_;
    return status;
  }
  return mesh::status_of_nobody(network_ ? network_->server.to_string() : "");
}

/// What `up` asks for, on top of what is known.
Result<NetworkFile> AgentDaemon::network_of(const Json& request) const {
  NetworkFile network;
  if (network_) network = *network_;
  if (const auto server = agent::text_field(request, "server")) {
    const control::JoinLine asked = TRY(control::JoinLine::parse(*server));
    if (network_ && network_->registered && asked.fingerprint != network_->server.fingerprint) {
      return fail_with("this machine is in the network of " + network_->server.authority() +
                       " already: trellis logout, then join the other one");
    }
    network.server = asked;
  } else if (!network_) {
    return fail_with(
        "this machine is in no network yet: trellis up --server https://HOST#sha256:FINGERPRINT "
        "--setup-key-file FILE (on the server, `trellis server setup-key create` prints it)");
  }
  network.host_name =
      agent::text_field(request, "hostname")
          .value_or(network.host_name.empty() ? system::host_name() : network.host_name);
  if (const auto mode = agent::text_field(request, "mode")) {
    if (*mode != "strict" && *mode != "permissive") return fail_with("mode: strict or permissive");
    network.mode = *mode == "strict" ? pair::Mode::Strict : pair::Mode::Permissive;
  }
  network.up = true;
  return network;
}

Result<> AgentDaemon::go_up(const Json& request) {
  const NetworkFile network = TRY(network_of(request));
  std::optional<SecretBuffer> setup_key = setup_key_of(request);
  log_out_error_.clear();
  if (leaving_) {
    return fail_with(
        "this machine is leaving its network: try again in a few seconds, or leave at "
        "once (trellis logout --force)");
  }
  const bool same = network_ && agent_ && network.server == network_->server &&
                    network.mode == network_->mode && network.host_name == network_->host_name;
  if (same) {
    if (setup_key) return agent_->set_setup_key(*std::move(setup_key));
    return {};
  }
  stop_agent();
  TRY(save_network(network));
  return start_agent(std::move(setup_key));
}

Result<> AgentDaemon::start_agent(std::optional<SecretBuffer> setup_key) {
  MeshAgent::Callbacks callbacks;
  callbacks.joined = [this](bool) {
    if (network_->registered) return;
    NetworkFile network = *network_;
    network.registered = true;
    warn_of(save_network(network));
  };
  callbacks.logged_out = [this](const std::optional<std::string>& error) {
    left_ = mesh::LoggedOut{error};
    loop_.post([this] { finish_log_out(); });
  };
  agent_ = TRY(MeshAgent::create(loop_, folder_, {*network_, allowed_domain_}, std::move(setup_key),
                                 std::move(callbacks)));
  return {};
}

Result<> AgentDaemon::go_down() {
  if (!network_) return fail_with("this machine is in no network");
  stop_agent();
  NetworkFile network = *network_;
  network.up = false;
  return save_network(network);
}

Result<> AgentDaemon::log_out(bool force) {
  if (!network_) return fail_with("this machine is in no network");
  if (force || !network_->registered) {
    stop_agent();
    return forget_network();
  }
  if (!agent_) TRY(start_agent(std::nullopt));
  log_out_error_.clear();
  leaving_ = true;
  agent_->log_out();
  return {};
}

void AgentDaemon::stop_agent() {
  agent_.reset();
  leaving_ = false;
  left_.reset();
}

void AgentDaemon::finish_log_out() {
  if (!left_) return;
  const mesh::LoggedOut left = *std::exchange(left_, std::nullopt);
  stop_agent();
  if (left.error) {
    log_out_error_ = "the server did not forget this machine: " + *left.error +
                     " (trellis logout --force leaves all the same)";
    LOG(warn, "trellisd", "{}", log_out_error_);
    // The line is closed for good after a logout: begin again, as a member still.
    warn_of(start_agent(std::nullopt));
    return;
  }
  warn_of(forget_network());
  LOG(info, "trellisd", "left the network");
}

void AgentDaemon::retry_now() {
  if (!agent_) return;
  agent_->node().network_changed(system::boot_now());
  agent_->settle();
}

}  // namespace trellis::apps
