#include "apps/rosenpass/key_output.h"

#include "base/hex.h"
#include "system/output_file.h"

#include <fmt/format.h>

namespace trellis::rosenpass_program {
namespace {

/// As Rust's `{:?}` writes a path, and Go's strconv.Quote but for rare characters.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
      case '\\':
        result += '\\';
        result += c;
        break;
      case '\n':
        result += "\\n";
        break;
      case '\r':
        result += "\\r";
        break;
      case '\t':
        result += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          result += fmt::format("\\u{{{:x}}}", static_cast<unsigned>(c));
        } else {
          result += c;
        }
    }
  }
  return result + '"';
}

}  // namespace

std::string output_line(const rosenpass::PeerHash& pid, std::string_view path, KeyReason reason) {
  return fmt::format("output-key peer {} key-file {} {}", to_base64(pid.bytes), quoted(path),
                     reason == KeyReason::Exchanged ? "exchanged" : "stale");
}

Result<> write_key_file(const std::string& path, const rosenpass::OutputKey& key) {
  std::string text = to_base64(key.expose());
  auto written = system::write_in_place(path, as_bytes(text), 0600);
  zeroise(std::as_writable_bytes(std::span(text)));
  return written;
}

}  // namespace trellis::rosenpass_program
