#include "apps/agent/unneeded_files.h"

#include "base/log.h"
#include "system/secure_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <utility>

namespace trellis::apps {
namespace {

constexpr std::size_t kListBytesMax = 1 << 20;

std::int64_t seconds(WallTime time) { return time.nanoseconds_since_epoch / 1'000'000'000; }

}  // namespace

UnneededFiles::UnneededFiles(std::string folder, std::vector<std::string> endings)
    : folder_(std::move(folder)), endings_(std::move(endings)) {
  load();
}

/// A line for each: seconds since 1970, a space, the name. What cannot be read counts from now on.
void UnneededFiles::load() {
  if (!system::file_exists(list())) return;
  const auto bytes = system::read_file(list(), kListBytesMax);
  if (!bytes) return;
  std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::int64_t since = 0;
    const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), since);
    const std::string_view name = line.substr(static_cast<std::size_t>(rest - line.data()));
    if (error != std::errc() || name.size() < 2 || name[0] != ' ') continue;
    since_.emplace(folder_ + "/" + std::string(name.substr(1)), since);
  }
}

void UnneededFiles::save() const {
  std::string text;
  for (const auto& [path, since] : since_) {
    text += fmt::format("{} {}\n", since, std::string_view(path).substr(folder_.size() + 1));
  }
  const auto saved = system::write_file_atomically(list(), as_bytes(text), 0600);
  if (!saved) LOG(debug, "trellisd", "{}", saved.error().message);
}

std::set<std::string> UnneededFiles::files() const {
  std::set<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const std::string ending = entry.path().extension().string();
    if (std::ranges::find(endings_, ending) != endings_.end()) found.insert(entry.path().string());
  }
  return found;
}

void UnneededFiles::sweep(WallTime now, const std::set<std::string>& needed) {
  const auto before = since_;
  const std::set<std::string> here = files();
  std::erase_if(since_, [&](const auto& entry) {
    return needed.contains(entry.first) || !here.contains(entry.first);
  });
  for (const std::string& path : here) {
    if (!needed.contains(path)) since_.try_emplace(path, seconds(now));
  }
  std::vector<std::pair<std::int64_t, std::string>> oldest;
  for (auto& [path, since] : since_) {
    since = std::min(since, seconds(now));  // the clock may have been ahead
    oldest.emplace_back(since, path);
  }
  std::ranges::sort(oldest);
  const std::int64_t limit = seconds(now) - std::chrono::seconds(kKeptFor).count();
  std::size_t left = oldest.size();
  for (const auto& [since, path] : oldest) {
    if (left <= kKeptMax && since > limit) break;
    --left;
    if (system::remove_file(path)) since_.erase(path);
  }
  if (since_ != before) save();
}

}  // namespace trellis::apps
