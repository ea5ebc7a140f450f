#include "crypto/kem.h"

namespace trellis::crypto {

const Suite& suite_rosenpass() {
  static const Suite suite{1, "mceliece460896-kyber512", &mceliece460896pc(), &kyber512_round3()};
  return suite;
}

const Suite& suite_rosenpass_156() {
  static const Suite suite{1, "mceliece460896-156-kyber512", &mceliece460896(), &kyber512_round3()};
  return suite;
}

const Suite* find_suite(std::uint8_t number) {
  return number == suite_rosenpass().number ? &suite_rosenpass() : nullptr;
}

}  // namespace trellis::crypto
