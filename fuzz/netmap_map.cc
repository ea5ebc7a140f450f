// A map from a server, and an update on top of it. What is in force keeps the rules that the rest
// relies on, whatever the server sent; an update gives such a map again, or nothing.
//
//   source (1: bit 0 a stock server), length of the map (2), map, update

#include "input.h"
#include "netmap_checks.h"
#include "protocol/control/management.pb.h"
#include "protocol/control/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  using namespace wire::management;
  fuzz::Input input(data, size);
  const bool stock = (input.byte() & 1) != 0;
  const std::size_t length = input.number();
  const auto wire = control::parse_message<NetworkMap>(input.bytes(length), control::kMapLimits);
  const auto update = control::parse_message<TrellisUpdate>(input.rest(), control::kMapLimits);
  if (!wire) return 0;
  const netmap::MapContext context{
      .own_key = fuzz::own_key(),
      .source = stock ? netmap::MapSource::Stock : netmap::MapSource::Trellis,
      .peer_config = nullptr,
      .allowed_domain = "example.org"};
  const auto map = netmap::read_map(*wire, context);
  if (!map) {
    fuzz::check_reason(map.error());
    return 0;
  }
  fuzz::check_map(*map);
  CHECK(map->serial == wire->serial());
  if (!update) return 0;
  const auto after = netmap::apply_update(*map, *update, fuzz::own_key());
  if (!after) {
    fuzz::check_reason(after.error());
    return 0;
  }
  fuzz::check_map(*after);
  CHECK(after->serial > map->serial && map->takes_updates);
  return 0;
}
