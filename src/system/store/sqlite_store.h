#pragma once

#include "server/store/store.h"

#include <memory>
#include <string>

namespace trellis::system {

/// The server's store in one SQLite file. Secrets are in it: it is for its owner only, and wants a
/// folder that is so, too. A copy may be made while it is in use (`sqlite3 FILE ".backup COPY"`).
class SqliteStore final : public server::Store {
 public:
  /// Opens FILE or makes it, and brings an older one up to date, of which FILE.vN.bak keeps a copy.
  /// Errors name the file and say what to do.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;
  ~SqliteStore() override;

  Result<server::Snapshot> load() override;
  Result<> commit(const server::Changes& changes) override;

 private:
  struct State;
  explicit SqliteStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trellis::system
