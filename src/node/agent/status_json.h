#pragma once

#include "node/agent/agent.h"
#include "node/agent/control.h"

#include <nlohmann/json.hpp>

namespace trellis::agent {

/// Keeps the order in which the fields are written, which is the order in which people read them.
using Json = nlohmann::ordered_json;

/// Everything that an agent knows of itself and its peers. What joins it to a network adds to it.
Json status_object(const Agent& agent, TimePoint now, const HostFacts& host);

/// One line. Names come from files and servers: what is not UTF-8 is replaced.
std::string to_line(const Json& object);

/// The text of a field, or nothing if it is not there or no text.
std::optional<std::string> text_field(const Json& object, const char* key);

Json seconds_or_null(const std::optional<Duration>& duration);

}  // namespace trellis::agent
