#pragma once

#include "node/uplink/back_off.h"
#include "node/uplink/session.h"

namespace trellis::uplink {

/// Brings our public key to the server, once, in pieces, going on where an earlier attempt ended.
/// Where that is, the answer to a Login tells. [pair rule 6]
class KeyUpload {
 public:
  explicit KeyUpload(Shared& shared);

  // As the answer to a Login says.
  void start(TimePoint now, const Session& session, std::uint32_t offset);  // unless it runs
  void not_wanted();  // the key is there: perhaps by an upload whose answer was lost
  void line_lost();

  bool owns(grpc::CallId call) const { return call_ == call; }
  void handle_message(ByteView message);
  void handle_end(TimePoint now, const grpc::Status& status);
  /// Hands over as much as the connection should have queued.
  void pump(const Session& session);

  /// True, once: log in again, to hear from where to go on.
  bool pop_login_wanted(TimePoint now);
  std::optional<TimePoint> next_timeout() const { return retry_; }
  /// Nothing if there is nothing to do.
  std::optional<Transfer> status() const;

 private:
  void complete();
  ByteVector next_piece();
  void fail_later(TimePoint now, std::string why);

  Shared& shared_;
  std::optional<grpc::CallId> call_;
  std::uint32_t offset_ = 0;  // of the next piece
  bool named_ = false;        // the first piece, with the name, is on its way
  bool half_closed_ = false;  // the last one is
  std::string answer_;        // why the key is not complete there; meaningful if answered
  bool answered_ = false;
  bool told_ = false;  // the owner, that the key is there
  std::optional<TimePoint> retry_;
  BackOff back_off_;
  std::string error_;
};

}  // namespace trellis::uplink
