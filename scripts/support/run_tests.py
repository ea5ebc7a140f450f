#!/usr/bin/env python3
"""What scripts/test runs after set-up: builds, then every kind of test, then one line of counts."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

from results import Tally, read_cases, read_ctest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
RESULTS = BUILD / "results"
FUZZ_SECONDS = 60
HEARTBEAT_SECONDS = 30


class Run:
    """One run of the tests: prints steps with the time since the start, and adds up the results."""

    def __init__(self, steps: int):
        self.started = time.monotonic()
        self.steps = steps
        self.number = 0
        self.tally = Tally()

    def elapsed(self) -> str:
        seconds = int(time.monotonic() - self.started)
        return f"{seconds // 60}:{seconds % 60:02}"

    def say(self, text: str) -> None:
        print(text, flush=True)

    def step(self, title: str) -> None:
        self.number += 1
        self.say(f"\n== [{self.number}/{self.steps}] {title} ({self.elapsed()})")

    def fail(self, what: str) -> None:
        self.tally.failed.append(what)
        self.say(f"FAILED: {what}")

    def environment(self, extra: dict[str, str]) -> dict[str, str]:
        return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **extra}

    def show(self, *command: str, **extra: str) -> int:
        """Runs a command that talks to the user; returns its exit status."""
        return subprocess.run(command, cwd=ROOT, env=self.environment(extra), check=False,
                              stdin=subprocess.DEVNULL).returncode

    def quiet(self, name: str, *command: str, **extra: str) -> bool:
        """Runs a long command with its output in a log; shows the log's end if it fails, and a sign
        of life while it runs."""
        log = RESULTS / f"{name}.log"
        with log.open("w") as out:
            process = subprocess.Popen(command, cwd=ROOT, env=self.environment(extra), stdout=out,
                                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            while True:
                try:
                    status = process.wait(timeout=HEARTBEAT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    self.say(f"   ... {last_line(log)[:90]} ({self.elapsed()})")
        if status != 0:
            self.say("\n".join(log.read_text(errors="replace").splitlines()[-60:]))
            self.say(f"   the whole log: {log.relative_to(ROOT)}")
        return status == 0


def last_line(log: pathlib.Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else ""


def build(run: Run, preset: str, *targets: str) -> bool:
    """Configures and builds a preset; a failure counts as one failed test."""
    options = ["--target", *targets] if targets else []
    if run.quiet(f"configure-{preset}", "cmake", "--preset", preset) and run.quiet(
            f"build-{preset}", "cmake", "--build", "--preset", preset, *options):
        return True
    run.fail(f"build of preset {preset}")
    return False


def ctest(run: Run, preset: str, *options: str, **extra: str) -> None:
    """Runs the tests of a built preset in parallel."""
    junit = RESULTS / f"ctest-{preset}.xml"
    cases = BUILD / preset / "results"
    shutil.rmtree(cases, ignore_errors=True)
    junit.unlink(missing_ok=True)
    status = run.show("ctest", "--test-dir", str(BUILD / preset), "--output-on-failure", "-j",
                      str(os.cpu_count() or 2), "--output-junit", str(junit), *options, **extra)
    try:
        tally = read_ctest(junit, cases)
    except (OSError, ElementTree.ParseError) as error:
        run.fail(f"ctest of preset {preset} left no results: {error}")
        return
    run.tally.add(tally)
    if status != 0 and not tally.failed:
        run.fail(f"ctest of preset {preset}: exit status {status}")
    report(run, tally)


def pytest(run: Run, name: str, folder: str, *options: str, **extra: str) -> None:
    """Runs one folder of Python tests against the programs of a build."""
    junit = RESULTS / f"pytest-{name}.xml"
    junit.unlink(missing_ok=True)
    status = run.show(sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-rs",
                      "--tb=short", f"--junitxml={junit}", folder, *options, **extra)
    try:
        tally = read_cases(junit)
    except (OSError, ElementTree.ParseError) as error:
        run.fail(f"pytest {folder} left no results: {error}")
        return
    # The build before this passed, so a program of ours that is missing is a fault, not a reason.
    unbuilt = [skipped for skipped in tally.skipped if "is not built in" in skipped]
    tally.skipped = [skipped for skipped in tally.skipped if skipped not in unbuilt]
    tally.failed += unbuilt
    run.tally.add(tally)
    # 5: nothing was selected, which is no failure of a folder whose tests are all of the other kind.
    if status not in (0, 5) and not tally.failed:
        run.fail(f"pytest {folder}: exit status {status}")
    report(run, tally)


def report(run: Run, tally: Tally) -> None:
    """Names what failed; a skipped test is worth a line too, with its reason."""
    for name in tally.failed:
        run.say(f"   failed: {name}")
    for name in tally.skipped:
        run.say(f"   skipped: {name}")


def check(run: Run, what: str, *command: str) -> None:
    """A command that either finds something or not, counted as one test."""
    if run.show(*command) == 0:
        run.tally.passed += 1
    else:
        run.fail(what)


def targets_of(preset: str, pattern: str) -> list[str]:
    """Test programs of a configured preset whose names match."""
    listing = subprocess.run(["ninja", "-C", str(BUILD / preset), "-t", "targets", "all"],
                             capture_output=True, text=True, check=False).stdout
    names = (line.partition(":")[0] for line in listing.splitlines())
    return sorted({name for name in names if re.fullmatch(pattern, name)})


def thread_sanitizer(run: Run) -> None:
    """The layers that have threads, under ThreadSanitizer."""
    if not run.quiet("configure-tsan", "cmake", "--preset", "tsan"):
        run.fail("configuring preset tsan")
        return
    programs = targets_of("tsan", r"trellis_(system|apps)(_\w+)?_test")
    if not programs:
        run.fail("no test program of system or apps")
    elif build(run, "tsan", *programs):
        ctest(run, "tsan", "-R", r"^trellis_(system|apps)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true")
    everything = parser.parse_args().all
    RESULTS.mkdir(parents=True, exist_ok=True)
    run = Run(steps=13 if everything else 6)

    run.step("format")
    check(run, "scripts/format --check", "scripts/format", "--check")

    run.step("build: AddressSanitizer and UndefinedBehaviorSanitizer")
    sanitized = build(run, "asan")

    run.step("unit tests, simulations, corpora")
    if sanitized:
        ctest(run, "asan", *(() if everything else ("-LE", "long")))

    run.step("build: release")
    released = build(run, "release")
    programs = {"TRELLIS_BUILD": str(BUILD / "release")}

    run.step("constant time, under valgrind")
    if released:
        ctest(run, "release", "-L", "valgrind")

    run.step("lab: real programs between network namespaces")
    if released:
        pytest(run, "lab", "tests/lab", *(() if everything else ("-m", "not long")), **programs)

    if everything:
        run.step("every order of faults, 10,000 seeds")
        if released:
            ctest(run, "release", "-R", r"^trellis_(node_agent|protocol_rosenpass)$",
                  TRELLIS_EXHAUSTIVE="1", TRELLIS_TEST_SEEDS="10000")

        run.step("ThreadSanitizer: system and apps")
        thread_sanitizer(run)

        run.step("clang-tidy")
        check(run, "scripts/lint", "scripts/lint")

        run.step(f"fuzz targets, {FUZZ_SECONDS} s each")
        check(run, "scripts/fuzz", "scripts/fuzz", "--seconds", str(FUZZ_SECONDS))

        run.step("foreign peers")
        if released:
            pytest(run, "interop", "tests/interop", **programs)

        run.step("build: with secrets dumped, for the recorder")
        dumping = build(run, "adversary")

        run.step("recorder that knows every classical secret")
        if dumping:
            pytest(run, "adversary", "tests/adversary",
                   TRELLIS_BUILD=str(BUILD / "adversary"))

    run.say(f"\ntests took {run.elapsed()}")
    for name in run.tally.failed:
        run.say(f"failed: {name}")
    run.say(run.tally.closing_line())
    return 1 if run.tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
