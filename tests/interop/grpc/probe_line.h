#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

namespace trellis::probe {

inline TimePoint now() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return TimePoint(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

[[noreturn]] inline void give_up(const char* what) {
  std::perror(what);
  std::exit(2);
}

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// Counts the frames that a peer sends, by type.
class FrameCounter {
 public:
  explicit FrameCounter(std::size_t preface_bytes) : skip_(preface_bytes) {}

  void feed(ByteView bytes) {
    for (const std::byte b : bytes) {
      if (skip_ > 0) {
        --skip_;
        continue;
      }
      head_[have_++] = b;
      if (have_ < head_.size()) continue;
      have_ = 0;
      const auto value = [&](std::size_t i) { return std::to_integer<std::size_t>(head_[i]); };
      skip_ = value(0) << 16 | value(1) << 8 | value(2);
      ++counts_[static_cast<int>(value(3))];
    }
  }
  std::size_t count(int type) const {
    const auto found = counts_.find(type);
    return found == counts_.end() ? 0 : found->second;
  }

 private:
  std::size_t skip_;
  std::array<std::byte, 9> head_{};
  std::size_t have_ = 0;
  std::map<int, std::size_t> counts_;
};

/// A connection's engine on a socket. Reads and writes at most `piece` bytes at a time.
template <class Engine>
class Line {
 public:
  Line(int fd, Engine made, std::size_t piece, std::size_t preface_bytes)
      : engine(std::move(made)), frames(preface_bytes), fd_(fd), piece_(piece) {
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Line() { ::close(fd_); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  pollfd wish() {
    fill();
    return {fd_, static_cast<short>(POLLIN | (out_.empty() ? 0 : POLLOUT)), 0};
  }
  void handle(short revents) {
    if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0) read();
    if ((revents & POLLOUT) != 0) write();
    engine.handle_timeout(now());
    fill();
  }
  /// Waits for the socket or a deadline, `limit` at most.
  void pump(Duration limit) {
    pollfd wanted = wish();
    ::poll(&wanted, 1, wait_ms(limit));
    handle(wanted.revents);
  }
  int wait_ms(Duration limit) const {
    if (const auto next = engine.next_timeout()) limit = std::min(limit, *next - now());
    return static_cast<int>(std::max<std::int64_t>(0, limit / 1ms + 1));
  }
  bool over() const { return gone_ || (engine.closed() && out_.empty()); }

  Engine engine;
  FrameCounter frames;

 private:
  void read() {
    std::array<std::byte, 65'536> buffer;
    const ssize_t size = ::recv(fd_, buffer.data(), std::min(piece_, buffer.size()), MSG_DONTWAIT);
    if (size > 0) {
      const ByteView bytes = ByteView(buffer).first(static_cast<std::size_t>(size));
      frames.feed(bytes);
      return engine.receive(now(), bytes);
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    end("the peer has closed the connection");
  }
  void write() {
    const std::size_t wanted = std::min(piece_, out_.size());
    const ssize_t size = ::send(fd_, out_.data(), wanted, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size > 0) {
      out_.erase(out_.begin(), out_.begin() + size);
    } else if (errno != EAGAIN && errno != EINTR) {
      end("the connection broke");
    }
  }
  void fill() {
    if (out_.empty() && !gone_) out_ = engine.poll_transmit();
  }
  void end(const char* why) {
    gone_ = true;
    engine.close(now(), why);
  }

  int fd_;
  std::size_t piece_;
  ByteVector out_;
  bool gone_ = false;
};

inline ByteVector pattern(std::size_t size) {
  ByteVector bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>((i * 31 + i / 251) & 0xff);
  }
  return bytes;
}

inline std::string text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace trellis::probe
