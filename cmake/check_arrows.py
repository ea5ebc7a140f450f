#!/usr/bin/env python3
"""Fails when a module includes what it did not declare.

The rules (see ARCHITECTURE.md, "Layers"):
  1. A file includes its own module and the modules in DEPENDS; a test (`*_test.*`) also those in
     TEST_DEPENDS. Our headers are written "module/file.h" from src/.
  2. DEPENDS points down or to a sibling of the same layer, never up; `testing` is for tests only.
  3. Pure layers include no header of the system: no sockets, files, threads, clocks of the kernel.
Prints one line for each breach, as file:line: text.
"""

import argparse
import pathlib
import re
import sys

# node and server are neighbours: neither may name the other.
RANK = {"base": 0, "crypto": 1, "protocol": 2, "node": 3, "server": 3, "system": 4, "apps": 5,
        "testing": 6}
PURE = {"base", "crypto", "protocol", "node", "server"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
IMPURE = re.compile(
    r"^(sys/.*|netinet/.*|net/.*|arpa/.*|linux/.*|asm/.*|netdb\.h|unistd\.h|fcntl\.h|poll\.h"
    r"|signal\.h|csignal|pthread\.h|semaphore\.h|sched\.h|dlfcn\.h|pwd\.h|grp\.h|syslog\.h|time\.h|ifaddrs\.h"
    r"|thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token"
    r"|fstream|filesystem|random|boost/(asio|beast|process|thread|filesystem).*)$")


def layer_of(module: str) -> str:
    return module.split("/")[0]


def declared_breaches(module: str, depends: list[str], test_depends: list[str]) -> list[str]:
    """Breaches of rule 2: what the CMakeLists.txt itself declares."""
    breaches = []
    own = layer_of(module)
    if own not in RANK:
        return [f"{module}: `{own}` is no layer; the layers are {', '.join(RANK)}"]
    for other in depends:
        layer = layer_of(other)
        if layer not in RANK:
            breaches.append(f"{module}: DEPENDS names `{other}`, and `{layer}` is no layer")
        elif other == module:
            breaches.append(f"{module}: DEPENDS names the module itself")
        elif RANK[layer] > RANK[own] or (RANK[layer] == RANK[own] and layer != own):
            breaches.append(f"{module}: DEPENDS names `{other}`: {own} may not name {layer}")
    for other in test_depends:
        if layer_of(other) not in RANK:
            breaches.append(f"{module}: TEST_DEPENDS names `{other}`, which is in no layer")
    return breaches


def module_of(header: str, modules: set[str]) -> str | None:
    """The longest known module that is a folder of `header`, or None."""
    folder = header
    while "/" in folder:
        folder = folder.rsplit("/", 1)[0]
        if folder in modules:
            return folder
    return None


def own_files(source: pathlib.Path, module: str) -> list[pathlib.Path]:
    """Sources of the module, without those of a module nested in its folder."""
    root = source / module
    nested = [p.parent for p in root.rglob("CMakeLists.txt") if p.parent != root]
    return [p for p in sorted(root.rglob("*")) if p.suffix in (".h", ".cc")
            and not any(n in p.parents for n in nested)]


def file_breaches(source: pathlib.Path, path: pathlib.Path, module: str, depends: list[str],
                  test_depends: list[str]) -> list[str]:
    """Breaches of rules 1 and 3 in one file."""
    is_test = path.name.endswith(("_test.cc", "_test.h"))
    allowed = {module, *depends, *(test_depends if is_test else ())}
    pure = layer_of(module) in PURE
    breaches = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        where = f"{path}:{number}"
        quote, header = match.groups()
        if layer_of(header) in RANK and "/" in header and (quote == '"' or (source / header).exists()):
            known = allowed | {"/".join(p.parent.relative_to(source).parts)
                               for p in source.rglob("CMakeLists.txt")}
            target = module_of(header, known) or header.rsplit("/", 1)[0]
            if target not in allowed:
                wanted = "TEST_DEPENDS or DEPENDS" if is_test else "DEPENDS"
                breaches.append(f'{where}: "{header}" is of module {target}, '
                                f"which {module} does not name in {wanted}")
        elif quote == '"':
            breaches.append(f'{where}: write "{header}" as a path from src/, or <{header}> if it is '
                            "somebody else's")
        elif pure and not is_test and IMPURE.match(header):
            breaches.append(f"{where}: <{header}> is of the system, and {module} is pure")
    return breaches


def check(source: pathlib.Path, module: str, depends: list[str], test_depends: list[str]) -> list[str]:
    breaches = declared_breaches(module, depends, test_depends)
    for path in own_files(source, module):
        breaches += file_breaches(source, path, module, depends, test_depends)
    return breaches


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, type=pathlib.Path, help="the folder src/")
    parser.add_argument("--module", required=True, help="for example protocol/wireguard")
    parser.add_argument("--depends", default="", help="comma separated")
    parser.add_argument("--test-depends", default="", help="comma separated")
    args = parser.parse_args()
    breaches = check(args.source, args.module, [m for m in args.depends.split(",") if m],
                     [m for m in args.test_depends.split(",") if m])
    for breach in breaches:
        print(breach, file=sys.stderr)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
