#include "system/log_sink.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <string>

namespace trellis::system {
namespace {

// A pipe that is ready takes this much at once, whole and unmixed. [POSIX PIPE_BUF]
constexpr std::size_t kLineBytesMax = 4096;

// What log::Sink, a plain function, cannot carry.
std::atomic<bool> g_journal{false};
std::atomic<std::uint64_t> g_lost{0};

/// JOURNAL_STREAM names the device and inode of standard error if that is the journal.
/// [systemd.exec]
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return fmt::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

int priority_of(log::Level level) {
  switch (level) {
    case log::Level::trace:
    case log::Level::debug:
      return 7;
    case log::Level::info:
      return 6;
    case log::Level::warn:
      return 4;
    case log::Level::error:
    case log::Level::off:
      return 3;
  }
  return 3;
}

std::string prefix(log::Level level) {
  if (g_journal.load(std::memory_order_relaxed)) return fmt::format("<{}>", priority_of(level));
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z {:5} ", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     now.tv_nsec / 1'000'000, log::name(level));
}

/// What a terminal or a reader of lines would take for something else becomes '?'.
void make_printable(std::string& text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
}

bool write_line(std::string line) {
  if (line.size() >= kLineBytesMax) line.resize(kLineBytesMax - 1);
  line += '\n';
  pollfd entry{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&entry, 1, 0) != 1 || (entry.revents & POLLOUT) == 0) return false;
  return ::write(STDERR_FILENO, line.data(), line.size()) >= 0;
}

void sink(log::Level level, std::string_view module, std::string_view text) {
  std::string line = fmt::format("{}{}: {}", prefix(level), module, text);
  make_printable(line);
  if (!write_line(std::move(line))) {
    g_lost.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const std::uint64_t lost = g_lost.exchange(0, std::memory_order_relaxed);
  if (lost == 0) return;
  if (!write_line(fmt::format("{}log: {} earlier lines were lost: nobody took them",
                              prefix(log::Level::warn), lost))) {
    g_lost.fetch_add(lost, std::memory_order_relaxed);
  }
}

}  // namespace

void start_logging(log::Level level) {
  g_journal = stderr_is_journal();
  log::set_level(level);
  log::set_sink(&sink);
}

}  // namespace trellis::system
