#pragma once

#include "apps/server_request.h"
#include "base/result.h"

#include <string>
#include <string_view>

namespace trellis::apps {

/// `trellis server ...`: asks trellis-server. Returns what goes to standard output.
Result<std::string> ask_server(const ServerRequest& request);

// Its two halves, for tests. Requests and answers are one line of JSON each; see
// server/gateway/gateway.h.

std::string server_question(const ServerRequest& request);
/// Fails on the server's own error, and on an answer that is none.
Result<std::string> server_text(const ServerRequest& request, std::string_view answer);

}  // namespace trellis::apps
