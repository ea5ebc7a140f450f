// The other ends of bench/rosenpass/run.py: many initiators, or many responders, in one thread, of
// whatever program is to be measured. And our engine by itself, without sockets.
//
//   trellis_bench_rosenpass keys FOLDER COUNT          key pairs, kept from run to run
//   trellis_bench_rosenpass initiate FOLDER COUNT PUBLIC_KEY ADDRESS SECONDS
//   trellis_bench_rosenpass until FOLDER PUBLIC_KEY ADDRESS SECONDS
//   trellis_bench_rosenpass respond FOLDER COUNT PUBLIC_KEY ADDRESS SECONDS
//   trellis_bench_rosenpass noise PUBLIC_KEY ADDRESS RATE SECONDS KIND    (KIND: mac, hello)
//   trellis_bench_rosenpass engine COUNT
//
// Each prints one line of JSON.

#include "base/hex.h"
#include "crypto/kem.h"
#include "protocol/rosenpass/initiator.h"
#include "protocol/rosenpass/keyed_hash.h"
#include "protocol/rosenpass/responder.h"
#include "protocol/rosenpass/service.h"
#include "system/clock.h"
#include "system/datagram_socket.h"
#include "system/mapped_file.h"
#include "system/random.h"
#include "system/secure_file.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace trellis::rosenpass {
namespace {

constexpr Duration kPatience = 5s;   // then an exchange is begun anew
constexpr double kHashesOfKeys = 6;  // of half a megabyte in an exchange, three at each end

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "trellis_bench_rosenpass: %s\n", what.c_str());
  std::exit(1);  // NOLINT(concurrency-mt-unsafe): there is one thread
}

template <class T = void>
T need(Result<T> result) {
  if (!result) die(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

const crypto::Suite& suite() { return crypto::suite_rosenpass(); }

std::string key_path(const std::string& folder, std::size_t number, const char* extension) {
  return fmt::format("{}/{:04}.{}", folder, number, extension);
}

struct KeyPair {
  system::MappedFile public_key;
  SecretBuffer secret_key;
};

KeyPair load_pair(const std::string& folder, std::size_t number) {
  const std::size_t size = suite().static_kem->sizes().public_key;
  auto raw = need(system::read_secret_file(key_path(folder, number, "sk"), 1 << 16));
  return {need(system::MappedFile::open(key_path(folder, number, "pk"), size)),
          need(normalise_secret_key(suite(), raw.expose()))};
}

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

int make_keys(const std::string& folder, std::size_t count) {
  std::filesystem::create_directories(folder);
  system::SystemRandom random;
  std::size_t made = 0;
  const double before = cpu_seconds();
  for (std::size_t i = 0; i < count; ++i) {
    if (std::filesystem::exists(key_path(folder, i, "sk"))) continue;
    const crypto::KemKeyPair keys = suite().static_kem->generate(random);
    const SecretBuffer secret = rust_form(keys.secret_key.expose());
    need(system::write_file_atomically(key_path(folder, i, "pk"), keys.public_key, 0644));
    need(system::write_file_atomically(key_path(folder, i, "sk"), secret.expose(), 0600));
    ++made;
  }
  fmt::print("{{\"made\": {}, \"cpu_s_each\": {:.4f}}}\n", made,
             made == 0 ? 0.0 : (cpu_seconds() - before) / static_cast<double>(made));
  return 0;
}

/// One end that begins exchanges, the next as soon as the last one is done.
class Initiator {
 public:
  Initiator(KeyPair keys, const Counterpart& responder, const Endpoint& to, Random& random)
      : keys_(std::move(keys)),
        own_{&suite(), Layout(suite()), StaticPublicKey(keys_.public_key.bytes()),
             keys_.secret_key.expose()},
        responder_(responder),
        to_(to),
        random_(random),
        socket_(need(system::DatagramSocket::bind(Endpoint{to.address, 0}))) {}

  void begin(TimePoint now) {
    auto step = start_hello(own_, responder_, SessionId{random_.bytes<4>()}, random_);
    CHECK(step.has_value());
    hello_.emplace(std::move(step->sent));
    conf_.reset();
    began_ = now;
    send(step->init_hello);
  }

  /// Whether something came.
  bool proceed(TimePoint now) {
    std::array<std::byte, 2048> buffer;
    const auto received = socket_.receive(buffer);
    if (!received) {
      if (now - began_ >= kPatience) {
        ++lost;
        begin(now);
      }
      return false;
    }
    bytes += received->bytes.size();
    const auto message = own_.layout.parse(received->bytes);
    if (!message) return true;
    if (const auto* hello = std::get_if<RespHello>(&*message); hello && hello_) {
      auto step = consume_resp_hello(*hello_, *hello, own_, responder_);
      if (!step) return true;
      conf_.emplace(std::move(step->sent));
      hello_.reset();
      send(step->init_conf);
    } else if (const auto* empty = std::get_if<EmptyData>(&*message); empty && conf_) {
      if (!is_acknowledged(conf_->responder_key, *empty)) return true;
      ++completed;
      begin(now);
    }
    return true;
  }

  std::uint64_t completed = 0;
  std::uint64_t lost = 0;
  std::uint64_t bytes = 0;  // of UDP, both ways

 private:
  void send(ByteView datagram) {
    bytes += datagram.size();
    (void)socket_.send(to_, datagram);
  }

  KeyPair keys_;
  Identity own_;
  const Counterpart& responder_;
  Endpoint to_;
  Random& random_;
  system::DatagramSocket socket_;
  std::optional<HelloSent> hello_;
  std::optional<ConfSent> conf_;
  TimePoint began_{};
};

int initiate(const std::string& folder, std::size_t count, const std::string& public_key,
             const Endpoint& to, double seconds) {
  system::SystemRandom random;
  const auto theirs =
      need(system::MappedFile::open(public_key, suite().static_kem->sizes().public_key));
  const Counterpart responder{StaticPublicKey(theirs.bytes()), ExchangePsk::zero()};
  std::vector<std::unique_ptr<Initiator>> ends;
  ends.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    ends.push_back(std::make_unique<Initiator>(load_pair(folder, i), responder, to, random));
  }
  const TimePoint start = system::boot_now();
  for (auto& end : ends) end->begin(start);
  const auto life = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  TimePoint now = start;
  while (now - start < life) {
    bool busy = false;
    for (auto& end : ends) busy = end->proceed(now) || busy;
    if (!busy) std::this_thread::sleep_for(50us);
    now = system::boot_now();
  }
  std::uint64_t completed = 0;
  std::uint64_t lost = 0;
  std::uint64_t bytes = 0;
  for (auto& end : ends) {
    completed += end->completed;
    lost += end->lost;
    bytes += end->bytes;
  }
  const double passed = std::chrono::duration<double>(now - start).count();
  fmt::print("{{\"completed\": {}, \"lost\": {}, \"per_s\": {:.1f}, \"bytes\": {}}}\n", completed,
             lost, static_cast<double>(completed) / passed, bytes);
  return 0;
}

/// One initiator that asks every few milliseconds until it is answered. Then ends.
int ask_until_answered(const std::string& folder, const std::string& public_key, const Endpoint& to,
                       double seconds) {
  system::SystemRandom random;
  const auto theirs =
      need(system::MappedFile::open(public_key, suite().static_kem->sizes().public_key));
  const Counterpart responder{StaticPublicKey(theirs.bytes()), ExchangePsk::zero()};
  Initiator end(load_pair(folder, 0), responder, to, random);
  const TimePoint start = system::boot_now();
  const auto life = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  for (TimePoint now = start; now - start < life; now = system::boot_now()) {
    end.begin(now);
    for (int i = 0; i < 10; ++i) {
      if (end.proceed(now)) {
        fmt::print("{{\"answered\": true}}\n");
        return 0;
      }
      std::this_thread::sleep_for(1ms);
    }
  }
  die("no answer");
}

/// Waits for one exchange with each of `count` ends; prints how many came.
int respond(const std::string& folder, std::size_t count, const std::string& public_key,
            const Endpoint& at, double seconds) {
  system::SystemRandom random;
  auto socket = need(system::DatagramSocket::bind(at));
  const auto theirs =
      need(system::MappedFile::open(public_key, suite().static_kem->sizes().public_key));
  std::vector<KeyPair> keys;
  std::vector<Service> services;
  keys.reserve(count);
  for (std::size_t i = 0; i < count; ++i) keys.push_back(load_pair(folder, i));
  for (KeyPair& pair : keys) {
    services.push_back(need(Service::create_over(pair.public_key.bytes(), pair.secret_key.clone(),
                                                 random, {.work_factor = 1000})));
    CHECK(services.back().add_peer(system::boot_now(), {.public_key = theirs.bytes()}));
  }
  std::fprintf(stderr, "ready\n");
  const TimePoint start = system::boot_now();
  const auto life = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  std::uint64_t completed = 0;
  std::array<std::byte, 2048> buffer;
  for (TimePoint now = start; now - start < life && completed < count; now = system::boot_now()) {
    const auto received = socket.receive(buffer);
    if (!received) {
      std::this_thread::sleep_for(50us);
      continue;
    }
    for (Service& service : services) {
      service.handle_datagram(now, received->from, received->bytes);
      while (const auto out = service.poll_transmit()) (void)socket.send(out->to, out->bytes);
      while (service.poll_key()) ++completed;
    }
  }
  const double passed = std::chrono::duration<double>(system::boot_now() - start).count();
  fmt::print("{{\"completed\": {}, \"seconds\": {:.3f}}}\n", completed, passed);
  return 0;
}

/// Datagrams of InitHello's size: noise, or with a right mac over noise.
int make_noise(const std::string& public_key, const Endpoint& to, double rate, double seconds,
               const std::string& kind) {
  system::SystemRandom random;
  const auto theirs =
      need(system::MappedFile::open(public_key, suite().static_kem->sizes().public_key));
  const StaticPublicKey key(theirs.bytes());
  auto socket = need(system::DatagramSocket::bind(Endpoint{to.address, 0}));
  std::vector<ByteVector> datagrams;
  for (int i = 0; i < 256; ++i) {
    ByteVector datagram(Layout(suite()).init_hello_size());
    random.fill(datagram);
    datagram[0] = std::byte{0x81};
    if (kind == "hello") {
      const auto mac = message_mac(key.mac_key, ByteView(datagram).first(datagram.size() - 32));
      std::copy(mac.begin(), mac.end(), datagram.end() - 32);
    }
    datagrams.push_back(std::move(datagram));
  }
  const TimePoint start = system::boot_now();
  std::uint64_t sent = 0;
  while (true) {
    const double passed = std::chrono::duration<double>(system::boot_now() - start).count();
    if (passed >= seconds) break;
    while (static_cast<double>(sent) < passed * rate) {
      (void)socket.send(to, datagrams[sent % datagrams.size()]);
      ++sent;
    }
    std::this_thread::sleep_for(200us);
  }
  fmt::print("{{\"sent\": {}}}\n", sent);
  return 0;
}

/// The steps of both roles, one after the other, on this thread.
int run_engine(std::size_t count) {
  system::SystemRandom random;
  const crypto::KemKeyPair a_keys = suite().static_kem->generate(random);
  const crypto::KemKeyPair b_keys = suite().static_kem->generate(random);
  const auto identity = [](const crypto::KemKeyPair& keys) {
    return Identity{&suite(), Layout(suite()), StaticPublicKey(keys.public_key),
                    keys.secret_key.expose()};
  };
  const Identity a = identity(a_keys);
  const Identity b = identity(b_keys);
  const Counterpart of_a{StaticPublicKey(a_keys.public_key), ExchangePsk::zero()};
  const Counterpart of_b{StaticPublicKey(b_keys.public_key), ExchangePsk::zero()};
  const crypto::SymmetricKey biscuit_key(random.bytes<32>());
  double initiator = 0;
  double responder = 0;
  const auto timed = [](double& total, const auto& work) {
    const double before = cpu_seconds();
    work();
    total += cpu_seconds() - before;
  };
  const auto get = [](const Identity& own, ByteView bytes) { return *own.layout.parse(bytes); };
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<HelloStep> hello;
    std::optional<ConfStep> conf;
    ByteVector answer;
    timed(initiator, [&] { hello.emplace(*start_hello(a, of_b, {random.bytes<4>()}, random)); });
    timed(responder, [&] {
      const auto message = get(b, hello->init_hello);
      const auto& in = std::get<InitHello>(message);
      CHECK(has_valid_mac(hello->init_hello, b.own.mac_key));
      auto transcript = check_init_hello(*open_init_hello(in, b), in, of_a);
      CHECK(transcript.has_value());
      answer = *make_resp_hello(*std::move(transcript), in, b, of_a,
                                {{random.bytes<4>()}, biscuit_key, i + 1}, random);
    });
    timed(initiator, [&] {
      const auto message = get(a, answer);
      conf.emplace(*consume_resp_hello(hello->sent, std::get<RespHello>(message), a, of_b));
    });
    timed(responder, [&] {
      const auto message = get(b, conf->init_conf);
      const auto& in = std::get<InitConf>(message);
      const auto biscuit = open_biscuit(
          biscuit_key, biscuit_additional_data(b.own, in.sidi, in.sidr), in.biscuit_ct);
      CHECK(biscuit && complete_exchange(*biscuit, in, b, of_a));
    });
  }
  double hashes = 0;
  timed(hashes, [&] {
    for (std::size_t i = 0; i < count; ++i) {
      (void)keyed_hash(Version::V02, random.bytes<32>(), a_keys.public_key);
    }
  });
  const double each = 1e3 / static_cast<double>(count);
  const double share = kHashesOfKeys * hashes / (initiator + responder);
  fmt::print(
      "{{\"initiator_ms\": {:.3f}, \"responder_ms\": {:.3f}, \"hash_of_a_key_ms\": {:.3f}, "
      "\"share_of_hashes\": {:.2f}}}\n",
      initiator * each, responder * each, hashes * each, share);
  return 0;
}

Endpoint address_of(const std::string& text) {
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint) die(text + " is no ADDRESS:PORT");
  return *endpoint;
}

int run(const std::vector<std::string>& words) {
  const auto number = [&](std::size_t i) { return std::strtod(words[i].c_str(), nullptr); };
  const auto count = [&](std::size_t i) { return static_cast<std::size_t>(number(i)); };
  const std::string command = words.empty() ? "" : words[0];
  if (command == "keys" && words.size() == 3) return make_keys(words[1], count(2));
  if (command == "engine" && words.size() == 2) return run_engine(count(1));
  if (command == "noise" && words.size() == 6) {
    return make_noise(words[1], address_of(words[2]), number(3), number(4), words[5]);
  }
  if (command == "until" && words.size() == 5) {
    return ask_until_answered(words[1], words[2], address_of(words[3]), number(4));
  }
  if ((command == "initiate" || command == "respond") && words.size() == 6) {
    const auto work = command == "initiate" ? &initiate : &respond;
    return work(words[1], count(2), words[3], address_of(words[4]), number(5));
  }
  die("see the head of its source");
}

}  // namespace
}  // namespace trellis::rosenpass

int main(int argc, char** argv) {
  return trellis::rosenpass::run(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}
