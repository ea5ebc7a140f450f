#pragma once

#include "base/network_interface.h"
#include "base/result.h"
#include "protocol/control/join_line.h"

#include <string>
#include <string_view>
#include <vector>

namespace trellis::apps {

/// Where agents reach the server: what join lines say. The fingerprint is left zero.
///
/// `named` is the administrator's "HOST" or "HOST:PORT" ("[v6]:PORT"); without a port it is that of
/// the first endpoint. If it is empty, the address that the server listens on; if that is all of
/// them, the first of this host that others may reach, IPv4 first. Fails on what is no such text.
Result<control::JoinLine> public_address(std::string_view named,
                                         const std::vector<Endpoint>& listening,
                                         const NetworkState& network);

/// "192.0.2.1:443", "[2001:db8::1]:443", or ":443": that port of all addresses, IPv4 and IPv6.
Result<std::vector<Endpoint>> parse_listen(std::string_view text);

}  // namespace trellis::apps
