#!/usr/bin/env python3
"""Tests of check_arrows.py on small trees made for the purpose."""

import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_arrows  # noqa: E402  (found through the line above)


class ArrowCheck(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.source = pathlib.Path(self.folder.name)
        for module in ("base", "crypto", "protocol/ip", "protocol/wireguard", "node/pair", "system",
                       "testing"):
            self.write(f"{module}/CMakeLists.txt", "")

    def write(self, path, text):
        file = self.source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def breaches(self, module, depends=(), test_depends=()):
        return check_arrows.check(self.source, module, list(depends), list(test_depends))

    def test_declared_arrows_pass(self):
        self.write("protocol/wireguard/device.h", '#include "protocol/wireguard/messages.h"\n'
                   '#include "base/bytes.h"\n#include "protocol/ip/packet.h"\n#include <span>\n'
                   "#include <sodium.h>\n")
        self.assertEqual(self.breaches("protocol/wireguard", ["base", "protocol/ip"]), [])

    def test_undeclared_arrow_fails_with_file_and_line(self):
        self.write("protocol/wireguard/device.cc", '\n#include "crypto/aead.h"\n')
        found = self.breaches("protocol/wireguard", ["base"])
        self.assertEqual(len(found), 1)
        self.assertIn("device.cc:2: \"crypto/aead.h\" is of module crypto", found[0])

    def test_undeclared_sibling_fails(self):
        self.write("protocol/wireguard/device.cc", '#include "protocol/ip/packet.h"\n')
        self.assertEqual(len(self.breaches("protocol/wireguard", ["base"])), 1)

    def test_angle_brackets_do_not_hide_an_arrow(self):
        self.write("crypto/aead.h", "")
        self.write("protocol/wireguard/device.cc", "#include <crypto/aead.h>\n")
        self.assertEqual(len(self.breaches("protocol/wireguard", ["base"])), 1)

    def test_spaces_do_not_hide_an_arrow(self):
        self.write("base/bytes.h", '  #  include   "crypto/aead.h"\n')
        self.assertEqual(len(self.breaches("base")), 1)

    def test_header_without_a_module_path_fails(self):
        self.write("base/bytes.cc", '#include "bytes.h"\n')
        self.assertEqual(len(self.breaches("base")), 1)

    def test_only_tests_may_use_test_depends(self):
        self.write("node/pair/pair_test.cc", '#include "testing/sim.h"\n')
        self.assertEqual(self.breaches("node/pair", ["base"], ["testing"]), [])
        self.write("node/pair/helper_test.h", '#include "testing/sim.h"\n')
        self.assertEqual(self.breaches("node/pair", ["base"], ["testing"]), [])
        self.write("node/pair/pair.cc", '#include "testing/sim.h"\n')
        self.assertEqual(len(self.breaches("node/pair", ["base"], ["testing"])), 1)

    def test_arrows_that_point_up_fail(self):
        for module, other in (("base", "crypto"), ("crypto", "protocol/ip"), ("node/pair", "system"),
                              ("protocol/ip", "node/pair"), ("node/pair", "server/signal"),
                              ("server/signal", "node/pair"), ("system", "testing"),
                              ("apps", "testing")):
            with self.subTest(module=module, other=other):
                self.assertEqual(len(self.breaches(module, [other])), 1)

    def test_arrows_that_point_down_or_aside_pass(self):
        for module, other in (("crypto", "base"), ("protocol/wireguard", "protocol/ip"),
                              ("node/pair", "protocol/wireguard"), ("system", "base"),
                              ("apps", "system"), ("testing", "node/pair")):
            with self.subTest(module=module, other=other):
                self.assertEqual(self.breaches(module, [other]), [])

    def test_unknown_layer_fails(self):
        self.assertEqual(len(self.breaches("util", [])), 1)
        self.assertEqual(len(self.breaches("base", ["util"])), 1)

    def test_pure_layers_include_nothing_of_the_system(self):
        for header in ("sys/socket.h", "unistd.h", "netinet/in.h", "arpa/inet.h", "net/if.h",
                       "linux/if_tun.h", "fcntl.h", "poll.h", "signal.h", "csignal", "pthread.h",
                       "thread", "mutex", "fstream", "filesystem", "boost/asio.hpp",
                       "boost/asio/ip/udp.hpp"):
            for module in ("base", "crypto", "protocol/ip", "node/pair"):
                with self.subTest(header=header, module=module):
                    self.write(f"{module}/x.cc", f"#include <{header}>\n")
                    self.assertEqual(len(self.breaches(module)), 1)
            self.write("system/x.cc", f"#include <{header}>\n")
            self.assertEqual(self.breaches("system"), [])

    def test_harmless_standard_headers_pass_in_pure_layers(self):
        self.write("base/x.cc", "#include <cstdlib>\n#include <chrono>\n#include <atomic>\n"
                   "#include <boost/container/flat_map.hpp>\n")
        self.assertEqual(self.breaches("base"), [])

    def test_nested_module_is_checked_by_itself_alone(self):
        self.write("testing/inner/CMakeLists.txt", "")
        self.write("testing/inner/x.cc", '#include "system/loop.h"\n')
        self.assertEqual(self.breaches("testing", ["base"]), [])
        self.assertEqual(len(self.breaches("testing/inner", ["base"])), 1)


if __name__ == "__main__":
    unittest.main()
