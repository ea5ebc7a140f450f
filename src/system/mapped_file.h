#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "system/descriptor.h"

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

namespace trellis::system {

/// A public key file, read where it lies: it costs address space and page cache, not memory.
///
/// Reading a page that was cut off a mapped file ends the process. So the file must be one that
/// only its owner (we or root) can change; our own tools replace such files by rename, which leaves
/// the mapping as it is. Whoever edits the file in place can still harm: ask `intact()` before use.
class MappedFile {
 public:
  /// Fails unless the file has exactly `size` bytes; the error names both sizes.
  static Result<MappedFile> open(const std::string& path, std::size_t size);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  ByteView bytes() const { return bytes_; }
  /// Which file it is, and in which state: the same values, the same bytes, unless somebody set
  /// its time back.
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t modified = 0;  // ns since 1970
    std::int64_t changed = 0;   // its owner, mode or content
    friend auto operator<=>(const Stamp&, const Stamp&) = default;
  };
  Stamp stamp() const;
  /// Gives the memory back that reading has taken; who reads on takes it again.
  void let_go() const;
  /// The file that is mapped still has all its bytes.
  bool intact() const;

 private:
  MappedFile(Descriptor descriptor, ByteView bytes)
      : descriptor_(std::move(descriptor)), bytes_(bytes) {}
  void unmap();

  Descriptor descriptor_;
  ByteView bytes_;
};

}  // namespace trellis::system
