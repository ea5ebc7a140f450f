#include "system/store/key_folder.h"

#include "base/hex.h"
#include "system/descriptor.h"
#include "system/secure_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace trellis::system {
namespace {

using server::KeyName;

constexpr std::size_t kPieceMax = 1 << 20;

tl::unexpected<Error> file_error(const std::string& path, int number) {
  if (number == ENOSPC || number == EDQUOT)
    return fail_with(path + ": the disk is full: make room");
  return fail_with_errno(path, number);
}

std::optional<std::uint32_t> size_of(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  if (info.st_size > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return static_cast<std::uint32_t>(info.st_size);
}

Result<> write_at(int file, const std::string& path, std::uint32_t offset, ByteView bytes) {
  auto at = static_cast<off_t>(offset);
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(file, bytes.data(), bytes.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    at += n;
  }
  return {};
}

constexpr std::string_view kPart = ".part";

/// Whose file it is; nothing if it is none of ours.
std::optional<KeyName> name_of_file(std::string_view file) {
  if (file.ends_with(kPart)) file.remove_suffix(kPart.size());
  const auto bytes = from_hex(file);
  if (!bytes || bytes->size() != KeyName{}.size() || to_hex(*bytes) != file) return std::nullopt;
  return to_array<KeyName{}.size()>(*bytes);
}

}  // namespace

Result<KeyFolder> KeyFolder::open(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_with_errno("cannot make the folder " + path, errno);
  }
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail_with_errno("cannot look at " + path, errno);
  if (!S_ISDIR(info.st_mode)) return fail_with(path + " is not a folder");
  return KeyFolder(path);
}

std::string KeyFolder::whole_file(const KeyName& name) const { return path_ + "/" + to_hex(name); }

std::string KeyFolder::part_file(const KeyName& name) const {
  return whole_file(name) + std::string(kPart);
}

std::uint32_t KeyFolder::size(const KeyName& name) {
  if (const auto whole = size_of(whole_file(name))) return *whole;
  return size_of(part_file(name)).value_or(0);
}

Result<> KeyFolder::append(const KeyName& name, std::uint32_t offset, ByteView piece) {
  if (is_complete(name)) return fail_with(whole_file(name) + " is complete already");
  const std::string path = part_file(name);
  const Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600));
  if (!file.valid()) return file_error(path, errno);
  if (size_of(path) != offset) return fail_with(path + ": the piece does not begin at its end");
  auto written = write_at(file.get(), path, offset, piece);
  // Half a piece would make the next one begin elsewhere.
  if (!written && ::ftruncate(file.get(), static_cast<off_t>(offset)) != 0) {
    ::unlink(path.c_str());
  }
  return written;
}

// Pieces are not synced one by one: what a power cut leaves of them is found out by the hash that
// is taken before complete(), and uploaded again.
Result<> KeyFolder::complete(const KeyName& name) {
  if (is_complete(name)) return {};
  const std::string part = part_file(name);
  const std::string whole = whole_file(name);
  {
    const Descriptor file(::open(part.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.valid() || ::fsync(file.get()) != 0) return file_error(part, errno);
  }
  if (std::rename(part.c_str(), whole.c_str()) != 0) return file_error(whole, errno);
  const Descriptor folder(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0) return file_error(path_, errno);
  return {};
}

bool KeyFolder::is_complete(const KeyName& name) { return size_of(whole_file(name)).has_value(); }

Result<ByteVector> KeyFolder::read(const KeyName& name, std::uint32_t offset,
                                   std::uint32_t length) {
  // An unfinished key is read, too: to find out whether it is the one that it should be.
  const std::string path = is_complete(name) ? whole_file(name) : part_file(name);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return file_error(path, errno);
  ByteVector bytes(std::min<std::size_t>(length, kPieceMax));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::pread(file.get(), bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(offset) + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(path, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

Result<> KeyFolder::remove(const KeyName& name) {
  TRY(remove_file(part_file(name)));
  return remove_file(whole_file(name));
}

Result<> KeyFolder::keep(const std::set<KeyName>& names) {
  std::vector<std::string> old;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    const auto name = name_of_file(entry.path().filename().string());
    if (name && !names.contains(*name)) old.push_back(entry.path().string());
  }
  if (error) return fail_with(path_ + ": " + error.message());
  for (const std::string& path : old) TRY(remove_file(path));
  return {};
}

}  // namespace trellis::system
