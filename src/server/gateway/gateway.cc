#include "server/gateway/gateway.h"

#include "server/gateway/administration.h"
#include "server/gateway/state.h"

#include <utility>

namespace trellis::server {

Result<std::unique_ptr<Gateway>> Gateway::create(const Options& options, Store& store,
                                                 KeyFiles& key_files, Random& random, TimePoint now,
                                                 WallTime wall) {
  Roster roster = TRY(Roster::open(store, random, wall));
  auto state = std::make_unique<State>(now, options, std::move(roster), key_files, random);
  state->management_.set_wall_clock(wall);
  return std::unique_ptr<Gateway>(new Gateway(std::move(state)));
}

Gateway::Gateway(std::unique_ptr<State> state) : state_(std::move(state)) {}
Gateway::~Gateway() = default;

void Gateway::set_wall_clock(WallTime wall) { state_->management_.set_wall_clock(wall); }

ConnectionId Gateway::open(TimePoint now, const Transport& transport) {
  return state_->open(now, transport);
}

void Gateway::receive(TimePoint now, ConnectionId connection, ByteView bytes) {
  state_->receive(now, connection, bytes);
}

void Gateway::closed(TimePoint now, ConnectionId connection) { state_->closed(now, connection); }

void Gateway::handle_timeout(TimePoint now) { state_->handle_timeout(now); }

std::optional<TimePoint> Gateway::next_timeout() const { return state_->next_timeout(); }

std::optional<ConnectionId> Gateway::poll_ready() {
  while (!state_->ready_.empty()) {
    const ConnectionId id = state_->ready_.front();
    state_->ready_.pop_front();
    if (state_->find(id)) return id;
  }
  return std::nullopt;
}

ByteVector Gateway::poll_transmit(ConnectionId connection) {
  return state_->poll_transmit(connection);
}

bool Gateway::to_close(ConnectionId connection) const {
  const Connection* found = state_->find(connection);
  return found && found->grpc.closed();
}

void Gateway::go_away(TimePoint now) { state_->go_away(now); }

std::string Gateway::handle_request(TimePoint now, bool may_change, std::string_view request) {
  std::string answer = administer(*state_, now, may_change, request);
  state_->settle(now);
  return answer;
}

}  // namespace trellis::server
