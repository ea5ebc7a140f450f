// Runs our own code over secrets under valgrind, with every secret marked as undefined: valgrind
// then reports each branch and each address that depends on one, and ends with exit status 1. That
// it would is shown by two leaks made on purpose, in child processes that must end so.

#include "crypto/hash.h"
#include "crypto/keys.h"
#include "crypto/kyber512_round3.h"
#include "crypto/packet_batch.h"
#include "crypto/x25519.h"

#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace trellis::crypto {
namespace {

void poison(ByteView bytes) { VALGRIND_MAKE_MEM_UNDEFINED(bytes.data(), bytes.size()); }
void declassify(ByteView bytes) { VALGRIND_MAKE_MEM_DEFINED(bytes.data(), bytes.size()); }

Bytes<32> filled(unsigned char value) {
  Bytes<32> bytes;
  bytes.fill(std::byte{value});
  return bytes;
}

template <class Secret>
Secret poisoned(const Bytes<32>& bytes) {
  Secret secret{std::span(bytes)};
  poison(secret.expose());
  return secret;
}

bool g_failed = false;

/// A result has left the constant-time code: it may be looked at now, and has to be right.
void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "wrong result: %s\n", what);
  g_failed = true;
}

bool declassified(bool value) {
  VALGRIND_MAKE_MEM_DEFINED(&value, sizeof value);
  return value;
}

/// Accepted and rejected ciphertexts take the same way.
void finish_kyber_decapsulation() {
  const ByteVector ciphertext(768, std::byte{3});
  const Bytes<32> z = filled(5);
  Bytes<32> rejection;
  shake256({z, ciphertext}, rejection);
  Bytes<32> almost = rejection;
  almost[31] ^= std::byte{1};
  const Digest ciphertext_hash = sha3_256(ciphertext);

  for (const bool rejected : {false, true}) {
    for (const Bytes<32>& inner : {filled(9), almost, rejection}) {
      if (rejected != (inner == rejection)) continue;
      const auto secret_z = poisoned<SharedSecret>(z);
      const SharedSecret result = kyber512_round3_parts::finish_decapsulation(
          poisoned<SharedSecret>(inner), secret_z.expose(), ciphertext);
      declassify(result.expose());
      Bytes<32> expected;
      shake256({rejected ? z : inner, ciphertext_hash}, expected);
      expect(std::equal(expected.begin(), expected.end(), result.expose().begin()),
             rejected ? "a rejected ciphertext" : "an accepted ciphertext");
    }
  }
}

void compare() {
  for (const std::size_t difference : {0U, 1U, 17U, 32U}) {  // 32: none
    Bytes<32> a = filled(7);
    Bytes<32> b = filled(7);
    if (difference < b.size()) b[difference] ^= std::byte{0x80};
    poison(a);
    poison(b);
    expect(declassified(equal(a, b)) == (difference == b.size()), "equal");
  }
}

void derive_keys() {
  const Kdf3 keys =
      kdf3(poisoned<ChainingKey>(filled(1)), poisoned<SharedSecret>(filled(2)).expose());
  declassify(keys.first.expose());
  declassify(keys.third.expose());
  const Kdf3 expected = kdf3(ChainingKey(filled(1)), filled(2));
  expect(equal(keys.first.expose(), expected.first.expose()) &&
             equal(keys.third.expose(), expected.third.expose()),
         "kdf3");
}

void agree() {
  const auto own = poisoned<PrivateKey>(filled(0x48));
  const PublicKey peer = public_key(PrivateKey(filled(0x50)));
  std::optional<SharedSecret> secret = shared_secret(own, peer);
  expect(secret.has_value(), "agreement");
  declassify(secret->expose());
  const auto expected =
      shared_secret(PrivateKey(filled(0x50)), public_key(PrivateKey(filled(0x48))));
  expect(equal(secret->expose(), expected->expose()), "shared secret");
}

/// Texts of some lengths, one behind the other, with room for a tag behind each.
struct Packets {
  static constexpr std::array<std::size_t, 11> kSizes = {0,   1,   16,  64,   65,  200,
                                                         200, 544, 700, 1000, 1420};

  explicit Packets(bool secret) {
    for (const std::size_t size : kSizes) {
      bytes.emplace_back(size + kTagSize, std::byte{4});
      if (secret) poison(bytes.back());
    }
  }
  std::vector<ByteVector> bytes;
};

/// A batch, and its packets one by one, sealed in place.
std::vector<ByteVector> sealed(const PacketKey& key, bool secret, PacketKernels kernels) {
  Packets batch(secret);
  Packets single(secret);
  std::vector<SealPacket> jobs;
  for (ByteVector& bytes : batch.bytes) {
    jobs.push_back({&key, 77, ByteView(bytes).first(bytes.size() - kTagSize), bytes.data()});
  }
  seal(jobs, kernels);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].text = ByteView(single.bytes[i]).first(jobs[i].text.size());
    jobs[i].target = single.bytes[i].data();
    seal(std::span(jobs).subspan(i, 1), kernels);
  }
  std::vector<ByteVector> result = std::move(batch.bytes);
  result.insert(result.end(), single.bytes.begin(), single.bytes.end());
  for (const ByteVector& bytes : result) declassify(bytes);
  return result;
}

PacketKey packet_key(bool secret) {
  if (!secret) return PacketKey(SymmetricKey(filled(6)));
  return PacketKey(poisoned<SymmetricKey>(filled(6)));
}

void seal_packets(PacketKernels kernels) {
  const PacketKey secret = packet_key(true);
  const PacketKey known = packet_key(false);
  expect(sealed(secret, true, kernels) == sealed(known, false, kernels), "seal");
}

/// Whether a tag fits is told, and no more: not where it differs. In batches of this size.
void open_packets(PacketKernels kernels, std::size_t batch) {
  const PacketKey secret = packet_key(true);
  std::vector<ByteVector> packets = sealed(packet_key(false), false, kernels);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (i % 3 == 1) packets[i].back() ^= std::byte{1};
    if (i % 3 == 2) packets[i].front() ^= std::byte{1};
  }
  std::vector<OpenPacket> jobs;
  for (ByteVector& bytes : packets) jobs.push_back({&secret, 77, bytes});
  for (std::size_t i = 0; i < jobs.size(); i += batch) {
    open(std::span(jobs).subspan(i, std::min(batch, jobs.size() - i)), kernels);
  }
  const std::vector<ByteVector> texts = Packets(false).bytes;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const MutableByteView text = jobs[i].sealed.first(jobs[i].sealed.size() - kTagSize);
    declassify(text);
    const bool opened = declassified(jobs[i].opened);
    expect(opened == (i % 3 == 0), "opened");
    if (opened) {
      expect(std::equal(text.begin(), text.end(), texts[i % texts.size()].begin()), "open");
    }
  }
}

void make_public_hashes_of_secrets() {
  const auto key = poisoned<SymmetricKey>(filled(8));
  Digest hash = blake2b_keyed(key.expose(), key.expose());
  declassify(hash);
  expect(hash == blake2b_keyed(filled(8), filled(8)), "blake2b_keyed");
  Bytes<16> mac = blake2s_mac(key.expose(), key.expose());
  declassify(mac);
  expect(mac == blake2s_mac(filled(8), filled(8)), "blake2s_mac");
}

/// A comparison as it must not be: it stops at the first difference.
void branch_on_a_secret() {
  Bytes<32> a = filled(7);
  const Bytes<32> b = filled(7);
  poison(a);
  std::size_t i = 0;
  while (i < a.size() && a[i] == b[i]) ++i;
  expect(declassified(i == a.size()), "branch_on_a_secret");
}

/// A table looked up with a secret.
void index_by_a_secret() {
  static const Bytes<32> table = filled(11);
  Bytes<32> secret = filled(3);
  poison(secret);
  const std::byte found = table[std::to_integer<std::size_t>(secret[0])];
  Bytes<1> result{found};
  declassify(result);
  expect(result[0] == std::byte{11}, "index_by_a_secret");
}

/// Whether valgrind reports the leak: then it lets the child end with its own exit status, 1.
bool is_reported(void (*leak)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    leak();
    std::fflush(nullptr);
    ::_exit(0);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 1;
}

int run() {
  if (RUNNING_ON_VALGRIND == 0) {
    std::fputs("run me under valgrind --error-exitcode=1: without it I would show nothing\n",
               stderr);
    return 2;
  }
  // What is fetched and set up once, with nothing secret in it.
  static_cast<void>(sha3_256({}));

  finish_kyber_decapsulation();
  compare();
  derive_keys();
  agree();
  for (const PacketKernels kernels : available_packet_kernels()) {
    std::fprintf(stderr, "packets, %s\n", std::string(name(kernels)).c_str());
    seal_packets(kernels);
    open_packets(kernels, 16);
    open_packets(kernels, 1);
  }
  make_public_hashes_of_secrets();

  std::fputs("two leaks on purpose; valgrind reports them:\n", stderr);
  expect(is_reported(branch_on_a_secret), "a branch on a secret was not reported");
  expect(is_reported(index_by_a_secret), "an address from a secret was not reported");
  return g_failed ? 1 : 0;
}

}  // namespace
}  // namespace trellis::crypto

int main() { return trellis::crypto::run(); }
