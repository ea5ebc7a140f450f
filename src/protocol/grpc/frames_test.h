#pragma once

#include "base/bytes.h"
#include "protocol/grpc/headers.h"

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

// HTTP/2 frames by hand, for peers that misbehave. [RFC 9113]

namespace trellis::grpc::frames {

enum Type : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
inline constexpr std::uint8_t kNone = 0;
inline constexpr std::uint8_t kAck = 1;
inline constexpr std::uint8_t kEndStream = 1;
inline constexpr std::uint8_t kEndHeaders = 4;
inline constexpr std::uint8_t kPadded = 8;
inline constexpr std::size_t kPrefixBytes = 9;

inline ByteVector number32(std::uint32_t value) { return to_vector(bytes_of(be32(value))); }

inline ByteVector frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                        ByteView payload = {}) {
  const be32 length_and_type = static_cast<std::uint32_t>(payload.size()) << 8 | type;
  ByteVector bytes = to_vector(bytes_of(length_and_type));
  bytes.push_back(std::byte{flags});
  append(bytes, number32(stream));
  append(bytes, payload);
  return bytes;
}

inline ByteVector preface() { return to_vector(as_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); }

/// HPACK integer with a prefix of `bits`. [RFC 7541 5.1]
inline void append_integer(ByteVector& target, std::size_t value, unsigned bits) {
  const std::size_t most = (1U << bits) - 1;
  if (value < most) return target.push_back(static_cast<std::byte>(value));
  target.push_back(static_cast<std::byte>(most));
  for (value -= most; value >= 128; value /= 128) {
    target.push_back(static_cast<std::byte>(value % 128 + 128));
  }
  target.push_back(static_cast<std::byte>(value));
}

/// HPACK without tables: each header as a literal. [RFC 7541 6.2.2]
inline ByteVector block(const Headers& headers) {
  ByteVector bytes;
  for (const Header& header : headers) {
    bytes.push_back(std::byte{0});
    for (const std::string& text : {header.name, header.value}) {
      append_integer(bytes, text.size(), 7);
      append(bytes, as_bytes(text));
    }
  }
  return bytes;
}

inline Headers request(std::string_view method = "/test.Service/Method") {
  return write_request({.scheme = "http",
                        .authority = "server.test",
                        .user_agent = "frames",
                        .method = method,
                        .timeout = std::nullopt},
                       {});
}

inline ByteVector headers(std::uint32_t stream, const Headers& list, bool last = false) {
  return frame(kHeaders, last ? kEndHeaders | kEndStream : kEndHeaders, stream, block(list));
}

inline ByteVector message(ByteView content, std::uint8_t flags = 0) {
  ByteVector bytes{std::byte{flags}};
  append(bytes, number32(static_cast<std::uint32_t>(content.size())));
  append(bytes, content);
  return bytes;
}

inline ByteVector data(std::uint32_t stream, ByteView content, bool last = false) {
  return frame(kData, last ? kEndStream : kNone, stream, content);
}

inline ByteVector reset(std::uint32_t stream, std::uint32_t error) {
  return frame(kReset, kNone, stream, number32(error));
}

struct Seen {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  ByteVector payload;
};

/// Frames that an engine has sent, without the preface.
inline std::vector<Seen> parse(ByteView bytes) {
  std::vector<Seen> result;
  Reader reader(bytes);
  while (reader.remaining() >= kPrefixBytes) {
    const std::uint32_t length_and_type = reader.read<be32>();
    const auto flags = std::to_integer<std::uint8_t>(reader.bytes(1)[0]);
    const std::uint32_t stream = reader.read<be32>();
    result.push_back({static_cast<std::uint8_t>(length_and_type & 0xff), flags, stream,
                      to_vector(reader.bytes(length_and_type >> 8))});
  }
  return result;
}

/// Unpacks the header blocks of one engine, all of them and in order.
class Inflater {
 public:
  Inflater() {
    nghttp2_hd_inflater* raw = nullptr;
    nghttp2_hd_inflate_new(&raw);
    inflater_.reset(raw);
  }

  Headers inflate(ByteView block) {
    Headers result;
    const auto* data = reinterpret_cast<const std::uint8_t*>(block.data());
    for (std::size_t at = 0;;) {
      nghttp2_nv nv{};
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_.get(), &nv, &flags, data + at,
                                                  block.size() - at, /*in_final=*/1);
      if (used < 0) return {};
      at += static_cast<std::size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        result.push_back({std::string(reinterpret_cast<const char*>(nv.name), nv.namelen),
                          std::string(reinterpret_cast<const char*>(nv.value), nv.valuelen)});
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_.get());
    return result;
  }

 private:
  struct Deleter {
    void operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }
  };
  std::unique_ptr<nghttp2_hd_inflater, Deleter> inflater_;
};

}  // namespace trellis::grpc::frames
