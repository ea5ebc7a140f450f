#pragma once

#include "base/bytes.h"

#include <algorithm>

namespace trellis {

/// A secret of fixed size: moves but never copies, cannot be printed or compared with ==, wiped
/// when it dies. `Tag` makes secrets of different purposes different types.
template <class Tag, std::size_t N>
class SecretBytes {
 public:
  static constexpr std::size_t kSize = N;

  explicit SecretBytes(std::span<const std::byte, N> source) { copy_from(source); }
  SecretBytes(SecretBytes&& other) noexcept {
    copy_from(other.expose());
    zeroise(other.bytes_);
  }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      copy_from(other.expose());
      zeroise(other.bytes_);
    }
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { zeroise(bytes_); }

  /// All zero: a place for a primitive to write its result into, by `fill`.
  static SecretBytes zero() { return SecretBytes(Bytes<N>{}); }

  /// `write(span<std::byte, N>)` fills a new secret in place.
  template <class Write>
  static SecretBytes make(Write&& write) {
    SecretBytes result = zero();
    write(std::span<std::byte, N>(result.bytes_));
    return result;
  }

  SecretBytes clone() const { return SecretBytes(expose()); }
  std::span<const std::byte, N> expose() const { return bytes_; }  // every use can be found by name

 private:
  void copy_from(std::span<const std::byte, N> source) {
    std::copy(source.begin(), source.end(), bytes_.begin());
  }

  Bytes<N> bytes_;
};

/// A secret whose size is known at run time only (KEM secret keys). Same rules as SecretBytes.
class SecretBuffer {
 public:
  SecretBuffer() = default;
  explicit SecretBuffer(std::size_t size) : bytes_(size) {}
  explicit SecretBuffer(ByteView source) : bytes_(source.begin(), source.end()) {}
  SecretBuffer(SecretBuffer&& other) noexcept : bytes_(std::move(other.bytes_)) {
    other.bytes_.clear();
  }
  SecretBuffer& operator=(SecretBuffer&& other) noexcept {
    if (this != &other) {
      zeroise(bytes_);
      bytes_ = std::move(other.bytes_);
      other.bytes_.clear();
    }
    return *this;
  }
  SecretBuffer(const SecretBuffer&) = delete;
  SecretBuffer& operator=(const SecretBuffer&) = delete;
  ~SecretBuffer() { zeroise(bytes_); }

  SecretBuffer clone() const { return SecretBuffer(expose()); }
  std::size_t size() const { return bytes_.size(); }
  ByteView expose() const { return bytes_; }
  MutableByteView expose_mutable() { return bytes_; }

 private:
  ByteVector bytes_;  // never grows, so no copy is left behind by a reallocation
};

}  // namespace trellis
