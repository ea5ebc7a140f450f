#include "system/netlink.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

namespace trellis::system {
namespace {

constexpr std::size_t aligned(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

void set_length(ByteVector& bytes) {
  const auto length = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data() + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

}  // namespace

NetlinkMessage::NetlinkMessage(std::uint16_t type, std::uint16_t flags, ByteView body) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  append(bytes_, std::as_bytes(std::span(&header, 1)));
  append(bytes_, body);
  bytes_.resize(aligned(bytes_.size()));
  set_length(bytes_);
}

NetlinkMessage& NetlinkMessage::attribute(std::uint16_t type, ByteView value) {
  rtattr header{};
  header.rta_type = type;
  header.rta_len = static_cast<std::uint16_t>(sizeof header + value.size());
  append(bytes_, std::as_bytes(std::span(&header, 1)));
  append(bytes_, value);
  bytes_.resize(aligned(bytes_.size()));
  set_length(bytes_);
  return *this;
}

NetlinkMessage& NetlinkMessage::attribute(std::uint16_t type, std::uint32_t value) {
  return attribute(type, std::as_bytes(std::span(&value, 1)));
}

ByteView NetlinkEntry::attribute(std::size_t body_size, std::uint16_t type) const {
  if (payload_.size() < aligned(body_size)) return {};
  ByteView rest = payload_.subspan(aligned(body_size));
  while (rest.size() >= sizeof(rtattr)) {
    rtattr header{};
    std::memcpy(&header, rest.data(), sizeof header);
    if (header.rta_len < sizeof header || header.rta_len > rest.size()) return {};
    if ((header.rta_type & NLA_TYPE_MASK) == type) {
      return rest.subspan(sizeof header, header.rta_len - sizeof header);
    }
    rest = rest.subspan(std::min(aligned(header.rta_len), rest.size()));
  }
  return {};
}

std::optional<std::uint32_t> NetlinkEntry::number(std::size_t body_size, std::uint16_t type) const {
  const ByteView value = attribute(body_size, type);
  std::uint32_t result = 0;
  if (value.size() != sizeof result) return std::nullopt;
  std::memcpy(&result, value.data(), sizeof result);
  return result;
}

Result<Netlink> Netlink::open() {
  Descriptor descriptor(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!descriptor.valid()) return fail_with_errno("cannot reach the routing tables", errno);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  const timeval patience{5, 0};  // never needed; an agent must not hang on a kernel's bug
  if (::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
    return fail_with_errno("cannot reach the routing tables", errno);
  }
  return Netlink(std::move(descriptor));
}

int Netlink::request(NetlinkMessage message) { return transact(message, nullptr); }

int Netlink::dump(NetlinkMessage message, const std::function<void(const NetlinkEntry&)>& entry) {
  return transact(message, &entry);
}

int Netlink::transact(NetlinkMessage& message,
                      const std::function<void(const NetlinkEntry&)>* entry) {
  nlmsghdr header{};
  std::memcpy(&header, message.bytes_.data(), sizeof header);
  header.nlmsg_seq = ++sequence_;
  header.nlmsg_flags =
      static_cast<std::uint16_t>(header.nlmsg_flags | (entry == nullptr ? NLM_F_ACK : NLM_F_DUMP));
  std::memcpy(message.bytes_.data(), &header, sizeof header);
  if (::send(descriptor_.get(), message.bytes_.data(), message.bytes_.size(), 0) < 0) return errno;

  ByteVector buffer(64 << 10);  // the kernel sends no more than 32 KiB at a time
  while (true) {
    const ssize_t n = ::recv(descriptor_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN ? ETIMEDOUT : errno;
    ByteView rest = ByteView(buffer).first(static_cast<std::size_t>(n));
    while (rest.size() >= sizeof(nlmsghdr)) {
      nlmsghdr answer{};
      std::memcpy(&answer, rest.data(), sizeof answer);
      if (answer.nlmsg_len < sizeof answer || answer.nlmsg_len > rest.size()) return EBADMSG;
      const ByteView payload = rest.subspan(sizeof answer, answer.nlmsg_len - sizeof answer);
      rest = rest.subspan(std::min(aligned(answer.nlmsg_len), rest.size()));
      if (answer.nlmsg_seq != sequence_) continue;  // of an earlier request that was given up
      if (answer.nlmsg_type == NLMSG_DONE) return 0;
      if (answer.nlmsg_type == NLMSG_ERROR) {
        int error = 0;
        if (payload.size() < sizeof error) return EBADMSG;
        std::memcpy(&error, payload.data(), sizeof error);
        return -error;
      }
      if (entry != nullptr) (*entry)(NetlinkEntry(payload));
    }
  }
}

}  // namespace trellis::system
