#pragma once

#include <string>
#include <string_view>

namespace trellis {

/// One label of a machine's name: letters, digits and inner hyphens, 1 to 63. [RFC 1123 2.1]
bool is_host_label(std::string_view text);

/// Such labels with dots between them, none at the end; 1 to 253 characters.
bool is_host_name(std::string_view text);

/// Makes ASCII letters lower case, and nothing else: no locale has a say.
std::string ascii_lower(std::string_view text);

}  // namespace trellis
