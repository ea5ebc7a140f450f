#include "apps/rosenpass/commands.h"

#include <array>
#include <string_view>

namespace trellis::rosenpass_program {
namespace {

struct Topic {
  std::string_view name;
  std::string_view text;
};

constexpr std::string_view kOverview =
    R"(Builds quantum-resistant preshared keys for WireGuard: a drop-in for `rosenpass`

Usage: trellis-rosenpass [OPTIONS] COMMAND

Commands:
  exchange-config  Exchange keys as a configuration file says
  exchange         Exchange keys as the words of the command line say
  gen-config       Write an example of a configuration file
  gen-keys         Make a key pair
  validate         Check configuration files, and the files that they name
  rp               Make keys and whole tunnels, as the tool `rp` does
  man              Show the manual page
  help             Print this, or the help of a command

Options:
      --log-level LEVEL  trace, debug, info, warn, error or off
  -v, --verbose          As --log-level info
  -q, --quiet            As --log-level error
      --max-load PERCENT Of a core, that exchanges begun from unknown addresses may take
                         [default: 10]
  -h, --help             Print help
  -V, --version          Print the version
)";

constexpr std::array<Topic, 9> kTopics = {{
    {"exchange-config",
     R"(Exchanges keys with the peers of a configuration file, until it is stopped

Usage: trellis-rosenpass exchange-config CONFIG_FILE

With a peer that has an endpoint it begins by itself; with others it waits for them.
)"},
    {"exchange",
     R"(Exchanges keys with the peers named on the command line, until it is stopped

Usage: trellis-rosenpass exchange [-c CONFIG_FILE] OWN [PEER]...

  OWN  := public-key FILE secret-key FILE [listen ADDRESS:PORT]... [verbose]
  PEER := peer public-key FILE [endpoint HOST:PORT] [preshared-key FILE] [outfile FILE]
          [wireguard INTERFACE PEER_KEY [WORDS FOR `wg set`]...]

Options:
  -c, --config-file CONFIG_FILE  Write the same as a configuration file first
)"},
    {"gen-config",
     R"(Writes an example of a configuration file

Usage: trellis-rosenpass gen-config [-f] CONFIG_FILE

Options:
  -f, --force  Overwrite a file that is there
)"},
    {"gen-keys",
     R"(Makes a key pair, at the places that a configuration file or the options name

Usage: trellis-rosenpass gen-keys [OPTIONS] [CONFIG_FILE]

Options:
  -p, --public-key FILE  Where to write the public key
  -s, --secret-key FILE  Where to write the secret key
      --format FORMAT    Of the secret key: rust (13568 bytes, which rosenpass 0.2 reads) or go
                         (13608 bytes, which go-rosenpass reads). We read both. [default: rust]
  -f, --force            Overwrite files that are there
)"},
    {"validate",
     R"(Checks configuration files, and the files that they name

Usage: trellis-rosenpass validate [CONFIG_FILE]...
)"},
    {"rp",
     R"(Makes keys and whole tunnels

Usage: trellis-rosenpass rp genkey PRIVATE_DIR
       trellis-rosenpass rp pubkey PRIVATE_DIR PUBLIC_DIR
       trellis-rosenpass rp [verbose] exchange PRIVATE_DIR [dev INTERFACE] [ip ADDRESS/LENGTH]
           [listen ADDRESS:PORT]
           [peer PUBLIC_DIR [endpoint HOST:PORT] [persistent-keepalive SECONDS]
                 [allowed-ips PREFIX,...]]...

A private folder holds keys of WireGuard and of Rosenpass; a public one is what a peer gets of it.
`exchange` makes the interface (rosenpass0 unless told otherwise) and removes it when it ends.
Rosenpass has PORT, WireGuard the port after it, at both ends.
)"},
    {"man", "Shows the manual page\n\nUsage: trellis-rosenpass man\n"},
    {"help", "Prints help\n\nUsage: trellis-rosenpass help [COMMAND]\n"},
    {"keygen",
     "The old name of gen-keys\n\nUsage: trellis-rosenpass keygen private-key FILE "
     "public-key FILE\n"},
}};

}  // namespace

std::string help_text(const std::string& topic) {
  for (const Topic& known : kTopics) {
    if (known.name == topic) return std::string(known.text);
  }
  return std::string(kOverview);
}

}  // namespace trellis::rosenpass_program
