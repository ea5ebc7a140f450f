#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace trellis::server {

/// A DNS label out of what a machine calls itself: lower case, up to the first dot, what a label
/// may not have replaced by hyphens, at most 63 characters; "machine" if nothing is left.
std::string label_of(std::string_view host_name);

/// Whether an administrator may give this name as it is: a label in lower case.
bool is_label(std::string_view text);

/// `label`, or the first of label-2, label-3, ... that is not taken.
std::string unique_label(const std::string& label,
                         const std::function<bool(const std::string&)>& taken);

}  // namespace trellis::server
