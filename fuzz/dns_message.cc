// What programs of this host ask the agent, by UDP and TCP. An answer is short enough for its way,
// repeats the question, and is itself no question.
//
//   way (1: bit 0 TCP, the rest the size of its pieces), message or stream

#include "input.h"
#include "node/names/names.h"
#include "protocol/dns/stream.h"

namespace trellis::fuzz {
namespace {

using dns::Transport;

names::Names make_names() {
  netmap::Map map;
  map.serial = 7;
  map.name = "alice";
  map.domain = "trellis.internal";
  map.addresses = {*InterfaceAddress::parse("100.92.0.1/17"),
                   *InterfaceAddress::parse("fd77:1:2:3::1/62")};
  netmap::MapPeer bob;
  bob.name = "bob";
  bob.addresses = {*Prefix::parse("100.92.0.2"), *Prefix::parse("fd77:1:2:3::2")};
  map.peers = {bob};
  return names::Names(map);
}

void ask(const names::Names& names, ByteView message, Transport transport) {
  const auto answer = names.answer(message, transport);
  const auto query = dns::parse_query(message);
  CHECK(!query || answer);
  if (!answer) return;
  CHECK(answer->size() >= 12 && answer->size() <= 65535);
  CHECK(transport == Transport::Tcp || answer->size() <= dns::kDatagramBytesMax);
  CHECK(std::equal(answer->begin(), answer->begin() + 2, message.begin()));
  // An answer is answered by nobody, or two resolvers would talk for ever.
  CHECK(!names.answer(*answer, transport));
  if (!query) return;
  const std::string text = query->question.name.to_string();
  CHECK(std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; }));
  const ByteView wire = query->question.name.wire();
  CHECK(answer->size() >= 12 + wire.size() + 4);
  CHECK(std::equal(wire.begin(), wire.end(), answer->begin() + 12));
  Reader reader(wire);
  CHECK(dns::Name::read(reader) == query->question.name && reader.at_end());
  CHECK(query->question.name.suffix(query->question.name.labels().size()) == query->question.name);
}

}  // namespace
}  // namespace trellis::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trellis;
  static const names::Names kNames = fuzz::make_names();
  fuzz::Input input(data, size);
  const std::uint8_t way = input.byte();
  if ((way & 1) == 0) {
    fuzz::ask(kNames, input.rest(), dns::Transport::Udp);
    return 0;
  }
  dns::StreamReader reader(4096);
  while (!input.at_end()) {
    reader.receive(input.bytes(std::size_t{1} + way / 2));
    while (const auto message = reader.next()) {
      CHECK(message->size() <= 4096);
      fuzz::ask(kNames, *message, dns::Transport::Tcp);
      CHECK(dns::frame(*message).size() == message->size() + 2);
    }
  }
  return 0;
}
