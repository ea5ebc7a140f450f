#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::apps {

/// What is wrong now and does not end the program, one sentence a topic: logged when it changes,
/// shown by `trellis status` as long as it lasts.
class Warnings {
 public:
  void set(const std::string& topic, std::string text);
  void clear(const std::string& topic) { by_topic_.erase(topic); }
  void clear_all_of(std::string_view topic_prefix);
  std::vector<std::string> texts() const;

 private:
  std::map<std::string, std::string> by_topic_;
};

}  // namespace trellis::apps
