#pragma once

#include "base/result.h"
#include "base/time.h"
#include "protocol/grpc/metadata.h"
#include "protocol/grpc/status.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The headers of gRPC calls, from and to their lines. [gRPC PROTOCOL-HTTP2.md]

namespace trellis::grpc {

struct Header {
  std::string name;
  std::string value;
};
using Headers = std::vector<Header>;

/// Headers of one frame (with its continuations) as they come, within a bound.
class HeaderCollector {
 public:
  /// False: far too many, break the stream off. What goes beyond `bytes_max` is not kept.
  bool add(std::string_view name, std::string_view value, std::size_t bytes_max);
  bool too_many() const { return too_many_; }
  const Headers& headers() const { return headers_; }
  void clear() { *this = HeaderCollector(); }

 private:
  Headers headers_;
  std::size_t bytes_ = 0;
  bool too_many_ = false;
};

/// A call as a client begins it.
struct Request {
  std::string method;
  Metadata metadata;
  std::optional<Duration> timeout;
  std::string authority;  // of the server, as the client knows it; may be empty
};

/// Why there is no such call: the whole answer to the client.
struct Refusal {
  int http_status = 200;
  Status status;
};

Expected<Request, Refusal> read_request(const HeaderCollector& received);

struct RequestLine {
  std::string_view scheme;
  std::string_view authority;
  std::string_view user_agent;
  std::string_view method;
  std::optional<Duration> timeout;
};
Headers write_request(const RequestLine& line, const Metadata& metadata);

/// 1xx: the answer is still to come.
bool is_informational(const Headers& headers);
/// The first headers of an answer; or why it is none of gRPC.
Expected<Metadata, Status> read_response(const HeaderCollector& received);
Headers write_response(const Metadata& metadata);

/// The end of an answer; its headers and trailers in one if it failed at once.
struct Trailers {
  Status status;
  Metadata metadata;
};
Trailers read_trailers(const HeaderCollector& received);
/// As the status of an answer that has no `grpc-status`.
Status status_of_http(std::string_view http_status);

Headers write_trailers(const Status& status, const Metadata& trailers);
/// An answer of headers only.
Headers write_refusal(const Refusal& refusal, const Metadata& trailers = {});

}  // namespace trellis::grpc
