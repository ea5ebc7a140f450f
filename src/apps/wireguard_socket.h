#pragma once

#include "base/result.h"
#include "protocol/wireguard/device.h"
#include "protocol/wireguard/uapi.h"
#include "system/ipc.h"
#include "system/loop.h"

#include <functional>
#include <string>
#include <string_view>

namespace trellis::apps {

/// Where wg(8) looks for an interface: /var/run/wireguard/NAME.sock.
std::string wireguard_socket_path(std::string_view interface);

/// Listens there, for root alone: who may use the socket holds the private key. `answer` is given
/// whole requests. Fails where somebody else listens.
Result<system::IpcServer> listen_for_wg(system::Loop& loop, std::string_view interface,
                                        std::function<std::string(std::string_view)> answer);

/// The answer of an interface that is told by wg(8), but never changed: its keys are made by the
/// exchanges, its peers come from the list or the server. A request to set is refused (EPERM).
std::string answer_to_reader(const wireguard::Device& device,
                             const wireguard::uapi::Interface& interface, std::string_view request);

}  // namespace trellis::apps
