#pragma once

#include "base/time.h"

#include <cstddef>
#include <cstdint>

namespace trellis::uplink {

// Reconnecting. A restarted server must be found again within 0.7 s, hence the small first step.
inline constexpr Duration kReconnectFirst = 100ms;
inline constexpr Duration kReconnectMax = 10s;
/// A line, or a stream on it, that stood so long was no failure: its back-off begins anew.
inline constexpr Duration kSettled = 5s;
/// Opening TCP and TLS. The owner has limits of its own; this is for one who says nothing.
inline constexpr Duration kConnectLimit = 20s;
/// Until we ask again after a refusal that only people can change.
inline constexpr Duration kConflictRetry = 10s;
inline constexpr Duration kRemovedRetry = 60s;

// Limits of calls. [netbird-wire 2.3]
inline constexpr Duration kServerKeyLimit = 5s;
inline constexpr Duration kLoginLimit = 10s;
inline constexpr Duration kLogoutLimit = 15s;
inline constexpr Duration kSendLimit = 10s;
/// A key on its way. A call that ends unfinished is resumed where it was.
inline constexpr Duration kTransferLimit = 5min;
/// From a Sync to its first map.
inline constexpr Duration kFirstMapLimit = 30s;
/// After `retry_now` a line that stands has to answer.
inline constexpr Duration kProbeLimit = 3s;

// Sync, signal and keys on a line that stands.
inline constexpr Duration kStreamRetryFirst = 300ms;
inline constexpr Duration kStreamRetryMax = 10s;
inline constexpr Duration kKeyRetryFirst = 500ms;
inline constexpr Duration kKeyRetryMax = 30s;

// Signal. [netbird-wire 3.3, 3.4]
inline constexpr Duration kSignalHeadersLimit = 10s;
inline constexpr Duration kSignalSilence = 30s;
inline constexpr Duration kHeartbeatLimit = 10s;
inline constexpr Duration kSignalWaitMax = 30s;        // in the queue
inline constexpr std::size_t kSignalsWaitingMax = 16;  // to one peer
inline constexpr std::size_t kSendsAtOnceMax = 32;     // to all
inline constexpr int kSendTriesMax = 4;

// Of the number of a map, which our servers make of their clock, in milliseconds.
inline constexpr std::uint64_t kSerialMax = std::uint64_t{1} << 46;       // the year 4199
inline constexpr std::uint64_t kSerialAheadMax = std::uint64_t{1} << 32;  // 50 days

inline constexpr std::size_t kFetchesAtOnceMax = 4;
/// Keys of half a megabyte: a server that names others with each map must not make us fetch, and
/// write, without end. So many at once is twice what a node keeps ready.
inline constexpr double kFetchedKeysBurst = 512;
inline constexpr double kFetchedKeysPerSecond = 0.1;
/// Of a key that is uploaded, queued in the connection.
inline constexpr std::size_t kUploadAheadBytes = 128 << 10;

/// What we take in one message: a map of 10,000 peers is 2 MB.
inline constexpr std::size_t kMessageBytesMax = 16 << 20;

}  // namespace trellis::uplink
