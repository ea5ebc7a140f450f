#include "node/uplink/key_upload.h"

#include "base/log.h"
#include "node/uplink/constants.h"
#include "node/uplink/login.h"
#include "protocol/control/keys.pb.h"

#include <algorithm>

namespace trellis::uplink {

KeyUpload::KeyUpload(Shared& shared) : shared_(shared), back_off_({kKeyRetryFirst, kKeyRetryMax}) {}

void KeyUpload::start(TimePoint now, const Session& session, std::uint32_t offset) {
  if (call_ || !shared_.identity.rosenpass) return;
  if (offset > shared_.identity.rosenpass_public.size()) {
    fail_later(now, "the server says that it has more of our key than there is");
    return;
  }
  retry_.reset();
  named_ = half_closed_ = answered_ = told_ = false;
  offset_ = offset;
  call_ = session.grpc.start(now, control::kKeyUpload, {}, kTransferLimit);
  pump(session);
}

void KeyUpload::not_wanted() {
  if (!call_ && shared_.identity.rosenpass) complete();
}

void KeyUpload::line_lost() {
  call_.reset();
  retry_.reset();
  back_off_.reset();
}

void KeyUpload::handle_message(ByteView message) {
  const auto reply = control::parse_message<wire::keys::UploadReply>(message);
  answered_ = true;
  if (!reply) {
    answer_ = "the server's answer cannot be read";
  } else if (reply->complete()) {
    answer_.clear();
  } else {
    answer_ = "the server has only " + std::to_string(reply->offset()) + " bytes of it";
  }
}

void KeyUpload::handle_end(TimePoint now, const grpc::Status& status) {
  call_.reset();
  if (!status.ok() || !answered_ || !answer_.empty()) {
    fail_later(now, !status.ok() ? describe(status) : answered_ ? answer_ : "no answer came");
    return;
  }
  complete();
}

void KeyUpload::pump(const Session& session) {
  if (!call_ || half_closed_) return;
  const std::size_t size = shared_.identity.rosenpass_public.size();
  while (!named_ || offset_ < size) {
    if (session.grpc.queued_bytes(*call_) >= kUploadAheadBytes) return;
    const std::uint32_t before = offset_;
    if (!session.grpc.send_message(*call_, next_piece())) {  // gone: its end comes as an event
      offset_ = before;
      return;
    }
    named_ = true;
    shared_.counters.key_bytes_sent += offset_ - before;
  }
  session.grpc.half_close(*call_);
  half_closed_ = true;
}

bool KeyUpload::pop_login_wanted(TimePoint now) {
  if (!retry_ || *retry_ > now) return false;
  retry_.reset();
  return true;
}

std::optional<Transfer> KeyUpload::status() const {
  if (!call_ && !retry_ && error_.empty()) return std::nullopt;
  return Transfer{.name = *shared_.identity.rosenpass,
                  .bytes = offset_,
                  .total = static_cast<std::uint32_t>(shared_.identity.rosenpass_public.size()),
                  .error = error_};
}

void KeyUpload::complete() {
  retry_.reset();
  error_.clear();
  back_off_.reset();
  if (!told_) shared_.events.emplace_back(KeyUploaded{});
  told_ = true;
}

ByteVector KeyUpload::next_piece() {
  const ByteView key = shared_.identity.rosenpass_public;
  const std::size_t size = std::min(control::kKeyPieceBytesMax, key.size() - offset_);
  wire::keys::UploadRequest request;
  if (!named_) {
    request.set_key_name(key_name_bytes(*shared_.identity.rosenpass));
    request.set_offset(offset_);
  }
  request.set_piece(control::to_field(key.subspan(offset_, size)));
  offset_ += static_cast<std::uint32_t>(size);
  return control::format_message(request);
}

void KeyUpload::fail_later(TimePoint now, std::string why) {
  LOG(debug, "uplink", "key upload failed reason={}", why);
  error_ = "our public key could not be brought to the server: " + std::move(why);
  retry_ = now + back_off_.next(shared_.random);
}

}  // namespace trellis::uplink
