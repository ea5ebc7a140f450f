#pragma once

#include "protocol/grpc/client_connection.h"

#include <utility>

namespace trellis::uplink {

/// A call with one message each way.
class UnaryCall {
 public:
  struct Answer {
    grpc::Status status;
    ByteVector message;
  };

  void start(TimePoint now, grpc::ClientConnection& grpc, std::string_view method, ByteView request,
             Duration limit) {
    call_ = grpc.start(now, method, {}, limit);
    grpc.send_message(*call_, request);
    grpc.half_close(*call_);
    message_ = {};
  }
  bool running() const { return call_.has_value(); }
  bool owns(grpc::CallId call) const { return call_ == call; }
  void handle_message(ByteVector message) { message_ = std::move(message); }
  Answer finish(const grpc::Status& status) {
    call_.reset();
    return {status, std::move(message_)};
  }
  void drop() { call_.reset(); }

 private:
  std::optional<grpc::CallId> call_;
  ByteVector message_;
};

}  // namespace trellis::uplink
