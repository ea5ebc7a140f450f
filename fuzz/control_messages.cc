// Every message that comes over a wire as a whole, under the limits that its reader sets. What is
// accepted is written again, and is the same when it is read again.

#include "input.h"
#include "protocol/control/keys.pb.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/message.h"
#include "protocol/control/signal.pb.h"

namespace trellis::fuzz {
namespace {

using namespace control;

template <class T>
void read(ByteView bytes, const MessageLimits& limits) {
  const auto message = parse_message<T>(bytes, limits);
  if (!message) {
    CHECK(message.error() != MessageError::BadKey && message.error() != MessageError::Unopenable);
    CHECK(std::string_view(to_string(message.error())).size() > 3);
    return;
  }
  const ByteVector once = format_message(*message);
  // An entry of a map that came without its key and value has both now.
  const auto again = parse_message<T>(once, {.bytes_max = 4 * limits.bytes_max,
                                             .fields_max = 3 * limits.fields_max,
                                             .depth_max = limits.depth_max + 1});
  CHECK(again && format_message(*again) == once);
}

using Read = void (*)(ByteView, const MessageLimits&);
constexpr Read kReads[] = {
    read<wire::management::LoginRequest>,     read<wire::management::LoginResponse>,
    read<wire::management::SyncRequest>,      read<wire::management::SyncResponse>,
    read<wire::management::SyncMetaRequest>,  read<wire::management::ServerKeyResponse>,
    read<wire::management::EncryptedMessage>, read<wire::management::JobRequest>,
    read<wire::management::JobResponse>,      read<wire::management::Empty>,
    read<wire::signal::EncryptedMessage>,     read<wire::signal::Body>,
    read<wire::keys::UploadRequest>,          read<wire::keys::UploadReply>,
    read<wire::keys::FetchRequest>,           read<wire::keys::FetchPiece>,
};

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  fuzz::Input input(data, size);
  const std::uint8_t what = input.byte();
  const bool tight = (what & 0x80) != 0;
  const control::MessageLimits limits =
      tight ? control::MessageLimits{.bytes_max = 200, .fields_max = 12, .depth_max = 3}
            : control::kRequestLimits;
  fuzz::kReads[(what & 0x7f) % std::size(fuzz::kReads)](input.rest(), limits);
  return 0;
}
