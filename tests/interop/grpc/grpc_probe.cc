// Our gRPC engines on plain sockets of loopback, for tests/interop/test_grpc.py. See README.md.

#include "probe_client.h"
#include "probe_server.h"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace {

std::size_t number(const char* text) {
  std::size_t value = 0;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

int usage() {
  std::fputs(
      "usage: grpc-probe serve [--piece BYTES] [--keepalive MS]\n"
      "       grpc-probe call PORT SCENARIO [NUMBERS] [--piece BYTES] [--keepalive MS]\n",
      stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return usage();
  const std::string_view mode = argv[1];
  trellis::probe::ServeOptions served;
  trellis::probe::CallOptions called;
  int at = 2;
  if (mode == "call") {
    if (argc < 4) return usage();
    called.port = static_cast<std::uint16_t>(number(argv[2]));
    called.scenario = argv[3];
    at = 4;
  }
  for (; at < argc; ++at) {
    const std::string_view word = argv[at];
    if (!word.starts_with("--")) {
      called.numbers.push_back(number(argv[at]));
      continue;
    }
    if (at + 1 == argc) return usage();
    const std::size_t value = number(argv[++at]);
    if (word == "--piece") {
      served.piece = called.piece = value;
    } else if (word == "--keepalive") {
      served.keepalive = called.keepalive = std::chrono::milliseconds(value);
    } else {
      return usage();
    }
  }
  if (mode == "serve") trellis::probe::serve(served);
  return mode == "call" ? trellis::probe::run_scenario(called) : usage();
}
