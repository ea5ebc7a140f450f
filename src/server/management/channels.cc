#include "server/management/channels.h"

namespace trellis::server {

using grpc::Status;
using grpc::StatusCode;

const control::BoxChannel* Channels::find(const crypto::PublicKey& machine) {
  if (const auto it = members_.find(machine); it != members_.end()) return &it->second;
  if (stranger_ && stranger_->peer() == machine && !roster_.find(machine)) return &*stranger_;
  auto made = control::BoxChannel::create(roster_.network().box, machine);
  if (!made) return nullptr;
  if (roster_.find(machine)) return &members_.emplace(machine, *std::move(made)).first->second;
  stranger_ = std::move(made);
  return &*stranger_;
}

Expected<crypto::PublicKey, Status> Channels::open(ByteView envelope,
                                                   google::protobuf::Message& message) {
  const auto refuse = [](control::MessageError error) {
    return fail(Status{StatusCode::InvalidArgument,
                       std::string("the request cannot be read: ") + to_string(error)});
  };
  const auto parsed = control::parse_envelope(envelope, control::kRequestLimits);
  if (!parsed) return refuse(parsed.error());
  const control::BoxChannel* channel = find(parsed->sender);
  if (!channel) return refuse(control::MessageError::BadKey);
  const auto opened = control::open_into(*channel, parsed->body, message);
  if (!opened) return refuse(opened.error());
  return parsed->sender;
}

ByteVector Channels::seal(const crypto::PublicKey& machine, ByteView plain) {
  const control::BoxChannel* channel = find(machine);
  CHECK(channel != nullptr);  // a box of this machine was opened
  return control::format_envelope({channel->own(), channel->seal(plain, random_)});
}

ByteVector Channels::seal(const crypto::PublicKey& machine,
                          const google::protobuf::Message& message) {
  return seal(machine, control::format_message(message));
}

}  // namespace trellis::server
