#include "apps/setup_key_source.h"

#include "system/descriptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace trellis::apps {
namespace {

constexpr std::size_t kBytesMax = 256;
constexpr const char* kVariable = "TRELLIS_SETUP_KEY";

bool is_space(std::byte b) {
  return b == std::byte{' '} || (b >= std::byte{9} && b <= std::byte{13});
}

bool fits(std::byte b) {
  const auto c = std::to_integer<char>(b);
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_';
}

Result<SecretBuffer> checked(ByteView text, const std::string& source) {
  while (!text.empty() && is_space(text.front())) text = text.subspan(1);
  while (!text.empty() && is_space(text.back())) text = text.first(text.size() - 1);
  if (text.empty())
    return fail_with(fmt::format("there is no setup key in {}: it is empty", source));
  for (const std::byte b : text) {
    if (!fits(b)) {
      return fail_with(fmt::format(
          "what is in {} is no setup key: one line of letters, digits and dashes was expected",
          source));
    }
  }
  return SecretBuffer(text);
}

/// All that comes from a descriptor, kBytesMax at most.
Result<SecretBuffer> read_all(int descriptor, const std::string& source) {
  SecretBuffer buffer(kBytesMax + 1);
  std::size_t size = 0;
  while (size <= kBytesMax) {
    const MutableByteView rest = buffer.expose_mutable().subspan(size);
    const ssize_t n = ::read(descriptor, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return fail_with(fmt::format("cannot read {}: {}", source, system::errno_text(errno)));
    if (n == 0) return checked(buffer.expose().first(size), source);
    size += static_cast<std::size_t>(n);
  }
  return fail_with(
      fmt::format("what is in {} is no setup key: it has more than {} bytes", source, kBytesMax));
}

Result<FoundSetupKey> from_file(const std::string& path) {
  FoundSetupKey found;
  if (path == "-") {
    if (::isatty(STDIN_FILENO) != 0) {
      found.warnings.emplace_back("reading the setup key from the terminal; end it with Ctrl-D");
    }
    found.text = TRY(read_all(STDIN_FILENO, "standard input"));
    return found;
  }
  const system::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.valid())
    return system::fail_with_errno("cannot open the setup key file " + path, errno);
  struct stat facts{};
  if (::fstat(file.get(), &facts) == 0 && S_ISREG(facts.st_mode) && (facts.st_mode & 077) != 0) {
    found.warnings.push_back(
        fmt::format("{} can be read by other users: `chmod 600 {}`", path, path));
  }
  found.text = TRY(read_all(file.get(), path));
  return found;
}

}  // namespace

Result<FoundSetupKey> find_setup_key(const MeshRequest& request) {
  if (!request.setup_key_file.empty()) return from_file(request.setup_key_file);
  FoundSetupKey found;
  if (!request.setup_key.empty()) {
    found.text = TRY(checked(as_bytes(request.setup_key), "--setup-key"));
    found.warnings.emplace_back(
        "every user of this host can read a setup key on the command line while it runs, and it "
        "stays in the shell's history: use --setup-key-file");
    return found;
  }
  const char* variable = std::getenv(kVariable);  // NOLINT(concurrency-mt-unsafe): nobody sets it
  if (variable != nullptr && *variable != '\0') {
    found.text = TRY(checked(as_bytes(std::string_view(variable)), kVariable));
  }
  return found;
}

}  // namespace trellis::apps
