#include "system/network_namespace.h"

#include "system/descriptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>

#include <cerrno>

namespace trellis::system {
namespace {

constexpr const char* kNamesFolder = "/run/netns/";  // of ip-netns(8)

tl::unexpected<Error> enter_error(const std::string& name, int number) {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
      return fail_with(fmt::format(
          "there is no network namespace {}: `ip netns list` shows those that have names", name));
    case EINVAL:
      return fail_with(fmt::format("{} is no network namespace", name));
    case EPERM:
    case EACCES:
      return fail_with(
          fmt::format("entering the network namespace {} needs root: run this as root", name));
    default:
      return fail_with_errno(fmt::format("cannot enter the network namespace {}", name), number);
  }
}

}  // namespace

Result<> enter_network_namespace(const std::string& name) {
  if (name.empty() || name == "." || name == "..") return enter_error("\"" + name + "\"", ENOENT);
  const bool is_path = name.find('/') != std::string::npos;
  const std::string path = is_path ? name : kNamesFolder + name;
  const Descriptor space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!space.valid() || ::setns(space.get(), CLONE_NEWNET) != 0) return enter_error(name, errno);
  return {};
}

}  // namespace trellis::system
