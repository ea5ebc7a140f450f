#include "system/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace trellis::system {

Result<MappedFile> MappedFile::open(const std::string& path, std::size_t size) {
  CHECK(size > 0);
  Descriptor descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!descriptor.valid()) {
    if (errno == ENOENT) return fail_with(fmt::format("there is no file {}", path));
    if (errno == EACCES || errno == EPERM) {
      return fail_with(
          fmt::format("cannot read {}: permission denied; run this as root or as its owner", path));
    }
    return fail_with_errno("cannot read " + path, errno);
  }
  struct stat info{};
  if (::fstat(descriptor.get(), &info) != 0) return fail_with_errno("cannot read " + path, errno);
  if (!S_ISREG(info.st_mode)) return fail_with(fmt::format("{} is not an ordinary file", path));
  if (std::cmp_not_equal(info.st_size, size)) {
    return fail_with(fmt::format(
        "{} has {} bytes, but a key of this kind has {}: copy it again from where it was made",
        path, info.st_size, size));
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return fail_with(
        fmt::format("{} belongs to another user (uid {}), who could change it: run `chown {} {}`",
                    path, info.st_uid, ::geteuid(), path));
  }
  if ((info.st_mode & 022) != 0) {
    return fail_with(fmt::format("others may change {} (mode {:04o}): run `chmod go-w {}`", path,
                                 info.st_mode & 07777, path));
  }
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor.get(), 0);
  if (address == MAP_FAILED) return fail_with_errno("cannot map " + path, errno);
  return MappedFile(std::move(descriptor), ByteView(static_cast<const std::byte*>(address), size));
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : descriptor_(std::move(other.descriptor_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    unmap();
    descriptor_ = std::move(other.descriptor_);
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

MappedFile::~MappedFile() { unmap(); }

bool MappedFile::intact() const {
  struct stat info{};
  return descriptor_.valid() && ::fstat(descriptor_.get(), &info) == 0 &&
         std::cmp_greater_equal(info.st_size, bytes_.size());
}

MappedFile::Stamp MappedFile::stamp() const {
  struct stat info{};
  if (!descriptor_.valid() || ::fstat(descriptor_.get(), &info) != 0) return {};
  const auto nanoseconds = [](const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  return {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size),
          nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

void MappedFile::let_go() const {
  void* address = const_cast<std::byte*>(bytes_.data());
  // Locked pages are kept; these hold no secret.
  static_cast<void>(::munlock(address, bytes_.size()));
  static_cast<void>(::madvise(address, bytes_.size(), MADV_DONTNEED));
}

void MappedFile::unmap() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  bytes_ = {};
}

}  // namespace trellis::system
