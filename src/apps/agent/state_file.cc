#include "apps/agent/state_file.h"

#include "system/clock.h"
#include "system/secure_file.h"

namespace trellis::apps {
namespace {

constexpr Duration kSaveAgain = 5s;
constexpr std::size_t kBytesMax = 16 << 20;

}  // namespace

Result<StateFile> StateFile::create(system::Loop& loop, std::string path, Warnings& warnings) {
  auto self = std::unique_ptr<Self>(new Self{std::move(path), warnings, {}, {}});
  self->again = TRY(loop.timer([raw = self.get()] { write(*raw); }));
  return StateFile(std::move(self));
}

Result<std::optional<std::string>> StateFile::load() const {
  if (!system::file_exists(self_->path)) return std::nullopt;
  const ByteVector bytes = TRY(system::read_file(self_->path, kBytesMax));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void StateFile::save(std::string_view text) {
  self_->unsaved = text;
  write(*self_);
}

void StateFile::write(Self& self) {
  const auto written = system::write_secret_file(self.path, as_bytes(self.unsaved));
  if (written) {
    self.unsaved.clear();
    self.again.disarm();
    self.warnings.clear(self.path);
    return;
  }
  self.again.arm(system::boot_now() + kSaveAgain);
  self.warnings.set(self.path, written.error().message);
}

Result<agent::State> load_state(const StateFile& file) {
  const std::optional<std::string> text = TRY(file.load());
  if (!text) return agent::State{};
  auto state = agent::parse_state(*text);
  if (!state) return fail(std::move(state).error().within(file.path()));
  return state;
}

Result<> StateFile::remove() {
  self_->unsaved.clear();
  self_->again.disarm();
  self_->warnings.clear(self_->path);
  return system::remove_file(self_->path);
}

}  // namespace trellis::apps
