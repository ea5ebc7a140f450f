#include "server/management/channels.h"

namespace trellis::server {

using grpc::Status;
using grpc::StatusCode;

const control::BoxChannel* Channels::find(const crypto::PublicKey& machine) {
  if (const auto it = members_.find(machine); it != members_.end()) return &it->second.channel;
  if (stranger_ && stranger_->peer() == machine && !roster_.find(machine)) return &*stranger_;
  auto made = control::BoxChannel::create(roster_.network().box, machine);
  if (!made) return nullptr;
  if (roster_.find(machine)) {
    return &members_.emplace(machine, Member{*std::move(made), {}}).first->second.channel;
  }
  stranger_ = std::move(made);
  return &*stranger_;
}

Expected<crypto::PublicKey, Status> Channels::open(TimePoint now, const Session& session,
                                                   ByteView envelope,
                                                   google::protobuf::Message& message) {
  const auto refuse = [](control::MessageError error) {
    return fail(Status{StatusCode::InvalidArgument,
                       std::string("the request cannot be read: ") + to_string(error)});
  };
  const auto parsed = control::parse_envelope(envelope, control::kRequestLimits);
  if (!parsed) return refuse(parsed.error());
  const bool of_user = session.user && roster_.find(parsed->sender);
  if (!of_user && !strangers_.take(now, session.source)) {
    ++refused_;
    return fail(Status{StatusCode::ResourceExhausted,
                       "too many requests from your address: try again later"});
  }
  const control::BoxChannel* channel = find(parsed->sender);
  if (!channel) return refuse(control::MessageError::BadKey);
  const auto opened = control::open_into(*channel, parsed->body, message);
  if (!opened) return refuse(opened.error());
  if (const auto it = members_.find(parsed->sender); it != members_.end()) {
    it->second.place = place_of(session.source);
  }
  return parsed->sender;
}

bool Channels::seen_at(const crypto::PublicKey& machine, const IpAddress& source) const {
  const auto it = members_.find(machine);
  return it != members_.end() && it->second.place == place_of(source);
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
