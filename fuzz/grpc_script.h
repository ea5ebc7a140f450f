#pragma once

#include "base/time.h"
#include "input.h"

namespace trellis::fuzz {

/// Runs a script of one of gRPC's ends: bytes as they are, frames whose head is made, time that
/// passes, and what its owner does.
template <class Owner>
void run_script(Input& input, Owner& owner) {
  while (!input.at_end()) {
    const std::uint8_t step = input.byte();
    switch (step >> 5) {
      case 0:
        owner.pass((step & 31) * 500ms);
        break;
      case 1:
        owner.act(step & 31);
        break;
      case 2:  // many bytes at once
      case 3:
        owner.receive(input.bytes(input.number()));
        break;
      case 4:
        owner.receive(input.bytes(step & 31));
        break;
      default: {  // a frame: its type from the step, its stream and length in a byte each
        const std::uint8_t flags = input.byte();
        const std::uint8_t stream = input.byte();
        const std::uint8_t length = input.byte();
        const auto type = static_cast<std::uint8_t>((step & 31) % 11);
        const Bytes<9> head{std::byte{0},    std::byte{0},     std::byte{length},
                            std::byte{type}, std::byte{flags}, std::byte{0},
                            std::byte{0},    std::byte{0},     std::byte{stream}};
        ByteVector frame = to_vector(head);
        append(frame, input.filled(length));
        owner.receive(frame);
      }
    }
  }
}

}  // namespace trellis::fuzz
