#!/usr/bin/env python3
"""Tests of results.py on what the test runners were seen to write."""

import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from results import read_cases, read_ctest  # noqa: E402  (found through the line above)

GTEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" failures="1" disabled="1" errors="0" time="0.1" name="AllTests">
  <testsuite name="Hex" tests="4" failures="1" disabled="1" skipped="1" errors="0">
    <testcase name="Reads" status="run" result="completed" classname="Hex" />
    <testcase name="Fails" status="run" result="completed" classname="Hex">
      <failure message="x.cc:3&#x0A;Expected equality" type=""><![CDATA[x.cc:3]]></failure>
    </testcase>
    <testcase name="Skips" status="run" result="skipped" classname="Hex">
      <skipped message="src/x.cc:7&#x0A;no TUN device&#x0A;"><![CDATA[src/x.cc:7]]></skipped>
    </testcase>
    <testcase name="DISABLED_Never" status="notrun" result="suppressed" classname="Hex" />
  </testsuite>
</testsuites>
"""

GTEST_GOOD = """<testsuites><testsuite name="Hex">
  <testcase name="Reads" status="run" result="completed" classname="Hex" />
</testsuite></testsuites>
"""

PYTEST = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="0" skipped="1" tests="3">
  <testcase classname="tests.lab.test_pair" name="test_up" time="1.0" />
  <testcase classname="tests.lab.test_pair" name="test_tcpdump" time="0.0">
    <skipped type="pytest.skip" message="tcpdump is not installed">test_pair.py:3: x</skipped>
  </testcase>
  <testcase classname="" name="tests.lab.broken"><error message="collection failure">x</error></testcase>
</testsuite></testsuites>
"""


def ctest(*tests: str) -> str:
    return f'<testsuite name="(empty)">{"".join(tests)}</testsuite>'


def ctest_case(name: str, status: str, inner: str = "") -> str:
    return f'<testcase name="{name}" classname="{name}" time="0" status="{status}">{inner}</testcase>'


class Results(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def test_gtest_cases_are_counted_each(self):
        tally = read_cases(self.write("a.xml", GTEST))
        self.assertEqual(tally.closing_line(), "1 passed, 1 failed, 1 skipped")
        self.assertEqual(tally.failed, ["Hex.Fails"])
        self.assertEqual(tally.skipped, ["Hex.Skips: no TUN device"])

    def test_pytest_errors_are_failures_and_skips_have_reasons(self):
        tally = read_cases(self.write("a.xml", PYTEST))
        self.assertEqual(tally.closing_line(), "1 passed, 1 failed, 1 skipped")
        self.assertIn("tcpdump is not installed", tally.skipped[0])

    def test_ctest_takes_the_cases_of_a_gtest_program(self):
        self.write("trellis_base.xml", GTEST_GOOD)
        junit = self.write("ctest.junit", ctest(ctest_case("trellis_base", "run"),
                                                ctest_case("arrow_check", "run")))
        self.assertEqual(read_ctest(junit, self.folder).closing_line(),
                         "2 passed, 0 failed, 0 skipped")

    def test_a_program_that_dies_after_its_cases_passed_is_a_failure(self):
        self.write("trellis_base.xml", GTEST_GOOD)
        junit = self.write("ctest.junit", ctest(ctest_case("trellis_base", "fail")))
        self.assertEqual(read_ctest(junit, self.folder).closing_line(),
                         "1 passed, 1 failed, 0 skipped")

    def test_a_program_that_dies_without_results_is_a_failure(self):
        junit = self.write("ctest.junit", ctest(ctest_case("trellis_base", "fail")))
        self.assertEqual(read_ctest(junit, self.folder).failed, ["trellis_base"])
        self.write("trellis_base.xml", "<testsuites><testsuite")
        self.assertEqual(len(read_ctest(junit, self.folder).failed), 1)

    def test_a_failed_case_is_not_counted_twice(self):
        self.write("trellis_base.xml", GTEST)
        junit = self.write("ctest.junit", ctest(ctest_case("trellis_base", "fail")))
        self.assertEqual(read_ctest(junit, self.folder).closing_line(),
                         "1 passed, 1 failed, 1 skipped")

    def test_a_program_that_was_not_built_is_a_failure(self):
        junit = self.write("ctest.junit", ctest(ctest_case(
            "trellis_base", "notrun", '<skipped message="Unable to find executable"/>')))
        self.assertEqual(len(read_ctest(junit, self.folder).failed), 1)

    def test_a_test_that_skips_itself_says_why(self):
        junit = self.write("ctest.junit", ctest(ctest_case(
            "valgrind", "notrun", '<skipped message="SKIP_RETURN_CODE=77"/>'
            "<system-out>looking\nvalgrind is not installed\n</system-out>")))
        self.assertEqual(read_ctest(junit, self.folder).skipped,
                         ["valgrind: valgrind is not installed"])

    def test_no_results_raise(self):
        with self.assertRaises(OSError):
            read_cases(self.folder / "none.xml")
        with self.assertRaises(ElementTree.ParseError):
            read_cases(self.write("a.xml", ""))


if __name__ == "__main__":
    unittest.main()
