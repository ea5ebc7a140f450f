#include "apps/server/server_host.h"

#include "apps/server/public_address.h"
#include "base/log.h"
#include "system/clock.h"
#include "system/interfaces.h"
#include "system/secure_file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <utility>

namespace trellis::apps {
namespace {

using server::ConnectionId;

constexpr Duration kLinger = 2s;  // for a peer to take what is queued, and to hang up itself
constexpr Duration kDrain = 2s;
constexpr Duration kLookAtCertificate = 60s;
constexpr const char* kStoreFile = "server.db";
constexpr const char* kKeyFolder = "keys";

Result<> check_options(const ServerHost::Options& options) {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return fail_with("--cert and --key belong together: give both, or none");
  }
  if (options.plain && !options.certificate_file.empty()) {
    return fail_with("--plain-http uses no certificate: leave --cert and --key out");
  }
  return {};
}

std::vector<std::string> names_for(const control::JoinLine& line) {
  return {line.host, "localhost", "127.0.0.1"};
}

}  // namespace

ServerHost::ServerHost(system::Loop& loop, Options options, system::StateFolder folder,
                       system::KeyFolder keys)
    : loop_(loop),
      options_(std::move(options)),
      folder_(std::move(folder)),
      keys_(std::move(keys)) {}

ServerHost::~ServerHost() = default;

Result<> ServerHost::check(const Options& options) {
  TRY(check_options(options));
  TRY(public_address(options.public_name, options.listen, {}));
  if (!options.certificate_file.empty()) {
    TRY(system::ServerTls::load({options.certificate_file, options.key_file}));
  }
  return {};
}

Result<std::unique_ptr<ServerHost>> ServerHost::create(system::Loop& loop, Options options) {
  TRY(check_options(options));
  auto folder = TRY(system::StateFolder::open(options.state_folder));
  auto keys = TRY(system::KeyFolder::open(folder.file(kKeyFolder)));
  std::unique_ptr<ServerHost> host(
      new ServerHost(loop, std::move(options), std::move(folder), std::move(keys)));
  TRY(host->start());
  return host;
}

Result<> ServerHost::start() {
  started_ = system::boot_now();
  const NetworkState network =
      options_.public_name.empty() ? TRY(system::read_network_state()) : NetworkState{};
  public_ = TRY(public_address(options_.public_name, options_.listen, network));
  TRY(load_certificate());
  TRY(open_gateway());
  TRY(open_sockets());
  settle();
  return {};
}

Result<> ServerHost::load_certificate() {
  if (options_.plain) return {};
  if (options_.certificate_file.empty()) {
    tls_ = TRY(system::ServerTls::load_or_create(folder_.path(), names_for(public_)));
  } else {
    tls_ = TRY(system::ServerTls::load({options_.certificate_file, options_.key_file}));
  }
  certificate_timer_ = TRY(loop_.timer([this] { on_certificate_timer(); }));
  certificate_timer_.arm(system::boot_now() + kLookAtCertificate);
  return {};
}

Result<> ServerHost::open_gateway() {
  store_ = TRY(system::SqliteStore::open(folder_.file(kStoreFile)));
  server::Gateway::Options options;
  options.authority = fmt::format(
      "{}:{}",
      public_.host.find(':') == std::string::npos ? public_.host : "[" + public_.host + "]",
      public_.port);
  gateway_ = TRY(server::Gateway::create(options, *store_, keys_, random_, system::boot_now(),
                                         system::wall_now()));
  timer_ = TRY(loop_.timer([this] { on_timer(); }));
  return {};
}

Result<> ServerHost::open_sockets() {
  system::StreamListener::Options options;
  options.endpoints = options_.listen;
  listener_ =
      TRY(system::StreamListener::listen(loop_, tls_ ? &*tls_ : nullptr, std::move(options),
                                         [this](system::Stream stream, const Endpoint& source) {
                                           on_accept(std::move(stream), source);
                                         }));
  if (public_.port == 0) public_.port = listening().front().port;  // that the kernel picked
  control_ = TRY(
      system::IpcServer::listen(loop_, {.path = options_.control_socket, .group = ""},
                                [this](const system::IpcCaller& caller, std::string_view request) {
                                  return answer(caller, request);
                                }));
  return {};
}

std::string ServerHost::join_url() const {
  if (!tls_) return "https://" + public_.authority();
  control::JoinLine line = public_;
  line.fingerprint = tls_->fingerprint();
  return line.to_string();
}

// ---- connections -----------------------------------------------------------------------------

TimePoint ServerHost::enter() {
  gateway_->set_wall_clock(system::wall_now());
  return system::boot_now();
}

void ServerHost::on_accept(system::Stream stream, const Endpoint& source) {
  const system::TlsFacts tls = stream.tls();
  LOG(debug, "server", "connection source={} tls={} group={}", source.to_string(), tls.version,
      tls.group);
  server::Gateway::Transport transport;
  transport.source = source.address;
  transport.encrypted = tls_.has_value();
  transport.post_quantum = tls.post_quantum();
  if (tls_) transport.description = tls.version + " " + tls.group;
  const ConnectionId id = gateway_->open(enter(), transport);
  Connection& connection = connections_[id];
  connection.stream = std::move(stream);
  connection.stream.start({
      .received = [this, id](ByteView bytes) { on_received(id, bytes); },
      .writable =
          [this, id] {
            const auto it = connections_.find(id);
            if (it == connections_.end()) return;
            it->second.full = false;
            pump(id);
            settle();
          },
      .closed = [this, id](const std::string& why) { on_closed(id, why); },
  });
  settle();
}

void ServerHost::on_received(ConnectionId id, ByteView bytes) {
  gateway_->receive(enter(), id, bytes);
  settle();
}

void ServerHost::on_closed(ConnectionId id, const std::string& why) {
  const auto node = connections_.extract(id);
  if (!node) return;
  LOG(debug, "server", "connection ended why={}", why);
  if (!node.mapped().closing) gateway_->closed(enter(), id);
  settle();
}

void ServerHost::on_timer() {
  const TimePoint now = enter();
  gateway_->handle_timeout(now);
  end_overdue(now);
  settle();
}

void ServerHost::settle() {
  while (const auto id = gateway_->poll_ready()) pump(*id);
  std::optional<TimePoint> next = gateway_->next_timeout();
  if (!leaving_.empty()) next = earlier(next, leaving_.front().deadline);
  timer_.arm(next);
  if (drained_ && connections_.empty()) finish_drain();
}

void ServerHost::pump(ConnectionId id) {
  const auto it = connections_.find(id);
  if (it == connections_.end() || it->second.closing) return;
  Connection& connection = it->second;
  while (!connection.full) {
    const ByteVector bytes = gateway_->poll_transmit(id);
    if (bytes.empty()) {
      if (gateway_->to_close(id)) leave(id, connection);
      return;
    }
    connection.full = !connection.stream.send(bytes);
  }
  // Who reads as slowly as he can does not stay for that.
  if (gateway_->to_close(id)) leave(id, connection);
}

/// What is queued goes out, then the connection is closed in order; but not for ever.
void ServerHost::leave(ConnectionId id, Connection& connection) {
  connection.closing = true;
  connection.stream.close();
  const TimePoint now = enter();
  leaving_.push_back({id, now + kLinger});
  gateway_->closed(now, id);
}

void ServerHost::end_overdue(TimePoint now) {
  while (!leaving_.empty() && leaving_.front().deadline <= now) {
    connections_.erase(leaving_.front().id);
    leaving_.pop_front();
  }
}

void ServerHost::drain(std::function<void()> done) {
  if (drained_) return;
  drained_ = std::move(done);
  listener_.reset();
  gateway_->go_away(enter());
  auto timer = loop_.timer([this] { finish_drain(); });
  if (!timer) return finish_drain();
  drain_timer_ = *std::move(timer);
  drain_timer_.arm(system::boot_now() + kDrain);
  settle();
}

void ServerHost::finish_drain() {
  drain_timer_.disarm();
  if (const auto done = std::exchange(drained_, nullptr)) done();
}

// ---- certificate and administration ----------------------------------------------------------

void ServerHost::on_certificate_timer() {
  if (tls_->files_changed()) reload_certificate();
  certificate_timer_.arm(system::boot_now() + kLookAtCertificate);
}

void ServerHost::reload_certificate() {
  if (!tls_) return;
  const system::TlsFingerprint before = tls_->fingerprint();
  if (const auto done = tls_->reload(); !done) {
    certificate_warning_ = done.error().message + "; the old certificate stays in force";
    LOG(warn, "server", "{}", certificate_warning_);
    return;
  }
  certificate_warning_.clear();
  LOG(info, "server", "the certificate was read again");
  if (tls_->fingerprint() == before) return;
  LOG(warn, "server", "the key of the certificate is another one: agents need the new join line {}",
      join_url());
}

std::string ServerHost::answer(const system::IpcCaller& caller, std::string_view request) {
  const bool may_change = caller.is_root || caller.uid == ::geteuid();
  std::string text = gateway_->handle_request(enter(), may_change, request);
  settle();
  return with_host_facts(text);
}

/// What only the machine knows: the join line of a new setup key, and of the status what is outside
/// of the gateway.
std::string ServerHost::with_host_facts(const std::string& answer) const {
  using Json = nlohmann::ordered_json;
  Json object = Json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return answer;
  if (object.contains("setup_key")) object["server"] = join_url();
  const auto status = object.find("status");
  if (status != object.end() && status->is_object()) {
    Json listen = Json::array();
    for (const Endpoint& endpoint : listening()) listen.push_back(endpoint.to_string());
    (*status)["server"] = join_url();
    (*status)["listen"] = std::move(listen);
    (*status)["version"] = TRELLIS_VERSION;
    (*status)["uptime_seconds"] =
        std::chrono::duration<double>(system::boot_now() - started_).count();
    if (!certificate_warning_.empty()) (*status)["warnings"].push_back(certificate_warning_);
  }
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace trellis::apps
