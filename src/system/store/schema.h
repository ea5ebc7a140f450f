#pragma once

// Internal to system/store: what the server's database looks like, version by version.

#include "system/store/database.h"

#include <array>

namespace trellis::system {

// Times are nanoseconds since 1970, UTC; addresses and prefixes are texts.
inline constexpr std::array kSchema = {
    Migration{1, "network, peers, setup keys", R"(
CREATE TABLE network (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  box BLOB NOT NULL CHECK (length(box) = 32),
  v4 TEXT NOT NULL,
  v6 TEXT NOT NULL,
  domain TEXT NOT NULL,
  serial INTEGER NOT NULL
) STRICT;

CREATE TABLE peers (
  key BLOB PRIMARY KEY CHECK (length(key) = 32),
  name TEXT NOT NULL,
  v4 TEXT NOT NULL,
  v6 TEXT NOT NULL,
  key_name BLOB CHECK (length(key_name) = 33),
  asked_key BLOB CHECK (length(asked_key) = 33),
  key_complete INTEGER NOT NULL,
  ephemeral INTEGER NOT NULL,
  setup_key TEXT NOT NULL,
  created INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  host_name TEXT NOT NULL,
  version TEXT NOT NULL,
  system TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE setup_keys (
  id TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  reusable INTEGER NOT NULL,
  usage_limit INTEGER NOT NULL,
  used INTEGER NOT NULL,
  expires INTEGER,
  revoked INTEGER NOT NULL,
  ephemeral INTEGER NOT NULL,
  created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)"},
};

}  // namespace trellis::system
