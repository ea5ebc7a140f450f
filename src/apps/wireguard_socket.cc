#include "apps/wireguard_socket.h"

#include "system/clock.h"

#include <fmt/format.h>

#include <filesystem>

namespace trellis::apps {
namespace {

namespace uapi = wireguard::uapi;

constexpr const char* kFolder = "/var/run/wireguard";

/// 0700. One that is there stays as it is.
Result<> make_folder() {
  std::error_code error;
  const bool made = std::filesystem::create_directory(kFolder, error);
  if (made) std::filesystem::permissions(kFolder, std::filesystem::perms::owner_all, error);
  if (!error) return {};
  return fail_with(
      fmt::format("cannot make the folder {}: {}; run this as root", kFolder, error.message()));
}

}  // namespace

std::string wireguard_socket_path(std::string_view interface) {
  return fmt::format("{}/{}.sock", kFolder, interface);
}

Result<system::IpcServer> listen_for_wg(system::Loop& loop, std::string_view interface,
                                        std::function<std::string(std::string_view)> answer) {
  TRY(make_folder());
  return system::IpcServer::listen(
      loop,
      {.path = wireguard_socket_path(interface),
       .group = "",
       .terminator = "\n\n",
       .request_bytes_max = uapi::kRequestBytesMax},
      [answer = std::move(answer)](const system::IpcCaller&, std::string_view request) {
        return answer(request);
      });
}

std::string answer_to_reader(const wireguard::Device& device, const uapi::Interface& interface,
                             std::string_view request) {
  const auto operation = uapi::parse_operation(request.substr(0, request.find('\n')));
  if (!operation) return uapi::answer(uapi::Errno::Protocol);
  if (*operation == uapi::Operation::Set) return uapi::answer(uapi::Errno::NotPermitted);
  return uapi::get(device, interface, system::boot_now(), system::wall_now());
}

}  // namespace trellis::apps
