#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trellis::grpc {

/// How a call ended. The numbers are those of the wire. [gRPC statuscodes.md]
enum class StatusCode : std::uint8_t {
  Ok = 0,
  Cancelled = 1,
  Unknown = 2,
  InvalidArgument = 3,
  DeadlineExceeded = 4,
  NotFound = 5,
  AlreadyExists = 6,
  PermissionDenied = 7,
  ResourceExhausted = 8,
  FailedPrecondition = 9,
  Aborted = 10,
  OutOfRange = 11,
  Unimplemented = 12,
  Internal = 13,
  Unavailable = 14,
  DataLoss = 15,
  Unauthenticated = 16,
};

/// "Unavailable" for StatusCode::Unavailable.
std::string_view name_of(StatusCode code);

/// The end of a call, for people and programs. `message` is UTF-8; the first 1,024 bytes are sent.
struct Status {
  StatusCode code = StatusCode::Ok;
  std::string message;

  bool ok() const { return code == StatusCode::Ok; }
  friend bool operator==(const Status&, const Status&) = default;
};

}  // namespace trellis::grpc
