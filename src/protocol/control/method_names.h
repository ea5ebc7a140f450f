#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trellis::control {

// The paths of calls, as they stand in HTTP/2's `:path`. [netbird-wire 2.1, 3.1]

inline constexpr std::string_view kGetServerKey = "/management.ManagementService/GetServerKey";
inline constexpr std::string_view kLogin = "/management.ManagementService/Login";
inline constexpr std::string_view kSync = "/management.ManagementService/Sync";
inline constexpr std::string_view kIsHealthy =
    "/management.ManagementService/isHealthy";  // small i
inline constexpr std::string_view kSyncMeta = "/management.ManagementService/SyncMeta";
inline constexpr std::string_view kLogout = "/management.ManagementService/Logout";
inline constexpr std::string_view kJob = "/management.ManagementService/Job";
inline constexpr std::string_view kGetDeviceAuthorizationFlow =
    "/management.ManagementService/GetDeviceAuthorizationFlow";
inline constexpr std::string_view kGetPkceAuthorizationFlow =
    "/management.ManagementService/GetPKCEAuthorizationFlow";
inline constexpr std::string_view kExtendAuthSession =
    "/management.ManagementService/ExtendAuthSession";
inline constexpr std::string_view kCreateExpose = "/management.ManagementService/CreateExpose";
inline constexpr std::string_view kRenewExpose = "/management.ManagementService/RenewExpose";
inline constexpr std::string_view kStopExpose = "/management.ManagementService/StopExpose";

inline constexpr std::string_view kSignalSend = "/signalexchange.SignalExchange/Send";
inline constexpr std::string_view kSignalConnectStream =
    "/signalexchange.SignalExchange/ConnectStream";

inline constexpr std::string_view kKeyUpload = "/trellis.v1.KeyStore/Upload";
inline constexpr std::string_view kKeyFetch = "/trellis.v1.KeyStore/Fetch";

/// Of ConnectStream's request: base64 of the WireGuard key that registers. [netbird-wire 3.3]
inline constexpr std::string_view kPeerIdMetadata = "x-wiretrustee-peer-id";
/// Of its answer, "1", in headers that are sent at once.
inline constexpr std::string_view kPeerRegisteredMetadata = "x-wiretrustee-peer-registered";

/// Of our agents, in PeerSystemMeta.netbird_version: passes every gate of stock servers and still
/// tells who it is. [netbird-wire 2.5]
inline constexpr std::string_view kAgentVersion = "0.77.1+trellis";

/// Sizes of the fields that are ours.
inline constexpr std::size_t kConnectionNonceBytes = 32;
inline constexpr std::size_t kInstanceBytes = 16;
inline constexpr std::size_t kKeyPieceBytesMax = 32U << 10;

}  // namespace trellis::control
