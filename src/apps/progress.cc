#include "apps/progress.h"

#include "base/time.h"

#include <cstdio>
#include <utility>

namespace trellis::apps {

Progress::Progress(std::string what) : thread_([this, text = std::move(what)] { run(text); }) {}

Progress::~Progress() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void Progress::run(const std::string& what) {
  std::unique_lock lock(mutex_);
  bool said = false;
  while (!ended_.wait_for(lock, 1s, [this] { return done_; })) {
    std::fprintf(stderr, "%s", said ? "." : (what + " ..").c_str());
    said = true;
  }
  if (said) std::fputc('\n', stderr);
}

}  // namespace trellis::apps
