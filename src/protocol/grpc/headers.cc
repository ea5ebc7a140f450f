#include "protocol/grpc/headers.h"

#include "protocol/grpc/text_codec.h"

#include <charconv>
#include <utility>

namespace trellis::grpc {
namespace {

constexpr std::string_view kContentType = "application/grpc";
constexpr std::size_t kOverheadBytes = 32;  // of a header, as HPACK counts [RFC 9113 6.5.2]
constexpr std::size_t kHardFactor = 4;
constexpr std::size_t kStatusMessageBytesMax = 1024;
constexpr std::uint32_t kStatusCodeMax = 16;

std::string_view value_of(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

/// "application/grpc", "application/grpc+proto", "application/grpc; ...".
bool is_grpc(std::string_view content_type) {
  if (!content_type.starts_with(kContentType)) return false;
  const std::string_view rest = content_type.substr(kContentType.size());
  return rest.empty() || rest.front() == '+' || rest.front() == ';';
}

std::optional<Metadata> read_metadata(const Headers& headers) {
  Metadata metadata;
  for (const Header& header : headers) {
    if (!add_received(metadata, header.name, header.value)) return std::nullopt;
  }
  return metadata;
}

void add_metadata(Headers& headers, const Metadata& metadata) {
  for (const MetadataEntry& entry : metadata) {
    CHECK(is_metadata_name(entry.name));
    headers.push_back({entry.name, encode_value(entry)});
  }
}

tl::unexpected<Refusal> refuse(StatusCode code, std::string message, int http_status = 200) {
  return fail(Refusal{http_status, {code, std::move(message)}});
}

// Not in the middle of a character.
std::string_view shortened(std::string_view message) {
  if (message.size() <= kStatusMessageBytesMax) return message;
  std::size_t size = kStatusMessageBytesMax;
  while (size > 0 && (static_cast<unsigned char>(message[size]) & 0xc0) == 0x80) --size;
  return message.substr(0, size);
}

void add_status(Headers& headers, const Status& status) {
  headers.push_back({"grpc-status", std::to_string(static_cast<unsigned>(status.code))});
  if (status.message.empty()) return;
  headers.push_back({"grpc-message", percent_encode(shortened(status.message))});
}

std::optional<StatusCode> parse_status_code(std::string_view text) {
  std::uint32_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return number <= kStatusCodeMax ? static_cast<StatusCode>(number) : StatusCode::Unknown;
}

}  // namespace

bool HeaderCollector::add(std::string_view name, std::string_view value, std::size_t bytes_max) {
  bytes_ += name.size() + value.size() + kOverheadBytes;
  if (bytes_ > bytes_max) {
    too_many_ = true;
    headers_ = {};
    return bytes_ <= kHardFactor * bytes_max;
  }
  headers_.push_back({std::string(name), std::string(value)});
  return true;
}

Expected<Request, Refusal> read_request(const HeaderCollector& received) {
  const Headers& headers = received.headers();
  if (received.too_many()) return refuse(StatusCode::ResourceExhausted, "headers are too long");
  if (value_of(headers, ":method") != "POST") {
    return refuse(StatusCode::Internal, "calls are POST requests", 405);
  }
  if (!is_grpc(value_of(headers, "content-type"))) {
    return refuse(StatusCode::Internal, "content-type is not application/grpc", 415);
  }
  const std::string_view encoding = value_of(headers, "grpc-encoding");
  if (!encoding.empty() && encoding != "identity") {
    return refuse(StatusCode::Unimplemented, "compressed messages are not supported");
  }
  Request request;
  request.method = value_of(headers, ":path");
  if (!request.method.starts_with('/')) {
    return refuse(StatusCode::Unimplemented, "malformed method name");
  }
  request.authority = value_of(headers, ":authority");
  if (const auto timeout = value_of(headers, "grpc-timeout"); !timeout.empty()) {
    request.timeout = parse_timeout(timeout);
    if (!request.timeout) return refuse(StatusCode::Internal, "malformed grpc-timeout");
  }
  auto metadata = read_metadata(headers);
  if (!metadata) return refuse(StatusCode::Internal, "malformed binary metadata");
  request.metadata = *std::move(metadata);
  return request;
}

Headers write_request(const RequestLine& line, const Metadata& metadata) {
  Headers headers{{":method", "POST"},
                  {":scheme", std::string(line.scheme)},
                  {":path", std::string(line.method)},
                  {":authority", std::string(line.authority)},
                  {"te", "trailers"},
                  {"content-type", std::string(kContentType)},
                  {"user-agent", std::string(line.user_agent)}};
  if (line.timeout) headers.push_back({"grpc-timeout", format_timeout(*line.timeout)});
  add_metadata(headers, metadata);
  return headers;
}

bool is_informational(const Headers& headers) {
  return value_of(headers, ":status").starts_with('1');
}

Expected<Metadata, Status> read_response(const HeaderCollector& received) {
  const Headers& headers = received.headers();
  if (received.too_many()) return fail(Status{StatusCode::Internal, "headers are too long"});
  if (const auto http = value_of(headers, ":status"); http != "200") {
    return fail(status_of_http(http));
  }
  if (!is_grpc(value_of(headers, "content-type"))) {
    return fail(Status{StatusCode::Unknown, "the answer is not gRPC"});
  }
  const std::string_view encoding = value_of(headers, "grpc-encoding");
  if (!encoding.empty() && encoding != "identity") {
    return fail(Status{StatusCode::Internal, "the answer is compressed"});
  }
  auto metadata = read_metadata(headers);
  if (!metadata) return fail(Status{StatusCode::Internal, "malformed binary metadata"});
  return *std::move(metadata);
}

Headers write_response(const Metadata& metadata) {
  Headers headers{{":status", "200"}, {"content-type", std::string(kContentType)}};
  add_metadata(headers, metadata);
  return headers;
}

Trailers read_trailers(const HeaderCollector& received) {
  const Headers& headers = received.headers();
  if (received.too_many()) return {{StatusCode::Internal, "trailers are too long"}, {}};
  Trailers trailers;
  trailers.metadata = read_metadata(headers).value_or(Metadata{});
  const std::string_view code_text = value_of(headers, "grpc-status");
  const std::string_view http = value_of(headers, ":status");
  if (code_text.empty() && !http.empty() && http != "200") {
    trailers.status = status_of_http(http);
    return trailers;
  }
  const auto code = parse_status_code(code_text);
  if (!code) {
    trailers.status = {StatusCode::Internal, "the answer ended without a status"};
    return trailers;
  }
  trailers.status = {*code, percent_decode(value_of(headers, "grpc-message"))};
  return trailers;
}

// [gRPC http-grpc-status-mapping.md]
Status status_of_http(std::string_view http_status) {
  constexpr std::pair<std::string_view, StatusCode> kMapping[] = {
      {"400", StatusCode::Internal},         {"401", StatusCode::Unauthenticated},
      {"403", StatusCode::PermissionDenied}, {"404", StatusCode::Unimplemented},
      {"429", StatusCode::Unavailable},      {"502", StatusCode::Unavailable},
      {"503", StatusCode::Unavailable},      {"504", StatusCode::Unavailable}};
  StatusCode code = StatusCode::Unknown;
  for (const auto& [text, mapped] : kMapping) {
    if (text == http_status) code = mapped;
  }
  return {code, "HTTP status " + std::string(http_status)};
}

Headers write_trailers(const Status& status, const Metadata& trailers) {
  Headers headers;
  add_status(headers, status);
  add_metadata(headers, trailers);
  return headers;
}

Headers write_refusal(const Refusal& refusal, const Metadata& trailers) {
  Headers headers{{":status", std::to_string(refusal.http_status)},
                  {"content-type", std::string(kContentType)}};
  add_status(headers, refusal.status);
  add_metadata(headers, trailers);
  return headers;
}

}  // namespace trellis::grpc
