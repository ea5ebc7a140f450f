#include "system/store/database.h"

#include "system/temporary_folder_test.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

namespace trellis::system {
namespace {

constexpr Migration kFirst{1, "notes", "CREATE TABLE notes (number INTEGER, text TEXT) STRICT;"};
constexpr Migration kSecond{2, "authors", "ALTER TABLE notes ADD COLUMN author TEXT;"};
constexpr Migration kBroken{3, "broken", "CREATE TABLE extra (a INTEGER); SELECT nonsense FROM x;"};

bool contains(const Error& error, std::string_view part) {
  return error.message.find(part) != std::string::npos;
}

class DatabaseTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Database>> open(std::initializer_list<Migration> migrations = {kFirst}) {
    return Database::open(path_, std::vector(migrations));
  }
  static Result<> note(Database& database, std::int64_t number, std::string_view text = "x") {
    Statement insert = TRY(database.prepare("INSERT INTO notes (number, text) VALUES (?1, ?2)"));
    insert.bind(1, number);
    insert.bind(2, text);
    return insert.run();
  }
  static std::int64_t count(Database& database) {
    Statement all = database.prepare("SELECT count(*) FROM notes").value();
    CHECK(all.step().value());
    return all.integer(0);
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("store.db");
};

TEST_F(DatabaseTest, RowsComeBackAfterItWasClosed) {
  {
    const auto database = open().value();
    ASSERT_TRUE(note(*database, -5, "with 'quotes' and \xc3\xa4"));
  }
  const auto database = open().value();
  Statement all = database->prepare("SELECT number, text FROM notes").value();
  ASSERT_TRUE(all.step().value());
  EXPECT_EQ(all.integer(0), -5);
  EXPECT_EQ(all.text(1), "with 'quotes' and \xc3\xa4");
  EXPECT_FALSE(all.step().value());
}

TEST_F(DatabaseTest, NobodyElseMayReadItsFiles) {
  const auto database = open().value();
  ASSERT_TRUE(note(*database, 1));
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat info{};
    ASSERT_EQ(::stat((path_ + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600U) << suffix;
  }
}

TEST_F(DatabaseTest, ARolledBackTransactionHasChangedNothing) {
  const auto database = open().value();
  ASSERT_TRUE(database->begin());
  ASSERT_TRUE(note(*database, 1));
  database->roll_back();
  EXPECT_EQ(count(*database), 0);
  ASSERT_TRUE(database->begin());
  ASSERT_TRUE(note(*database, 2));
  ASSERT_TRUE(database->commit());
  database->roll_back();
  EXPECT_EQ(count(*database), 1);
}

TEST_F(DatabaseTest, AMigrationKeepsTheRowsAndACopyOfTheOldFile) {
  {
    const auto database = open().value();
    ASSERT_TRUE(note(*database, 1));
  }
  {
    const auto database = open({kFirst, kSecond}).value();
    EXPECT_EQ(count(*database), 1);
    EXPECT_TRUE(database->run("UPDATE notes SET author = 'somebody'"));
  }
  struct stat info{};
  ASSERT_EQ(::stat((path_ + ".v1.bak").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  // The copy is a whole database of the old version.
  ASSERT_EQ(::rename((path_ + ".v1.bak").c_str(), path_.c_str()), 0);
  const auto old = open().value();
  EXPECT_EQ(count(*old), 1);
  EXPECT_FALSE(old->prepare("SELECT author FROM notes"));
}

TEST_F(DatabaseTest, ANewFileNeedsNoCopy) {
  ASSERT_TRUE(open({kFirst, kSecond}));
  EXPECT_NE(::access((path_ + ".v0.bak").c_str(), F_OK), 0);
  EXPECT_NE(::access((path_ + ".v1.bak").c_str(), F_OK), 0);
}

TEST_F(DatabaseTest, AFailedMigrationLeavesTheOldSchema) {
  ASSERT_TRUE(open({kFirst, kSecond}));
  const auto failed = open({kFirst, kSecond, kBroken});
  ASSERT_FALSE(failed);
  EXPECT_TRUE(contains(failed.error(), "schema 3")) << failed.error().message;
  const auto database = open({kFirst, kSecond}).value();
  EXPECT_FALSE(database->prepare("SELECT * FROM extra"));
}

TEST_F(DatabaseTest, AFileOfANewerProgramIsRefused) {
  ASSERT_TRUE(open({kFirst, kSecond}));
  const auto older = open({kFirst});
  ASSERT_FALSE(older);
  EXPECT_TRUE(contains(older.error(), "newer")) << older.error().message;
  EXPECT_TRUE(contains(older.error(), "store.db.v1.bak")) << older.error().message;
  EXPECT_TRUE(open({kFirst, kSecond}));
}

TEST_F(DatabaseTest, OtherFilesAreRefusedAndNotTouched) {
  std::ofstream(path_) << "this is a letter to my aunt, and by no means a database of anybody";
  const auto letter = open();
  ASSERT_FALSE(letter);
  EXPECT_TRUE(contains(letter.error(), "damaged")) << letter.error().message;
  EXPECT_EQ(std::filesystem::file_size(path_), 66U);

  ASSERT_TRUE(std::filesystem::remove(path_));
  {
    const Migration other{1, "other", "PRAGMA application_id = 77; CREATE TABLE x (y);"};
    ASSERT_TRUE(open({other}));
  }
  const auto foreign = open();
  ASSERT_FALSE(foreign);
  EXPECT_TRUE(contains(foreign.error(), "another program")) << foreign.error().message;
}

TEST_F(DatabaseTest, ADamagedFileIsNoticedAtTheStart) {
  {
    const auto database = open().value();
    ASSERT_TRUE(database->begin());
    for (int i = 0; i < 2000; ++i) ASSERT_TRUE(note(*database, i, std::string(50, 'x')));
    ASSERT_TRUE(database->commit());
  }
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4096);
    file << std::string(4096 * 3, '\xee');
  }
  const auto damaged = open();
  ASSERT_FALSE(damaged);
  EXPECT_TRUE(contains(damaged.error(), "damaged")) << damaged.error().message;
}

TEST_F(DatabaseTest, ALockedDatabaseIsSaidToBeLocked) {
  const auto database = open().value();
  const auto other = open().value();
  ASSERT_TRUE(other->begin());
  const auto blocked = database->begin();
  ASSERT_FALSE(blocked);
  EXPECT_TRUE(contains(blocked.error(), "locked")) << blocked.error().message;
  other->roll_back();
  EXPECT_TRUE(database->begin());
}

TEST_F(DatabaseTest, AFullDatabaseRefusesAndGoesOn) {
  const auto database = open().value();
  ASSERT_TRUE(database->run("PRAGMA max_page_count = 20"));
  Result<> result;
  std::int64_t before = 0;
  for (int i = 0; i < 1000 && result; ++i) {
    before = count(*database);
    ASSERT_TRUE(database->begin());
    result = note(*database, i, std::string(2000, 'x'));
    if (result) result = database->commit();
    if (!result) database->roll_back();
  }
  ASSERT_FALSE(result);
  EXPECT_TRUE(contains(result.error(), "full")) << result.error().message;
  EXPECT_EQ(count(*database), before);
  ASSERT_TRUE(database->run("DELETE FROM notes"));
  EXPECT_TRUE(note(*database, 1));
}

TEST_F(DatabaseTest, WhatWasCommittedSurvivesAKill) {
  const std::string marks = folder_.file("marks");
  for (int round = 0; round < 10; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto database = open().value();
      std::ofstream acknowledged(marks, std::ios::trunc);
      for (std::int64_t i = count(*database) + 1;; ++i) {
        if (!database->begin() || !note(*database, i) || !database->commit()) ::_exit(1);
        acknowledged << i << std::endl;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + 7 * round));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it failed by itself";
    std::int64_t last = 0;
    std::ifstream read_back(marks);
    for (std::int64_t number = 0; read_back >> number;) last = number;
    const auto database = open().value();
    EXPECT_GE(count(*database), last);
    if (last != 0) {
      EXPECT_LE(count(*database), last + 1);  // killed before it could acknowledge
    }
  }
}

}  // namespace
}  // namespace trellis::system
