#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace trellis::apps {

/// Tells on standard error, by a thread of its own, that something long is going on: nothing within
/// the first second, then `what` and a dot each second, and at its end a line feed.
class Progress {
 public:
  explicit Progress(std::string what);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

 private:
  void run(const std::string& what);

  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;  // under mutex_
  std::thread thread_;
};

}  // namespace trellis::apps
