#include "system/host_name.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>

namespace trellis::system {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  const std::string whole = name.data();
  return whole.substr(0, whole.find('.'));
}

SystemFacts system_facts() {
  utsname facts{};
  if (::uname(&facts) != 0) return {};
  return {"linux", facts.release, facts.machine};
}

}  // namespace trellis::system
