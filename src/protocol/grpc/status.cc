#include "protocol/grpc/status.h"

namespace trellis::grpc {

std::string_view name_of(StatusCode code) {
  switch (code) {
    case StatusCode::Ok:
      return "Ok";
    case StatusCode::Cancelled:
      return "Cancelled";
    case StatusCode::Unknown:
      return "Unknown";
    case StatusCode::InvalidArgument:
      return "InvalidArgument";
    case StatusCode::DeadlineExceeded:
      return "DeadlineExceeded";
    case StatusCode::NotFound:
      return "NotFound";
    case StatusCode::AlreadyExists:
      return "AlreadyExists";
    case StatusCode::PermissionDenied:
      return "PermissionDenied";
    case StatusCode::ResourceExhausted:
      return "ResourceExhausted";
    case StatusCode::FailedPrecondition:
      return "FailedPrecondition";
    case StatusCode::Aborted:
      return "Aborted";
    case StatusCode::OutOfRange:
      return "OutOfRange";
    case StatusCode::Unimplemented:
      return "Unimplemented";
    case StatusCode::Internal:
      return "Internal";
    case StatusCode::Unavailable:
      return "Unavailable";
    case StatusCode::DataLoss:
      return "DataLoss";
    case StatusCode::Unauthenticated:
      return "Unauthenticated";
  }
  return "Unknown";
}

}  // namespace trellis::grpc
