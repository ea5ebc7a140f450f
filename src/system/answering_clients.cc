#include "system/answering_clients.h"

#include "system/clock.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace trellis::system {
namespace {

constexpr std::size_t kPiece = 16384;

}  // namespace

Result<std::unique_ptr<AnsweringClients>> AnsweringClients::create(Loop& loop, Duration idle_max) {
  std::unique_ptr<AnsweringClients> clients(new AnsweringClients(loop, idle_max));
  clients->idle_timer_ = TRY(loop.timer([raw = clients.get()] { raw->sweep(); }));
  return clients;
}

void AnsweringClients::add(Descriptor socket, std::unique_ptr<Conversation> conversation) {
  Client& client = clients_.emplace_back();
  client.socket = std::move(socket);
  client.conversation = std::move(conversation);
  client.last_activity = boot_now();
  watch_client(client, Ready::Read);
  sweep();
}

void AnsweringClients::bury() {
  clients_.remove_if([](Client& client) {
    if (client.dead) zeroise(client.answer);
    return client.dead;
  });
}

/// Removes those that are dead or have been idle for too long, and waits for the next.
void AnsweringClients::sweep() {
  const TimePoint now = boot_now();
  std::optional<TimePoint> next;
  for (Client& client : clients_) {
    const TimePoint end = client.last_activity + idle_max_;
    if (end <= now) {
      client.dead = true;
    } else {
      next = earlier(next, end);
    }
  }
  bury();
  idle_timer_.arm(next);
}

void AnsweringClients::watch_client(Client& client, Ready ready) {
  if (client.watch.active() && client.waits_for == ready) return;
  client.watch.reset();
  client.waits_for = ready;
  auto watch = loop_.watch(client.socket.get(), ready, [this, &client] {
    if (client.waits_for == Ready::Read) read_from(client);
    if (!client.dead) proceed(client);
    if (client.dead) bury();  // and this function with it: nothing may follow
  });
  if (!watch) {
    client.dead = true;
    return;
  }
  client.watch = *std::move(watch);
}

void AnsweringClients::read_from(Client& client) {
  std::array<std::byte, kPiece> piece;
  const ssize_t n = ::recv(client.socket.get(), piece.data(), piece.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    client.dead = true;
    return;
  }
  client.last_activity = boot_now();
  const MutableByteView read = MutableByteView(piece).first(static_cast<std::size_t>(n));
  client.conversation->receive(read);
  zeroise(read);  // a question may hold a secret
}

/// Answers one question after the other; reads no further while an answer waits to be taken.
void AnsweringClients::proceed(Client& client) {
  while (!client.dead) {
    if (!client.answer.empty()) {
      if (!write_to(client)) return;
      continue;
    }
    auto answer = client.conversation->answer_next();
    if (client.conversation->failed()) client.dead = true;
    if (!answer) return watch_client(client, Ready::Read);
    client.answer = *std::move(answer);
  }
}

/// False if the client has to take what is there first, or is dead.
bool AnsweringClients::write_to(Client& client) {
  const ssize_t n =
      ::send(client.socket.get(), client.answer.data(), client.answer.size(), MSG_NOSIGNAL);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && errno == EAGAIN) {
    watch_client(client, Ready::Write);
    return false;
  }
  if (n < 0) {
    client.dead = true;
    return false;
  }
  client.last_activity = boot_now();
  // An answer may hold a secret, too: nothing of it stays behind in the vector.
  const auto sent = static_cast<std::size_t>(n);
  std::copy(client.answer.begin() + n, client.answer.end(), client.answer.begin());
  zeroise(MutableByteView(client.answer).last(sent));
  client.answer.resize(client.answer.size() - sent);
  return true;
}

}  // namespace trellis::system
