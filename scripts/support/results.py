"""Adds up what test runners report: GoogleTest and pytest by their XML, ctest by its JUnit file."""

import dataclasses
import pathlib
import xml.etree.ElementTree as ElementTree


@dataclasses.dataclass
class Tally:
    """Counts of test cases, with a line of text for each that failed or was skipped."""

    passed: int = 0
    failed: list[str] = dataclasses.field(default_factory=list)
    skipped: list[str] = dataclasses.field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def closing_line(self) -> str:
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def _lines(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


def _last_line(text: str | None) -> str:
    return (_lines(text) or ["no reason given"])[-1]


def read_cases(path: pathlib.Path) -> Tally:
    """Reads the XML of GoogleTest or pytest. Raises OSError or ParseError if there is none."""
    tally = Tally()
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            tally.failed.append(name)
        elif skipped is not None or case.get("result") == "skipped":
            message = skipped.get("message") if skipped is not None else ""
            tally.skipped.append(f"{name}: {_gtest_reason(message)}")
        elif case.get("status") == "notrun":
            continue  # DISABLED_ or filtered out: not a test of this run
        else:
            tally.passed += 1
    return tally


def _gtest_reason(message: str | None) -> str:
    """GoogleTest puts file:line on a line of its own before the reason."""
    lines = _lines(message)
    if len(lines) > 1 and lines[0].rpartition(":")[2].isdigit():
        lines = lines[1:]
    return lines[0] if lines else "no reason given"


def read_ctest(junit: pathlib.Path, cases_folder: pathlib.Path) -> Tally:
    """Reads ctest's JUnit file. A test that is a GoogleTest program wrote CASES_FOLDER/NAME.xml; its
    cases are counted in place of the program, and a program that fails although none of its cases
    did (a crash, a leak found at exit) counts as one failure."""
    tally = Tally()
    for test in ElementTree.parse(junit).getroot().iter("testcase"):
        name = test.get("name") or "unnamed"
        status = test.get("status")
        skipped = test.find("skipped")
        # A program that was not built is "notrun" too: that is no reason to skip it.
        if status == "notrun" and skipped is not None and "SKIP_" in (skipped.get("message") or ""):
            tally.skipped.append(f"{name}: {_last_line(test.findtext('system-out'))}")
            continue
        ran_well = status == "run"
        cases = cases_folder / f"{name}.xml"
        if cases.exists():
            try:
                inner = read_cases(cases)
            except ElementTree.ParseError:
                inner = Tally()
            tally.add(inner)
            if not ran_well and not inner.failed:
                tally.failed.append(f"{name}: ended badly though no case failed")
        elif ran_well:
            tally.passed += 1
        else:
            tally.failed.append(name)
    return tally
