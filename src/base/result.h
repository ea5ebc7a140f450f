#pragma once

#include <tl/expected.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace trellis {

/// What the world may do wrong is a value. Named here only, so that it can be std's one day.
template <class T, class E>
using Expected = tl::expected<T, E>;

template <class E>
tl::unexpected<std::decay_t<E>> fail(E&& error) {
  return tl::unexpected<std::decay_t<E>>(std::forward<E>(error));
}

/// An error for people: one sentence that says what is wrong and what to do.
struct Error {
  std::string message;

  /// Puts "what we were doing: " in front.
  Error within(std::string_view context) && {
    return Error{std::string(context) + ": " + std::move(message)};
  }
  friend bool operator==(const Error&, const Error&) = default;
};

template <class T = void>
using Result = Expected<T, Error>;

inline tl::unexpected<Error> fail_with(std::string message) {
  return tl::unexpected<Error>(Error{std::move(message)});
}

namespace internal {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace internal

}  // namespace trellis

/// What only we can do wrong. On in release builds too; never for input.
#define CHECK(condition) \
  ((condition) ? (void)0 : ::trellis::internal::check_failed(#condition, __FILE__, __LINE__))

/// The value of an Expected, or return its error from the function. One a line; not in coroutines.
#define TRY(expression)                                                      \
  __extension__({                                                            \
    auto try_result = (expression);                                          \
    if (!try_result) return ::tl::unexpected(std::move(try_result).error()); \
    ::trellis::internal::take(std::move(try_result));                        \
  })

namespace trellis::internal {
template <class T, class E>
T take(tl::expected<T, E>&& result) {
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}
}  // namespace trellis::internal
