// Binding messages: what is read is what was authenticated, and can be written again.

#include "base/result.h"
#include "input.h"
#include "protocol/stun/message.h"
#include "protocol/stun/message_writer.h"

namespace trellis::fuzz {
namespace {

const ByteView kPassword = as_bytes("VOkJxbRl1RmTxUk/WvJxBt");

/// The attributes that we write, of a message that was read.
ByteVector written_again(const stun::Message& message) {
  stun::MessageWriter writer(message.kind, message.transaction);
  if (message.username) writer.add_username(*message.username);
  if (message.use_candidate) writer.add_use_candidate();
  if (message.controlling) writer.add_controlling(*message.controlling);
  if (message.controlled) writer.add_controlled(*message.controlled);
  if (message.priority) writer.add_priority(*message.priority);
  if (message.mapped_address) writer.add_mapped_address(*message.mapped_address);
  if (!message.software.empty()) writer.add_software(message.software);
  return std::move(writer).finish(kPassword);
}

void check(ByteView datagram) {
  const auto message = stun::parse(datagram);
  if (!message) return;
  CHECK(message->unknown_attribute_count <= message->unknown_attributes.size());
  CHECK(!message->integrity_offset || *message->integrity_offset + 24 <= datagram.size());
  (void)stun::integrity_matches(*message, datagram, kPassword);

  const ByteVector again = written_again(*message);
  if (again.size() > stun::kMessageBytesMax) return;
  const auto reread = stun::parse(again);
  CHECK(reread.has_value());
  CHECK(stun::integrity_matches(*reread, again, kPassword));
  CHECK(reread->kind == message->kind && reread->transaction == message->transaction);
  CHECK(reread->username == message->username && reread->priority == message->priority);
  CHECK(reread->controlling == message->controlling && reread->controlled == message->controlled);
  CHECK(reread->use_candidate == message->use_candidate);
  CHECK(reread->mapped_address == message->mapped_address);
  CHECK(reread->software == message->software && reread->has_fingerprint);
}

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trellis::fuzz::check(std::as_bytes(std::span(data, size)));
  return 0;
}
