#include "testing/sim.h"

#include "base/result.h"

#include <algorithm>

namespace trellis::testing {

namespace {

// 2026-01-01, so that wall clocks look like wall clocks.
constexpr std::int64_t kWallEpoch = 1'767'225'600'000'000'000;
// A host that is still due after so many calls at one instant would spin for ever.
constexpr int kTimeoutsAtOneInstantMax = 10'000;

}  // namespace

Sim::Sim(std::uint64_t seed, LinkFaults faults) : random_(seed), default_faults_(faults) {}

void Sim::attach(const Endpoint& at, SimHost& host) {
  CHECK(!addresses_.contains(at));
  addresses_[at] = &host;
  for (Machine& machine : machines_) {
    if (machine.host != &host) continue;
    machine.addresses.push_back(at);
    return;
  }
  machines_.push_back({&host, {at}, std::nullopt});
}

void Sim::detach(const Endpoint& at) {
  const auto found = addresses_.find(at);
  if (found == addresses_.end()) return;
  SimHost* const host = found->second;
  addresses_.erase(found);
  for (Machine& machine : machines_) {
    if (machine.host == host) std::erase(machine.addresses, at);
  }
  std::erase_if(machines_, [](const Machine& machine) { return machine.addresses.empty(); });
}

void Sim::move(const Endpoint& from, const Endpoint& to) {
  const auto found = addresses_.find(from);
  CHECK(found != addresses_.end());
  attach(to, *found->second);
  detach(from);
}

void Sim::replace(const Endpoint& at, SimHost& host) {
  detach(at);
  attach(at, host);
}

void Sim::suspend(const Endpoint& at, Duration time) {
  Machine* const machine = machine_at(at);
  CHECK(machine);
  machine->asleep_until = now_ + time;
}

void Sim::set_faults(const Endpoint& from, const Endpoint& to, LinkFaults faults) {
  link_faults_[{from, to}] = faults;
}

void Sim::inject(SimDatagram datagram, Duration delay) {
  in_flight_.emplace(now_ + delay, std::move(datagram));
}

WallTime Sim::wall_now() const {
  return WallTime{kWallEpoch + (now_.time_since_epoch() + wall_offset_).count()};
}

void Sim::flush() {
  for (const Machine& machine : machines_) {
    if (!awake(machine)) continue;
    while (auto datagram = machine.host->poll_transmit()) {
      const auto source = source_of(machine, datagram->to);
      if (!source) {  // no route
        ++counters_.sent;
        ++counters_.lost;
        continue;
      }
      datagram->from = *source;
      send(*std::move(datagram));
    }
  }
}

void Sim::run_for(Duration time) {
  const TimePoint end = now_ + time;
  flush();
  while (step(end)) {
  }
  now_ = end;
}

bool Sim::run_until(Duration limit, const std::function<bool()>& done) {
  const TimePoint end = now_ + limit;
  flush();
  while (!done()) {
    if (!step(end)) {
      now_ = end;
      return done();
    }
  }
  return true;
}

bool Sim::step(TimePoint limit) {
  const auto next = next_event();
  if (!next || *next > limit) return false;
  now_ = std::max(now_, *next);
  if (!in_flight_.empty() && in_flight_.begin()->first <= now_) {
    auto node = in_flight_.extract(in_flight_.begin());
    deliver(std::move(node.mapped()));
  } else {
    run_timers();
  }
  flush();
  return true;
}

void Sim::deliver(SimDatagram datagram) {
  Machine* const machine = machine_at(datagram.to);
  if (!machine || !awake(*machine)) {
    ++counters_.lost;
    return;
  }
  ++counters_.delivered;
  machine->host->handle_datagram(now_, datagram.from, datagram.bytes);
}

void Sim::run_timers() {
  for (Machine& machine : machines_) {
    if (!awake(machine)) continue;
    machine.asleep_until.reset();
    int calls = 0;
    for (auto due = machine.host->next_timeout(); due && *due <= now_;
         due = machine.host->next_timeout()) {
      CHECK(++calls <= kTimeoutsAtOneInstantMax);
      machine.host->handle_timeout(now_);
    }
  }
}

void Sim::send(SimDatagram datagram) {
  ++counters_.sent;
  if (filter_ && !filter_(now_, datagram)) {
    ++counters_.lost;
    return;
  }
  const LinkFaults& faults = faults_between(datagram.from, datagram.to);
  if (random_.unit() < faults.duplication) {
    ++counters_.duplicated;
    schedule(faults, datagram);
  }
  schedule(faults, std::move(datagram));
}

void Sim::schedule(const LinkFaults& faults, SimDatagram datagram) {
  if (random_.unit() < faults.loss) {
    ++counters_.lost;
    return;
  }
  Duration delay = faults.delay;
  if (faults.jitter > Duration{}) {
    delay += Duration(static_cast<Duration::rep>(
        random_.below(static_cast<std::uint64_t>(faults.jitter.count()))));
  }
  if (random_.unit() < faults.reordering) delay += faults.reorder_delay;
  in_flight_.emplace(now_ + delay, std::move(datagram));
}

const LinkFaults& Sim::faults_between(const Endpoint& from, const Endpoint& to) const {
  const auto found = link_faults_.find({from, to});
  return found == link_faults_.end() ? default_faults_ : found->second;
}

std::optional<TimePoint> Sim::next_event() const {
  std::optional<TimePoint> next;
  if (!in_flight_.empty()) next = in_flight_.begin()->first;
  for (const Machine& machine : machines_) {
    auto due = machine.host->next_timeout();
    if (due && machine.asleep_until) due = std::max(*due, *machine.asleep_until);
    next = earlier(next, due);
  }
  return next;
}

std::optional<Endpoint> Sim::source_of(const Machine& machine, const Endpoint& to) {
  for (auto it = machine.addresses.rbegin(); it != machine.addresses.rend(); ++it) {
    if (it->address.family() == to.address.family()) return *it;
  }
  return std::nullopt;
}

Sim::Machine* Sim::machine_at(const Endpoint& at) {
  const auto found = addresses_.find(at);
  if (found == addresses_.end()) return nullptr;
  for (Machine& machine : machines_) {
    if (machine.host == found->second) return &machine;
  }
  return nullptr;
}

bool Sim::awake(const Machine& machine) const {
  return !machine.asleep_until || *machine.asleep_until <= now_;
}

}  // namespace trellis::testing
