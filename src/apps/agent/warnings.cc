#include "apps/agent/warnings.h"

#include "base/log.h"

#include <utility>

namespace trellis::apps {

void Warnings::set(const std::string& topic, std::string text) {
  std::string& known = by_topic_[topic];
  if (known == text) return;
  LOG(warn, "trellisd", "{}", text);
  known = std::move(text);
}

void Warnings::clear_all_of(std::string_view topic_prefix) {
  std::erase_if(by_topic_,
                [&](const auto& entry) { return entry.first.starts_with(topic_prefix); });
}

std::vector<std::string> Warnings::texts() const {
  std::vector<std::string> texts;
  texts.reserve(by_topic_.size());
  for (const auto& [topic, text] : by_topic_) texts.push_back(text);
  return texts;
}

}  // namespace trellis::apps
