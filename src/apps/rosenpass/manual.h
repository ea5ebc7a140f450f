#pragma once

#include <string_view>

namespace trellis::rosenpass_program {

/// docs/man/trellis-rosenpass.1, which is compiled in.
std::string_view manual();

/// Through man(1); where that is missing, the page's source on standard output.
bool show_manual();

}  // namespace trellis::rosenpass_program
