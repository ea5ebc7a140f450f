#include "system/store/database.h"

#include "system/descriptor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace trellis::system {
namespace {

constexpr int kApplicationId = 0x54524c53;  // "TRLS"
constexpr int kBusyMs = 500;                // the loop waits with us

tl::unexpected<Error> file_error(const std::string& path, int code, int system_error,
                                 const char* text) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return fail_with(fmt::format("{}: the disk is full: make room", path));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail_with(fmt::format(
          "{}: another program holds it locked (`fuser {}` names it): end that first", path, path));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail_with(fmt::format(
          "{}: the database is damaged ({}): stop the server and put a backup in its place", path,
          text));
    case SQLITE_READONLY:
      return fail_with(
          fmt::format("{}: may not be written: look at the owner and the mode of the "
                      "file and of its folder, and at the mount",
                      path));
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      if (system_error == ENOSPC || system_error == EDQUOT) {
        return fail_with(fmt::format("{}: the disk is full: make room", path));
      }
      return fail_with(fmt::format("{}: {}{}{}", path, text, system_error ? ": " : "",
                                   system_error ? errno_text(system_error) : ""));
    default:
      return fail_with(fmt::format("{}: {}", path, text));
  }
}

/// SQLite makes its other files (PATH-wal, PATH-shm) with the mode of this one.
Result<> make_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return fail_with_errno("cannot open " + path, errno);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail_with_errno("cannot look at " + path, errno);
  if ((info.st_mode & 077) != 0 && ::fchmod(file.get(), 0600) != 0) {
    return fail_with_errno(path + " holds secrets, and others may read it", errno);
  }
  return {};
}

Result<> sync_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid() || ::fsync(file.get()) != 0) {
    return fail_with_errno("cannot write " + path, errno);
  }
  return {};
}

}  // namespace

// ---- statements ------------------------------------------------------------------------------

void Statement::Finalise::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

// Binding fails only for a parameter that is not there, or without memory.
void Statement::bind(int parameter, std::int64_t value) {
  CHECK(sqlite3_bind_int64(statement_.get(), parameter, value) == SQLITE_OK);
}

void Statement::bind(int parameter, std::string_view text) {
  CHECK(sqlite3_bind_text64(statement_.get(), parameter, text.empty() ? "" : text.data(),
                            text.size(), SQLITE_STATIC, SQLITE_UTF8) == SQLITE_OK);
}

void Statement::bind(int parameter, ByteView blob) {
  CHECK(sqlite3_bind_blob64(statement_.get(), parameter,
                            blob.empty() ? static_cast<const void*>("") : blob.data(), blob.size(),
                            SQLITE_STATIC) == SQLITE_OK);
}

void Statement::bind(int parameter, const std::optional<std::int64_t>& value) {
  value ? bind(parameter, *value) : bind_null(parameter);
}

void Statement::bind_null(int parameter) {
  CHECK(sqlite3_bind_null(statement_.get(), parameter) == SQLITE_OK);
}

Result<bool> Statement::step() {
  switch (sqlite3_step(statement_.get())) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return database_->failure();
  }
}

Result<> Statement::run() {
  const auto stepped = step();
  reset();
  if (!stepped) return fail(stepped.error());
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::optional<std::int64_t> Statement::optional_integer(int column) const {
  return is_null(column) ? std::nullopt : std::optional(integer(column));
}

std::string_view Statement::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  if (!text) return {};
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
}

ByteView Statement::blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  if (!bytes) return {};
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {static_cast<const std::byte*>(bytes), static_cast<std::size_t>(size)};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

// ---- the database ----------------------------------------------------------------------------

void Database::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }

Database::~Database() = default;

tl::unexpected<Error> Database::failure() const {
  return file_error(path_, sqlite3_extended_errcode(connection_.get()),
                    sqlite3_system_errno(connection_.get()), sqlite3_errmsg(connection_.get()));
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path,
                                                 std::span<const Migration> migrations) {
  TRY(make_file(path));
  std::unique_ptr<Database> database(new Database(path));
  TRY(database->connect());
  TRY(database->check());
  TRY(database->migrate(migrations));
  // Whether it may be written, and nobody else is about to, is better known now than later.
  TRY(database->begin());
  database->roll_back();
  return database;
}

Result<> Database::connect() {
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(
      path_.c_str(), &connection,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW,
      nullptr);
  connection_.reset(connection);
  if (code != SQLITE_OK) {
    return file_error(path_, code, connection ? sqlite3_system_errno(connection) : 0,
                      sqlite3_errstr(code));
  }
  sqlite3_busy_timeout(connection, kBusyMs);
  // The file is input like any other: nothing in it may call functions of ours.
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return {};
}

/// Looks before anything is written.
Result<> Database::check() {
  const std::int64_t id = TRY(read_number("PRAGMA application_id"));
  const std::int64_t tables = TRY(read_number("SELECT count(*) FROM sqlite_schema"));
  if (id != kApplicationId && (id != 0 || tables != 0)) {
    return fail_with(path_ + ": is the database of another program");
  }
  Statement quick = TRY(prepare("PRAGMA quick_check(1)"));
  if (TRY(quick.step()) && quick.text(0) != "ok") {
    return file_error(path_, SQLITE_CORRUPT, 0, std::string(quick.text(0)).c_str());
  }
  quick.reset();
  // WAL: readers (a backup) do not stop us. FULL: a commit that returned survives a power cut.
  // Removed rows are overwritten: what was a secret is none that can be found.
  TRY(run("PRAGMA journal_mode = WAL"));
  TRY(run("PRAGMA synchronous = FULL"));
  TRY(run("PRAGMA foreign_keys = ON"));
  TRY(run("PRAGMA secure_delete = ON"));
  TRY(run("PRAGMA temp_store = MEMORY"));
  return run("PRAGMA cell_size_check = ON");
}

Result<std::int64_t> Database::read_number(const char* sql) {
  Statement statement = TRY(prepare(sql));
  return TRY(statement.step()) ? statement.integer(0) : 0;
}

Result<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(connection_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
                         nullptr) != SQLITE_OK) {
    return failure();
  }
  return Statement(*this, statement);
}

Result<> Database::run(const char* sql) {
  if (sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return failure();
  }
  return {};
}

// IMMEDIATE: if somebody else is writing we learn of it here and not halfway.
Result<> Database::begin() { return run("BEGIN IMMEDIATE"); }

Result<> Database::commit() { return run("COMMIT"); }

void Database::roll_back() {
  // After some errors SQLite has done so already.
  if (sqlite3_get_autocommit(connection_.get()) == 0) static_cast<void>(run("ROLLBACK"));
}

Result<int> Database::version() {
  const std::int64_t known =
      TRY(read_number("SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'"));
  if (known == 0) return 0;
  return static_cast<int>(TRY(read_number("SELECT max(version) FROM schema_migrations")));
}

Result<> Database::migrate(std::span<const Migration> migrations) {
  const int have = TRY(version());
  const int want = migrations.empty() ? 0 : migrations.back().version;
  if (have > want) {
    return fail_with(fmt::format(
        "{}: was written by a newer trellis-server (schema {}, this one knows {}): install that "
        "again, or put {}.v{}.bak in its place",
        path_, have, want, path_, want));
  }
  if (have == want) return {};
  if (have > 0) TRY(back_up(have));
  for (const Migration& migration : migrations) {
    if (migration.version <= have) continue;
    TRY(begin());
    auto applied = apply(migration);
    if (applied) applied = commit();
    if (!applied) {
      roll_back();
      return fail(std::move(applied).error().within(
          fmt::format("cannot bring the database to schema {}", migration.version)));
    }
  }
  return {};
}

/// One step with its mark: both or neither.
Result<> Database::apply(const Migration& migration) {
  if (migration.version == 1) {
    TRY(run(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str()));
    TRY(run(
        "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT"));
  }
  TRY(run(migration.sql));
  Statement mark = TRY(prepare("INSERT INTO schema_migrations (version, name) VALUES (?1, ?2)"));
  mark.bind(1, std::int64_t{migration.version});
  mark.bind(2, std::string_view(migration.name));
  return mark.run();
}

Result<> Database::back_up(int from_version) {
  const std::string target = fmt::format("{}.v{}.bak", path_, from_version);
  const std::string part = target + ".part";
  ::unlink(part.c_str());
  TRY(make_file(part));
  sqlite3* copy = nullptr;
  const int opened =
      sqlite3_open_v2(part.c_str(), &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, nullptr);
  const std::unique_ptr<sqlite3, Close> owner(copy);
  if (opened != SQLITE_OK) return file_error(part, opened, 0, sqlite3_errstr(opened));
  sqlite3_backup* backup = sqlite3_backup_init(copy, "main", connection_.get(), "main");
  const int copied = backup ? sqlite3_backup_step(backup, -1) : sqlite3_extended_errcode(copy);
  const int finished = sqlite3_backup_finish(backup);
  if (copied != SQLITE_DONE || finished != SQLITE_OK) {
    const int code = copied != SQLITE_DONE ? copied : finished;
    const auto error = file_error(part, code, sqlite3_system_errno(copy), sqlite3_errstr(code));
    ::unlink(part.c_str());
    return error;
  }
  TRY(sync_file(part));
  if (std::rename(part.c_str(), target.c_str()) != 0) {
    return fail_with_errno("cannot write " + target, errno);
  }
  return {};
}

}  // namespace trellis::system
