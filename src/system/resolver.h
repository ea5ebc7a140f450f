#pragma once

#include "base/address.h"
#include "base/result.h"
#include "system/loop.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trellis::system {

/// Looks host names up without holding the loop up. A name server that does not answer delays only
/// the names asked for at the same time: a few look-ups run at once, each in its own thread.
class Resolver {
 public:
  /// All addresses of the name, in the order in which to try them [RFC 6724], or why there is none.
  using Callback = std::function<void(Result<std::vector<Endpoint>>)>;

  /// `loop` must outlive the resolver.
  static Result<Resolver> create(Loop& loop);
  Resolver(Resolver&&) noexcept;
  Resolver& operator=(Resolver&&) noexcept;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  /// No callback comes after this. Does not wait for look-ups that are under way.
  ~Resolver();

  /// Calls back in the loop, once. An address ("1.2.3.4", "fe80::1%eth0") is looked up, too, and
  /// needs no name server. Call again, later, to learn of changes.
  void resolve(const std::string& host, std::uint16_t port, Callback callback);

 private:
  struct State;
  explicit Resolver(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trellis::system
