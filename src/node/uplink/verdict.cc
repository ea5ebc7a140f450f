#include "node/uplink/verdict.h"

#include "node/uplink/session.h"

namespace trellis::uplink {

namespace {

Verdict refuse(Refusal reason, bool permanent, std::string message) {
  return {.action = Verdict::Action::Refuse,
          .message = std::move(message),
          .reason = reason,
          .permanent = permanent};
}

Verdict unknown_machine(const grpc::Status& status, const LoginAttempt& attempt) {
  if (attempt.with_setup_key) {
    Verdict verdict = refuse(Refusal::NotMember, true,
                             "the server does not admit this machine: " + describe(status));
    verdict.setup_key_spent = true;
    return verdict;
  }
  if (attempt.has_setup_key) return {.action = Verdict::Action::UseSetupKey, .message = {}};
  if (attempt.was_member) {
    return refuse(Refusal::Removed, false,
                  "this machine was removed from the network; to join it again, get a setup key "
                  "and run: trellis up --setup-key-file FILE");
  }
  return refuse(Refusal::NotMember, true,
                "the server does not know this machine; get a setup key (trellis server setup-key "
                "create) and run: trellis up --setup-key-file FILE");
}

/// The server's words, if it has some that say what is wrong and what to do.
std::string words(const grpc::Status& status, const std::string& otherwise) {
  return status.message.empty() ? otherwise : printable(status.message);
}

Verdict bad_setup_key(const grpc::Status& status) {
  Verdict verdict = refuse(Refusal::SetupKey, true,
                           "the server does not take this setup key: " +
                               words(status, "get a new one (trellis server setup-key create)"));
  verdict.setup_key_spent = true;
  return verdict;
}

}  // namespace

Verdict judge_login(const grpc::Status& status, const LoginAttempt& attempt) {
  switch (status.code) {
    case grpc::StatusCode::PermissionDenied:
      return unknown_machine(status, attempt);
    case grpc::StatusCode::InvalidArgument:
    case grpc::StatusCode::NotFound:  // stock servers
      if (attempt.with_setup_key) return bad_setup_key(status);
      break;
    case grpc::StatusCode::FailedPrecondition:
    case grpc::StatusCode::AlreadyExists:
      return refuse(Refusal::Conflict, false,
                    "the server refuses this machine: " + words(status, "it does not say why"));
    case grpc::StatusCode::Unimplemented:
      return refuse(Refusal::NotOurServer, false,
                    "this is no Trellis server, or one of a version that this agent cannot talk "
                    "to: " +
                        describe(status));
    case grpc::StatusCode::Ok:
    case grpc::StatusCode::Cancelled:
    case grpc::StatusCode::Unknown:
    case grpc::StatusCode::DeadlineExceeded:
    case grpc::StatusCode::ResourceExhausted:
    case grpc::StatusCode::Aborted:
    case grpc::StatusCode::OutOfRange:
    case grpc::StatusCode::Internal:
    case grpc::StatusCode::Unavailable:
    case grpc::StatusCode::DataLoss:
    case grpc::StatusCode::Unauthenticated:
      break;
  }
  return {.action = Verdict::Action::Reconnect,
          .message = "the server could not log this machine in: " + describe(status)};
}

}  // namespace trellis::uplink
