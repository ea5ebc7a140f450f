#pragma once

#include "protocol/stun/message.h"

#include <string_view>

namespace trellis::stun {

/// Writes a Binding message, attribute by attribute, in the order of the calls.
class MessageWriter {
 public:
  MessageWriter(Class kind, const TransactionId& transaction);

  void add_username(std::string_view username);
  void add_use_candidate();
  void add_controlling(std::uint64_t tie_breaker);
  void add_controlled(std::uint64_t tie_breaker);
  void add_priority(std::uint32_t priority);
  void add_mapped_address(const Endpoint& endpoint);  // XOR-MAPPED-ADDRESS
  void add_error(ErrorNumber number);
  void add_unknown_attributes(std::span<const std::uint16_t> types);
  void add_software(std::string_view name);

  /// The datagram, ended by MESSAGE-INTEGRITY and FINGERPRINT.
  ByteVector finish(ByteView password) &&;
  /// The datagram, ended by FINGERPRINT alone: for servers that know nobody.
  ByteVector finish() &&;

 private:
  void add(Attribute type, ByteView value);
  void set_length(std::size_t end);
  void add_fingerprint();

  ByteVector bytes_;
};

}  // namespace trellis::stun
