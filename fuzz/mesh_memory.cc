// What an agent remembers of its network, from a disk that may have lost some of it.

#include "input.h"
#include "netmap_checks.h"
#include "node/mesh/memory.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  const auto memory =
      mesh::parse_memory(fuzz::text_of(std::as_bytes(std::span(data, size))), fuzz::own_key());
  if (!memory) {
    CHECK(!memory.error().message.empty());
    return 0;
  }
  if (memory->map) fuzz::check_map(*memory->map);
  CHECK(memory->contacts.size() <= netmap::Map::kPeersMax);
  for (const auto& [peer, lines] : memory->contacts) {
    CHECK(lines.size() <= mesh::Memory::kContactsMax);
    for (const std::string& line : lines) CHECK(line.size() <= mesh::Memory::kContactBytesMax);
  }
  const std::string text = mesh::format_memory(*memory);
  const auto again = mesh::parse_memory(text, fuzz::own_key());
  CHECK(again && mesh::format_memory(*again) == text);
  return 0;
}
