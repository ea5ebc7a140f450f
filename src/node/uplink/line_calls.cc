#include "base/log.h"
#include "node/uplink/constants.h"
#include "node/uplink/line.h"

namespace trellis::uplink {

void Uplink::State::drain(TimePoint now) {
  while (grpc_) {
    auto event = grpc_->poll_event();
    if (!event) break;
    std::visit([&](auto& one) { handle(now, std::move(one)); }, *event);
  }
  if (grpc_ && grpc_->closed()) {
    lose_line(now, "the connection to the server was lost: " + printable(grpc_->close_reason()));
  }
}

void Uplink::State::handle(TimePoint now, const grpc::HeadersReceived& event) {
  if (signal_.owns(event.call)) {
    signal_.handle_headers(now, session(), event.call, event.metadata);
  }
}

void Uplink::State::handle(TimePoint now, grpc::MessageReceived event) {
  for (UnaryCall* call : {&hello_, &login_, &log_out_}) {
    if (call->owns(event.call)) call->handle_message(std::move(event.message));
  }
  if (sync_.owns(event.call)) {
    if (!sync_.handle_message(now, session(), event.message)) return;
    signal_.map_changed();
    fetches_.map_changed(now, session());
  } else if (signal_.owns(event.call)) {
    signal_.handle_message(now, event.call, event.message);
  } else if (upload_.owns(event.call)) {
    upload_.handle_message(event.message);
  } else if (fetches_.owns(event.call)) {
    fetches_.handle_message(now, session(), event.call, event.message);
    fetches_.start_due(now, session());
  }
}

void Uplink::State::handle(TimePoint now, const grpc::CallEnded& event) {
  if (hello_.owns(event.call)) {
    handle_hello(now, hello_.finish(event.status));
  } else if (login_.owns(event.call)) {
    handle_login(now, login_.finish(event.status));
  } else if (log_out_.owns(event.call)) {
    handle_log_out(now, log_out_.finish(event.status));
  } else if (sync_.owns(event.call)) {
    const bool unknown = sync_.handle_end(now, event.status) == SyncStream::Next::LogInAgain;
    if (unknown && !login_.running() && !logging_out_) log_in(now, /*with_setup_key=*/false);
  } else if (signal_.owns(event.call)) {
    signal_.handle_end(now, session(), event.call, event.status);
  } else if (upload_.owns(event.call)) {
    upload_.handle_end(now, event.status);
  } else if (fetches_.owns(event.call)) {
    fetches_.handle_end(now, event.call, event.status);
    fetches_.start_due(now, session());
  }
}

void Uplink::State::handle(TimePoint, const grpc::Ponged&) {}  // `receive` has noted that it lives

void Uplink::State::handle(TimePoint now, const grpc::GoingAway& event) {
  lose_line(now, event.reason.empty() ? "the server stops or restarts"
                                      : "the server went away: " + printable(event.reason));
}

void Uplink::State::handle_hello(TimePoint now, const UnaryCall::Answer& answer) {
  if (!answer.status.ok()) {
    Verdict verdict = judge_login(answer.status, {});
    if (answer.status.code == grpc::StatusCode::Unimplemented) {
      refuse(now, std::move(verdict));
    } else {
      lose_line(now, "the server does not tell its key: " + describe(answer.status));
    }
    return;
  }
  const auto not_ours = [&](const std::string& why) {
    refuse(now, {.action = Verdict::Action::Refuse,
                 .message = "no Trellis server answers there: " + why,
                 .reason = Refusal::NotOurServer});
  };
  const auto response = control::parse_message<wire::management::ServerKeyResponse>(answer.message);
  if (!response) return not_ours(control::to_string(response.error()));
  const auto hello = read_server_hello(*response);
  if (!hello) return not_ours(hello.error().message);
  server_ = control::BoxChannel::create(shared_.identity.wireguard, hello->key);
  if (!server_) return not_ours("the server's key is not valid");
  nonce_ = hello->nonce;
  log_in(now, setup_key_first_);
}

void Uplink::State::log_in(TimePoint now, bool with_setup_key) {
  setup_key_sent_ = with_setup_key && setup_key_;
  if (setup_key_sent_) setup_key_first_ = false;  // if the answer is lost, we may be known then
  const control::SetupKey* const key = setup_key_sent_ ? &*setup_key_ : nullptr;
  login_.start(now, *grpc_, control::kLogin, seal_login(shared_, session(), key), kLoginLimit);
}

void Uplink::State::handle_login(TimePoint now, const UnaryCall::Answer& answer) {
  if (!answer.status.ok()) return handle_login_failure(now, answer.status);
  const auto response = open_answer<wire::management::LoginResponse>(session(), answer.message);
  if (!response) return lose_line(now, response.error().message);
  auto login = read_login(shared_, session(), *response);
  if (!login) return lose_line(now, login.error().message);
  welcome(now, *std::move(login), response->trellis());
}

void Uplink::State::handle_login_failure(TimePoint now, const grpc::Status& status) {
  const LoginAttempt attempt{.with_setup_key = setup_key_sent_,
                             .has_setup_key = setup_key_.has_value() && !logging_out_,
                             .was_member = was_member_};
  Verdict verdict = judge_login(status, attempt);
  switch (verdict.action) {
    case Verdict::Action::UseSetupKey:
      log_in(now, /*with_setup_key=*/true);
      break;
    case Verdict::Action::Reconnect:
      lose_line(now, std::move(verdict.message));
      break;
    case Verdict::Action::Refuse:
      refuse(now, std::move(verdict));
      break;
  }
}

void Uplink::State::welcome(TimePoint now, LoggedIn login,
                            const wire::management::TrellisLoginReply& reply) {
  login.registered = setup_key_sent_;
  setup_key_.reset();
  setup_key_first_ = false;
  was_member_ = true;
  last_refusal_.clear();
  ++shared_.counters.logins;
  shared_.events.emplace_back(std::move(login));
  error_.clear();
  if (!up()) timers_.arm(Timer::Settled, now + kSettled);
  set_line(now, LineState::Up);
  if (logging_out_) return ask_log_out(now);
  const Session standing = session();
  sync_.start(now, standing);
  signal_.start(now, standing);
  fetches_.start_due(now, standing);
  if (reply.key_wanted()) {
    upload_.start(now, standing, reply.key_offset());
  } else {
    upload_.not_wanted();
  }
}

void Uplink::State::ask_log_out(TimePoint now) {
  log_out_.start(now, *grpc_, control::kLogout, seal_empty(shared_, session()), kLogoutLimit);
}

void Uplink::State::handle_log_out(TimePoint now, const UnaryCall::Answer& answer) {
  const grpc::StatusCode code = answer.status.code;
  const bool gone = answer.status.ok() || code == grpc::StatusCode::NotFound ||
                    code == grpc::StatusCode::PermissionDenied;
  if (gone) return finish_log_out(now, std::nullopt);
  finish_log_out(now, "the server did not let this machine leave: " + describe(answer.status));
}

}  // namespace trellis::uplink
