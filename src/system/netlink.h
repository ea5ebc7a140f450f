#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "system/descriptor.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

namespace trellis::system {

/// A message to the kernel's routing tables, built front to back: header, body of the type, then
/// attributes. [netlink(7), rtnetlink(7)]
class NetlinkMessage {
 public:
  /// `type`: RTM_*; `flags`: NLM_F_* besides NLM_F_REQUEST. `body`: ifaddrmsg, rtmsg ...
  template <class Body>
  NetlinkMessage(std::uint16_t type, std::uint16_t flags, const Body& body)
      : NetlinkMessage(type, flags, std::as_bytes(std::span(&body, 1))) {}

  NetlinkMessage& attribute(std::uint16_t type, ByteView value);
  NetlinkMessage& attribute(std::uint16_t type, std::uint32_t value);

 private:
  friend class Netlink;
  NetlinkMessage(std::uint16_t type, std::uint16_t flags, ByteView body);

  ByteVector bytes_;
};

/// One message of a dump: the body of the type, and what follows it.
class NetlinkEntry {
 public:
  explicit NetlinkEntry(ByteView payload) : payload_(payload) {}

  /// False if the kernel sent less than a Body.
  template <class Body>
  bool read_body(Body& body) const {
    if (payload_.size() < sizeof body) return false;
    std::memcpy(&body, payload_.data(), sizeof body);
    return true;
  }
  /// The attribute's value; empty if it is not there. `body_size` is that of the body.
  ByteView attribute(std::size_t body_size, std::uint16_t type) const;
  std::optional<std::uint32_t> number(std::size_t body_size, std::uint16_t type) const;

 private:
  ByteView payload_;
};

/// A connection to the kernel's routing tables. Each request waits for its answer, which the kernel
/// gives at once.
class Netlink {
 public:
  static Result<Netlink> open();

  /// The errno of the kernel's answer; 0: done.
  int request(NetlinkMessage message);

  /// Calls `entry` for each message of the answer to a dump request (NLM_F_DUMP).
  int dump(NetlinkMessage message, const std::function<void(const NetlinkEntry&)>& entry);

 private:
  explicit Netlink(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
  int transact(NetlinkMessage& message, const std::function<void(const NetlinkEntry&)>* entry);

  Descriptor descriptor_;
  std::uint32_t sequence_ = 0;
};

}  // namespace trellis::system
