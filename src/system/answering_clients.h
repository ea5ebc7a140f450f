#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "system/descriptor.h"
#include "system/loop.h"

#include <list>
#include <memory>
#include <optional>

namespace trellis::system {

/// What one client has asked so far: cuts its questions out of the bytes that come, and answers
/// them one by one.
class Conversation {
 public:
  virtual ~Conversation() = default;
  virtual void receive(ByteView bytes) = 0;
  /// The answer to the next question, empty if none is due to it; nothing: it is not complete yet.
  virtual std::optional<ByteVector> answer_next() = 0;
  /// Nothing that still comes can be a question.
  virtual bool failed() const = 0;
};

/// The clients of a stream socket that is asked questions. Each is read no further while an answer
/// waits to be taken, and is hung up on when it idles.
class AnsweringClients {
 public:
  static Result<std::unique_ptr<AnsweringClients>> create(Loop& loop, Duration idle_max);
  AnsweringClients(const AnsweringClients&) = delete;
  AnsweringClients& operator=(const AnsweringClients&) = delete;
  ~AnsweringClients() = default;

  std::size_t size() const { return clients_.size(); }
  /// `socket` is connected and does not block. It is read when the loop runs.
  void add(Descriptor socket, std::unique_ptr<Conversation> conversation);

 private:
  struct Client {
    Descriptor socket;
    std::unique_ptr<Conversation> conversation;
    ByteVector answer;              // what has still to go
    TimePoint last_activity;        // a byte moved
    bool dead = false;              //
    Ready waits_for = Ready::Read;  // for writing while there is an answer
    Watch watch;
  };

  AnsweringClients(Loop& loop, Duration idle_max) : loop_(loop), idle_max_(idle_max) {}

  void bury();
  void sweep();
  void watch_client(Client& client, Ready ready);
  void read_from(Client& client);
  void proceed(Client& client);
  bool write_to(Client& client);

  Loop& loop_;
  Duration idle_max_;
  std::list<Client> clients_;
  Timer idle_timer_;
};

}  // namespace trellis::system
