#include "server_process.h"

#include "system/ipc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace trellis::bench {

namespace {

using namespace std::chrono_literals;

/// A port that nobody had a moment ago.
Result<std::uint16_t> free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return fail_with("cannot make a socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool bound =
      ::bind(socket, generic, size) == 0 && ::getsockname(socket, generic, &size) == 0;
  ::close(socket);
  if (!bound) return fail_with("cannot find a free port");
  return ntohs(address.sin_port);
}

/// The words of a file of /proc after the last ')' of it, or all of them.
std::vector<std::string> proc_words(pid_t pid, const char* file) {
  std::ifstream stream("/proc/" + std::to_string(pid) + "/" + file);
  std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (const auto name_end = text.rfind(')'); name_end != std::string::npos) {
    text.erase(0, name_end + 1);
  }
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
}

}  // namespace

ServerProcess::ServerProcess(std::string program, std::string folder, std::uint16_t port)
    : program_(std::move(program)), folder_(std::move(folder)), port_(port) {}

ServerProcess::ServerProcess(ServerProcess&& other) noexcept
    : program_(std::move(other.program_)),
      folder_(std::exchange(other.folder_, {})),
      port_(other.port_),
      pid_(std::exchange(other.pid_, -1)) {}

ServerProcess::~ServerProcess() {
  end();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

Result<ServerProcess> ServerProcess::start(const std::string& program) {
  std::error_code ignored;
  const std::string parent = std::filesystem::temp_directory_path(ignored).string();
  std::string folder = (parent.empty() ? "." : parent) + "/trellis-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return fail_with("cannot make a folder: " + folder);
  ServerProcess server(program, folder, TRY(free_port()));
  TRY(server.launch());
  return server;
}

Result<> ServerProcess::restart() {
  end();
  return launch();
}

Result<> ServerProcess::launch() {
  const std::string listen = "127.0.0.1:" + std::to_string(port_);
  const std::string state = folder_ + "/state";
  const std::string socket = folder_ + "/server.sock";
  const std::vector<std::string> words = {program_,   "--foreground", "--state",     state,
                                          "--listen", listen,         "--public",    listen,
                                          "--socket", socket,         "--log-level", "warn"};
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  if (const int error =
          ::posix_spawn(&pid_, program_.c_str(), nullptr, nullptr, arguments.data(), environ);
      error != 0) {
    pid_ = -1;
    return fail_with("cannot start " + program_ + ": " + std::generic_category().message(error));
  }
  for (int tries = 0; tries < 2000; ++tries) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return fail_with(program_ + " has ended");
    }
    if (ask({{"command", "status"}})) return {};
    std::this_thread::sleep_for(5ms);
  }
  return fail_with(program_ + " does not answer on " + socket);
}

void ServerProcess::end() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  for (int tries = 0; tries < 1000; ++tries) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return;
    }
    std::this_thread::sleep_for(5ms);
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Result<nlohmann::json> ServerProcess::ask(const nlohmann::json& request) const {
  const std::string text = TRY(system::ipc_call(folder_ + "/server.sock", request.dump(), 10s));
  nlohmann::json answer = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) return fail_with("the server's answer is no JSON: " + text);
  if (!answer.value("ok", false)) return fail_with(answer.value("error", text));
  return answer;
}

Result<ServerProcess::Access> ServerProcess::create_setup_key(std::size_t uses) const {
  const nlohmann::json answer = TRY(ask({{"command", "setup-key create"},
                                         {"name", "bench"},
                                         {"reusable", true},
                                         {"limit", uses},
                                         {"expires_seconds", 3600}}));
  Access access;
  access.server = TRY(control::JoinLine::parse(answer.value("server", "")));
  access.setup_key = answer.value("setup_key", "");
  return access;
}

double ServerProcess::cpu_seconds() const {
  // After the name: state is the first word, utime the 12th, stime the 13th. [proc(5)]
  const std::vector<std::string> words = proc_words(pid_, "stat");
  if (words.size() < 13) return 0;
  const double ticks = std::stod(words[11]) + std::stod(words[12]);
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::uint64_t ServerProcess::memory_bytes() const {
  const std::vector<std::string> words = proc_words(pid_, "statm");
  if (words.size() < 2) return 0;
  return std::stoull(words[1]) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace trellis::bench
