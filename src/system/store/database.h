#pragma once

// Internal to system/store: the one place that names SQLite.

#include "base/bytes.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace trellis::system {

/// A prepared statement, used again and again: bind, step until no row comes, reset.
class Statement {
 public:
  /// The first parameter is 1. Texts and blobs must live until the next reset().
  void bind(int parameter, std::int64_t value);
  void bind(int parameter, std::string_view text);
  void bind(int parameter, ByteView blob);
  void bind(int parameter, const std::optional<std::int64_t>& value);
  void bind_null(int parameter);

  /// True: there is a row. False: done.
  Result<bool> step();
  /// For those that yield no rows: step, then reset, whatever happened.
  Result<> run();
  void reset();

  /// Of the row; the first column is 0. Views live until the next step() or reset().
  std::int64_t integer(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;
  std::string_view text(int column) const;
  ByteView blob(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalise {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(class Database& database, sqlite3_stmt* statement)
      : database_(&database), statement_(statement) {}

  class Database* database_;  // which outlives it
  std::unique_ptr<sqlite3_stmt, Finalise> statement_;
};

/// One step in the history of a schema. Never changed once it was released.
struct Migration {
  int version;  // 1, 2, ...
  const char* name;
  const char* sql;  // any number of statements
};

/// An SQLite file with one connection, in WAL mode with every commit on disk when it returns.
class Database {
 public:
  /// Opens the file, or makes it (0600), and brings its schema up to the last migration: before
  /// that the file is copied to PATH.vN.bak, N being the version it had. Fails, and has changed
  /// nothing, if it is newer than this program, damaged, locked, of another program, or may not be
  /// written.
  static Result<std::unique_ptr<Database>> open(const std::string& path,
                                                std::span<const Migration> migrations);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  Result<Statement> prepare(const char* sql);
  /// Statements without parameters and rows.
  Result<> run(const char* sql);

  /// Between them all or nothing is changed. After an error of any statement call roll_back().
  Result<> begin();
  Result<> commit();
  void roll_back();

  /// The error of the last call, for people: names the file and what to do.
  tl::unexpected<Error> failure() const;

 private:
  explicit Database(std::string path) : path_(std::move(path)) {}

  Result<> connect();
  Result<> check();
  Result<int> version();
  Result<> migrate(std::span<const Migration> migrations);
  Result<> apply(const Migration& migration);
  Result<> back_up(int from_version);
  Result<std::int64_t> read_number(const char* sql);

  struct Close {
    void operator()(sqlite3* connection) const;
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace trellis::system
