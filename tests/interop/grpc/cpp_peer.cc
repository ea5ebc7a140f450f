// grpc++ as a peer of tests/interop/test_grpc.py: the service and the scenarios of README.md, with
// messages that are bytes. Each call has a thread that waits for each of its steps.
//
//   grpc-cpp-peer serve MIN_PING_MS | call PORT SCENARIO KEEPALIVE_MS [NUMBERS]

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr int kMessageMax = 8 << 20;
constexpr std::size_t kFloodPiece = 64U << 10;
constexpr std::size_t kFloodTotal = 256U << 20;
constexpr int kWorkers = 70;
const std::string kFailWords = "gr\xc3\xbcn 100%";
const std::string kBinary("\0\xff,", 3);

void* tag(std::size_t number) { return reinterpret_cast<void*>(number); }
void* const kStep = tag(1);
void* const kDone = tag(2);

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + i / 251) & 0xff);
  return bytes;
}

grpc::ByteBuffer buffer_of(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string text_of(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  if (!buffer.DumpToSingleSlice(&slice).ok()) return {};
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

void want(bool holds, const std::string& what) {
  if (holds) return;
  std::printf("wrong %s\n", what.c_str());
  std::fflush(stdout);
  std::_Exit(1);
}

/// One call of the server, on a queue of its own.
class ServedCall {
 public:
  ServedCall(grpc::AsyncGenericService& service, grpc::ServerCompletionQueue& queue)
      : queue_(queue), stream_(&context_) {
    context_.AsyncNotifyWhenDone(kDone);
    service.RequestCall(&context_, &stream_, &queue, &queue, kStep);
  }

  /// False: the server shuts down.
  bool serve(grpc::Server& server) {
    if (!step()) return false;
    const std::string& method = context_.method();
    if (context_.client_metadata().count("x-fail") > 0) {
      finish({grpc::StatusCode::FAILED_PRECONDITION, kFailWords});
    } else if (method == "/echo.Echo/Unary") {
      unary();
    } else if (method == "/echo.Echo/Chat") {
      chat();
    } else if (method == "/echo.Echo/Count") {
      count();
    } else if (method == "/echo.Echo/Sum") {
      sum();
    } else if (method == "/echo.Echo/Hang") {
      std::printf("ended %s status=%d sent=0\n", method.c_str(), wait_done());
    } else if (method == "/echo.Echo/Flood") {
      flood();
    } else if (method == "/echo.Echo/GoAway") {
      const auto message = read().value_or("");
      std::thread([&server] { server.Shutdown(); }).detach();
      write(message);
      finish({});
    } else {
      finish({grpc::StatusCode::UNIMPLEMENTED, "no such method"});
    }
    wait_done();
    return true;
  }

 private:
  // The notice that the call is over may come between the steps.
  bool step() {
    void* which = nullptr;
    bool good = false;
    while (queue_.Next(&which, &good)) {
      if (which == kStep) return good;
      done_ = true;
    }
    return false;
  }
  int wait_done() {
    void* which = nullptr;
    bool good = false;
    while (!done_ && queue_.Next(&which, &good)) done_ = which == kDone;
    return context_.IsCancelled() ? 1 : 0;
  }
  std::optional<std::string> read() {
    grpc::ByteBuffer buffer;
    stream_.Read(&buffer, kStep);
    if (!step()) return std::nullopt;
    return text_of(buffer);
  }
  bool write(const std::string& bytes) {
    stream_.Write(buffer_of(bytes), kStep);
    return step();
  }
  void finish(const grpc::Status& status) {
    stream_.Finish(status, kStep);
    step();
  }

  void unary() {
    for (const auto& [name, value] : context_.client_metadata()) {
      const std::string key(name.data(), name.size());
      if (!key.starts_with("x-echo")) continue;
      context_.AddInitialMetadata(key, {value.data(), value.size()});
      context_.AddTrailingMetadata(key, {value.data(), value.size()});
    }
    if (const auto message = read()) write(*message);
    finish({});
  }
  void chat() {
    stream_.SendInitialMetadata(kStep);
    step();
    while (const auto message = read()) write(*message);
    finish({});
  }
  void count() {
    std::size_t number = 0;
    std::size_t size = 0;
    std::sscanf(read().value_or("").c_str(), "%zu %zu", &number, &size);
    for (std::size_t i = 0; i < number; ++i) write(pattern(size));
    finish({});
  }
  void sum() {
    std::size_t number = 0;
    std::size_t bytes = 0;
    for (; const auto message = read(); ++number) bytes += message->size();
    write(std::to_string(number) + " " + std::to_string(bytes));
    finish({});
  }
  void flood() {
    read();
    std::size_t sent = 0;
    while (sent < kFloodTotal && write(pattern(kFloodPiece))) sent += kFloodPiece;
    std::printf("ended /echo.Echo/Flood status=1 sent=%zu\n", sent);
    finish({});
  }

  grpc::ServerCompletionQueue& queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  bool done_ = false;
};

int serve(int min_ping_ms) {
  int port = 0;
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterAsyncGenericService(&service);
  builder.SetMaxReceiveMessageSize(kMessageMax);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, min_ping_ms);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (int i = 0; i < kWorkers; ++i) queues.push_back(builder.AddCompletionQueue());
  const auto server = builder.BuildAndStart();
  if (!server) return 2;
  std::printf("listening %d\n", port);
  std::vector<std::thread> workers;
  for (const auto& queue : queues) {
    workers.emplace_back([&service, &server, &queue] {
      for (bool more = true; more;) {
        const auto call = std::make_unique<ServedCall>(service, *queue);
        more = call->serve(*server);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  std::puts("stopped");
  std::fflush(stdout);
  std::_Exit(0);
}

/// One call of a client.
class Call {
 public:
  Call(grpc::GenericStub& stub, const std::string& method,
       std::optional<std::chrono::milliseconds> deadline = std::nullopt, bool echo = false) {
    if (deadline) context.set_deadline(std::chrono::system_clock::now() + *deadline);
    if (echo) {
      context.AddMetadata("x-echo", "a b~");
      context.AddMetadata("x-echo-bin", kBinary);
    }
    prepare(stub, method);
  }
  Call(grpc::GenericStub& stub, const std::string& method, const char* metadata) {
    context.AddMetadata(metadata, "1");
    prepare(stub, method);
  }

  bool write(const std::string& bytes) {
    stream_->Write(buffer_of(bytes), kStep);
    return step();
  }
  void writes_done() {
    stream_->WritesDone(kStep);
    step();
  }
  void headers() {
    stream_->ReadInitialMetadata(kStep);
    step();
  }
  std::optional<std::string> read() {
    grpc::ByteBuffer buffer;
    stream_->Read(&buffer, kStep);
    if (!step()) return std::nullopt;
    return text_of(buffer);
  }
  grpc::Status finish() {
    grpc::Status status;
    stream_->Finish(&status, kStep);
    step();
    return status;
  }
  /// The connection is only served while somebody waits on a queue.
  void pause(std::chrono::milliseconds time) {
    grpc::Alarm alarm;
    alarm.Set(&queue_, std::chrono::system_clock::now() + time, kStep);
    step();
  }
  void exchange(std::size_t size) {
    want(write(pattern(size)), "writing");
    want(read() == pattern(size), "the echo");
  }
  void expect_end() {
    writes_done();
    want(!read(), "the end");
    const grpc::Status status = finish();
    want(status.ok(), "status: " + status.error_message());
  }

  grpc::ClientContext context;

 private:
  void prepare(grpc::GenericStub& stub, const std::string& method) {
    stream_ = stub.PrepareCall(&context, "/echo.Echo/" + method, &queue_);
    stream_->StartCall(kStep);
    step();
  }
  bool step() {
    void* which = nullptr;
    bool good = false;
    return queue_.Next(&which, &good) && good;
  }

  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

class Client {
 public:
  Client(const std::string& port, int keepalive_ms) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMessageMax);
    if (keepalive_ms > 0) {
      arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, keepalive_ms);
      arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 2'000);
      arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
      arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    }
    stub_ = std::make_unique<grpc::GenericStub>(grpc::CreateCustomChannel(
        "127.0.0.1:" + port, grpc::InsecureChannelCredentials(), arguments));
  }

  void unary(std::size_t size) {
    Call call(*stub_, "Unary", std::nullopt, /*echo=*/true);
    call.exchange(size);
    call.expect_end();
    for (const auto* metadata :
         {&call.context.GetServerInitialMetadata(), &call.context.GetServerTrailingMetadata()}) {
      const auto text = metadata->find("x-echo");
      const auto binary = metadata->find("x-echo-bin");
      want(text != metadata->end() && text->second == "a b~" && binary != metadata->end() &&
               binary->second == grpc::string_ref(kBinary.data(), kBinary.size()),
           "metadata");
    }
  }
  void refused() {
    Call call(*stub_, "Unary", "x-fail");
    const grpc::Status status = call.finish();
    want(status.error_code() == grpc::StatusCode::FAILED_PRECONDITION &&
             status.error_message() == kFailWords,
         "status: " + status.error_message());
  }
  void unknown() {
    Call call(*stub_, "Nothing");
    call.writes_done();
    want(call.finish().error_code() == grpc::StatusCode::UNIMPLEMENTED, "status");
  }
  void count(std::size_t number, std::size_t size) {
    Call call(*stub_, "Count");
    call.write(std::to_string(number) + " " + std::to_string(size));
    for (std::size_t i = 0; i < number; ++i) want(call.read() == pattern(size), "a message");
    call.expect_end();
  }
  void sum(std::size_t number, std::size_t size) {
    Call call(*stub_, "Sum");
    for (std::size_t i = 0; i < number; ++i) want(call.write(pattern(size)), "writing");
    call.writes_done();
    want(call.read() == std::to_string(number) + " " + std::to_string(number * size), "the sum");
    want(call.finish().ok(), "status");
  }
  void chat(std::size_t number, std::size_t size) {
    Call call(*stub_, "Chat");
    call.headers();  // before any message
    for (std::size_t i = 0; i < number; ++i) call.exchange(size);
    call.expect_end();
  }
  void cancel() {
    Call call(*stub_, "Hang");
    call.pause(300ms);
    call.context.TryCancel();
    want(call.finish().error_code() == grpc::StatusCode::CANCELLED, "status");
    unary(10);
  }
  void deadline(std::size_t milliseconds) {
    Call call(*stub_, "Hang", std::chrono::milliseconds(milliseconds));
    want(call.finish().error_code() == grpc::StatusCode::DEADLINE_EXCEEDED, "status");
    unary(10);
  }
  void slow(std::size_t seconds) {
    Call call(*stub_, "Flood");
    call.write("go");
    want(call.read().has_value(), "a message");
    call.pause(std::chrono::seconds(seconds));
    call.context.TryCancel();
    call.finish();
    unary(10);
  }
  void parallel(std::size_t number) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < number; ++i) threads.emplace_back([this, i] { unary(1'000 + i); });
    for (std::thread& thread : threads) thread.join();
  }
  void go_away() {
    Call call(*stub_, "Chat");
    call.exchange(10);
    Call order(*stub_, "GoAway");
    order.write("go");
    order.writes_done();
    order.read();
    want(order.finish().ok(), "status");
    call.pause(300ms);
    call.exchange(100'000);
    unary(10);  // on a connection that it makes by itself
    call.expect_end();
  }
  void idle(std::size_t seconds) {
    Call call(*stub_, "Chat");
    call.exchange(10);
    call.pause(std::chrono::seconds(seconds));
    if (!call.write(pattern(10)) || !call.read()) want(false, call.finish().error_message());
    call.expect_end();
  }

 private:
  std::unique_ptr<grpc::GenericStub> stub_;
};

int run(Client& client, const std::string& name, const std::vector<std::size_t>& numbers) {
  const auto number = [&](std::size_t i) { return i < numbers.size() ? numbers[i] : 0; };
  if (name == "unary") {
    client.unary(number(0));
  } else if (name == "refused") {
    client.refused();
  } else if (name == "unknown") {
    client.unknown();
  } else if (name == "count") {
    client.count(number(0), number(1));
  } else if (name == "sum") {
    client.sum(number(0), number(1));
  } else if (name == "chat") {
    client.chat(number(0), number(1));
  } else if (name == "cancel") {
    client.cancel();
  } else if (name == "deadline") {
    client.deadline(number(0));
  } else if (name == "slow") {
    client.slow(number(0));
  } else if (name == "parallel") {
    client.parallel(number(0));
  } else if (name == "go-away") {
    client.go_away();
  } else if (name == "idle") {
    client.idle(number(0));
  } else {
    want(false, "no such scenario");
  }
  std::puts("ok");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "serve") return serve(std::atoi(argv[2]));
  if (arguments.size() < 4 || arguments[0] != "call") return 2;
  std::vector<std::size_t> numbers;
  for (std::size_t i = 4; i < arguments.size(); ++i) numbers.push_back(std::stoul(arguments[i]));
  Client client(arguments[1], std::atoi(arguments[3].c_str()));
  return run(client, arguments[2], numbers);
}
