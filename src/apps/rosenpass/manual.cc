#include "apps/rosenpass/manual.h"

#include "base/bytes.h"
#include "system/program.h"

#include <cstdio>

namespace trellis::rosenpass_program {

bool show_manual() {
  constexpr Duration kAsLongAsSomebodyReads = 24h;
  const auto shown = system::run_program_with_input({"man", "-l", "-"}, as_bytes(manual()),
                                                    kAsLongAsSomebodyReads);
  if (shown && *shown == 0) return true;
  return std::fwrite(manual().data(), 1, manual().size(), stdout) == manual().size();
}

}  // namespace trellis::rosenpass_program
