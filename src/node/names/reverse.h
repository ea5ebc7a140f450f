#pragma once

#include "base/address.h"
#include "protocol/dns/name.h"

#include <optional>

namespace trellis::names {

/// The addresses that a name of the reverse trees stands for: "4.7.92.100.in-addr.arpa" is
/// 100.92.7.4/32, "92.100.in-addr.arpa" 100.92.0.0/16, and with nibbles under ip6.arpa. Nothing if
/// it is no such name, "in-addr.arpa" itself included. [RFC 1035 3.5, RFC 3596 2.5]
std::optional<Prefix> prefix_of(const dns::Name& name);

/// The zone of a network: of its whole octets (nibbles), rounded up, so that no foreign address is
/// in it. `inside`: a name whose addresses are all of the network; its zone is meant, if several
/// make up the network.
dns::Name reverse_zone(const dns::Name& inside, const Prefix& network);

}  // namespace trellis::names
