#include "apps/packet_kernels.h"

#include "base/log.h"
#include "crypto/packet_batch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <string_view>
#include <vector>

namespace trellis::apps {

Result<> choose_packet_kernels() {
  constexpr const char* kVariable = "TRELLIS_PACKET_KERNELS";
  if (const char* wanted = std::getenv(kVariable)) {  // NOLINT(concurrency-mt-unsafe): never set
    const auto kernels = crypto::find_packet_kernels(wanted);
    if (!kernels || !crypto::choose_packet_kernels(*kernels)) {
      std::vector<std::string_view> names;
      for (const auto available : crypto::available_packet_kernels()) {
        names.push_back(crypto::name(available));
      }
      return fail_with(
          fmt::format("{}={}: this processor has {}", kVariable, wanted, fmt::join(names, ", ")));
    }
  }
  LOG(info, "crypto", "packets are sealed by {}", crypto::name(crypto::best_packet_kernels()));
  return {};
}

}  // namespace trellis::apps
