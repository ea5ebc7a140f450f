#pragma once

#include "apps/agent/warnings.h"
#include "base/address.h"
#include "base/result.h"
#include "system/ipc.h"
#include "system/loop.h"
#include "system/route.h"
#include "system/tun.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::apps {

/// The interface of an agent, with its addresses, and the guards that keep packets in when it is
/// gone [pair rule 12]. Somebody may remove it: then it is made again, until that succeeds.
class OverlayInterface {
 public:
  struct Options {
    std::string name;
    std::vector<InterfaceAddress> addresses;  // their networks are the overlay
    std::uint32_t mtu = 1280;
    std::function<std::string(std::string_view)> answer_wg{};  // as of wg(8)'s socket
  };

  /// Fails if an interface of that name exists, or if this host reaches one of the networks
  /// otherwise (one of the two would be lost, and who knows which). `readable` is called when
  /// packets wait. `loop` and `warnings` must outlive it.
  static Result<std::unique_ptr<OverlayInterface>> open(system::Loop& loop, Options options,
                                                        Warnings& warnings,
                                                        std::function<void()> readable);
  OverlayInterface(const OverlayInterface&) = delete;
  OverlayInterface& operator=(const OverlayInterface&) = delete;
  /// A clean stop: interface, routes and guards are gone.
  ~OverlayInterface();

  const Options& options() const { return options_; }
  /// Null while it is gone.
  system::Tun* tun() { return tun_ ? &*tun_ : nullptr; }
  std::vector<Prefix> networks() const;
  /// To be told when reading or writing said so.
  void is_gone();

 private:
  OverlayInterface(system::Routes routes, Options options, Warnings& warnings,
                   std::function<void()> readable)
      : routes_(std::move(routes)),
        options_(std::move(options)),
        warnings_(warnings),
        readable_(std::move(readable)) {}
  Result<> check_overlaps();
  Result<> make(system::Loop& loop);
  void make_again(system::Loop& loop);
  void listen_to_wg(system::Loop& loop);

  system::Routes routes_;
  Options options_;
  Warnings& warnings_;
  std::function<void()> readable_;
  std::optional<system::Tun> tun_;
  std::optional<system::IpcServer> wg_;
  bool remove_guards_ = false;  // at the end: they are ours, not what a killed predecessor left

  // Last, so that they are gone before what their callbacks use.
  system::Timer retry_;
  system::Watch watch_;
};

}  // namespace trellis::apps
