#!/usr/bin/env python3
"""The style test: reads every tracked C++ file and Markdown page, and fails on what the house does not do.

Formatting (clang-format 16), upward includes by "../", calls that only base/ may make, coroutine traps of g++ 12,
leftover markers, files that hide a second noun, tests that ctest does not know, links that lead nowhere, decision pages
without their sections (pages.py). Each finding says file, line, rule and what to do instead.
"""
import pathlib
import re
import shutil
import subprocess
import sys

import pages

ROOT = pathlib.Path(__file__).resolve().parents[2]

# rule, pattern, folders it does not apply to, what to do instead
BANNED = [
    ("include by ../", r'#include\s+"\.\./', (), "include by the path from the top: \"room/header.h\""),
    ("clock", r"\b(steady_clock|system_clock|high_resolution_clock)::now|\bclock_gettime\s*\(|\bgettimeofday\s*\(",
     ("base/", "tests/bench", "tests/net_proxy", "offsets/client", "linker/cli", "linker/api"), "ask Env::now() or Env::wall_now()"),
    ("randomness", r"\b(std::random_device|std::mt19937|std::default_random_engine|rand)\s*[({]",
     ("base/",), "use Env::random()"),
    ("thread", r"\bstd::(thread|jthread|async|mutex|condition_variable)\b",
     ("base/", "linker/api", "linker/cli", "linker/main.cc", "offsets/client", "tests/"),
     "use the Env's executor; blocking work belongs to base/real"),
    ("file or socket", r"(?<![\w:.>])::(open|socket|connect|bind|fopen|unlink|rename)\s*\(|\bstd::(o|i)?fstream\b|\bfopen\s*\(",
     ("base/", "tests/", "linker/cli", "broker/main.cc", "broker/log/kafka_tools_test.cc"), "use Env::files() or Env::network()"),
    ("asio", r"\basio::|boost/asio", ("base/real/", "base/http/internal/codec.cc"), "use Env primitives"),
    ("task || timer", r"experimental::awaitable_operators|experimental::channel", ("base/",), "operations take a Deadline"),
    ("co_await inside ?:", r"\?[^;:]*\bco_await\b[^;]*:|\?[^;]*:[^;:]*\bco_await\b", (), "use if/else: g++ 12 frees twice"),
    ("co_await in range-for", r"\bfor\s*\([^;)]*:[^;)]*\bco_await\b", (), "name the range first"),
    ("aggregate temporary in co_await", r"\bco_await\s+[\w:.>\-]+\([^;]*\b[A-Z]\w+\{\s*\.", (), "name it, then std::move it in"),
    ("co_await as an unnamed condition", r"\b(if|while)\s*\(\s*!?\s*\(?\s*\*?\s*co_await\b", (),
     "name the result first: g++ 12 corrupts the frame"),
    ("Duration without a value", r"(?<![\w<:])(?<!const )Duration \w+(, \w+)*;", (), "Duration name{}: std::chrono leaves it uninitialized"),
    ("left unfinished", r"\b(TODO|FIXME|XXX|HACK)\b", (), "finish it, or refuse the case with the reason"),
    ("range-for over value() of a temporary", r"\bfor\s*\([^;()]*:[^;()]*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\.value\(\)", (),
     "name the result first: the Result is destroyed before the loop begins"),
    ("hand-made coroutine test", r"\bstruct Play\b", (), "use ASYNC_TEST_F (base/testing/async_test.h)"),
    ("second announced_seed", r"\buint64_t announced_seed\s*\(", ("base/testing/seed.h",), "include base/testing/seed.h"),
    ("unbounded wait of a coroutine lambda", r"spawn\([^;]*\]\s*\(\)\s*->\s*Task<[^;]*\}\s*\(\)\s*\)", (), "use a member function"),
]
LINES_MAX, TEST_LINES_MAX = 400, 500

# Rooms that must not include each other, whatever their CMake targets depend on (docs/architecture.md).
FORBIDDEN_INCLUDES = [
    ("broker/", ("linker/", "offsets/client/", "offsets/store/", "replicator/")),
    ("linker/", ("broker/", "offsets/client/")),
    ("offsets/client/", ("linker/", "broker/")),
    ("replicator/", ("broker/", "linker/", "offsets/client/")),
    ("proto/", ("replicator/", "broker/", "linker/")),
    ("base/", ("proto/", "replicator/", "broker/", "linker/", "offsets/")),
]
ALLOWED_INCLUDES = {"offsets/client/": ("broker/log/",)}  # the observer keeps a log


def is_test(path):
    return bool(re.search(r"(_test|_fuzz|_bench|_fixture)\.(cc|h)$|/testing/|^base/contract/|^tests/|/fake/|/stub", path))


def tracked(*patterns):
    out = subprocess.run(["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
                         capture_output=True, text=True, check=True)
    return [p for p in out.stdout.splitlines() if (ROOT / p).is_file()]


def strip_comments(text):
    """Blanks comments and string bodies, keeping line numbers: rules are about code."""
    def blank(match):
        token = match.group(0)
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return '"' + re.sub(r"[^\n]", " ", token[1:-1]) + '"' if token[0] == '"' and "#include" not in token else token
    text = re.sub(r'//[^\n]*|/\*.*?\*/', blank, text, flags=re.S)
    return text


def includes(path, text):
    """Includes that cross a wall of the house: internal/ from another room, testing/ from what is shipped, forbidden
    directions. Real Envs are composed in main files alone."""
    for match in re.finditer(r'^#include "([^"]+)"', text, flags=re.M):
        header, line = match.group(1), text.count("\n", 0, match.start()) + 1
        room, internal, _ = header.partition("/internal/")
        if internal and not path.startswith(room + "/"):
            yield f"{path}:{line}: {header} is internal to {room}: include a public header of that room"
        if ("/testing/" in header or "/fake/" in header) and not is_test(path):
            yield f"{path}:{line}: {header} is for tests"
        if is_test(path):
            continue
        for room, others in FORBIDDEN_INCLUDES:
            if path.startswith(room) and header.startswith(others) and not header.startswith(ALLOWED_INCLUDES.get(room, ("\0",))):
                yield f"{path}:{line}: {room} must not include {header}"
        if header.startswith(("base/real/", "base/rocksdb/")) and not path.startswith(("base/", "offsets/client/")) \
                and not path.endswith("main.cc"):
            yield f"{path}:{line}: only main files (and libfarshore) compose a real Env"


def smeared(sources):
    """Classes whose methods stand in more than two source files: a second noun hides in them."""
    where = {}
    for path in sources:
        if not path.endswith(".cc") or is_test(path):
            continue
        for match in re.finditer(r"^(?:[A-Za-z_][\w:<>,&*\s]*?[\s&*>])?((?:\w+::)*[A-Z]\w+)::~?\w+\(", (ROOT / path).read_text(), flags=re.M):
            name = match.group(1).split("::")[0]
            where.setdefault((str(pathlib.Path(path).parents[0]).split("/")[0], name), set()).add(path)
    for (_, name), files in sorted(where.items()):
        if len(files) > 2:
            yield f"{sorted(files)[0]}:1: methods of {name} stand in {len(files)} source files: {', '.join(sorted(files))}"


def unregistered():
    """Tests that ctest does not know. Unit tests are found by name, but only in a room or in a PART of one; programs that
    test something must be named in an add_test() or a farshore_system_test()."""
    lists = {str(pathlib.Path(p).parent): (ROOT / p).read_text() for p in tracked("CMakeLists.txt", "*/CMakeLists.txt")}

    def is_room(folder):
        folder = folder.removesuffix("/internal")
        if re.search(rf"farshore_room\(\s*{re.escape(folder)}[\s)]", lists.get(folder, "")):
            return True
        above, _, part = folder.rpartition("/")
        return bool(re.search(rf"farshore_room\(\s*{re.escape(above)}\s[^)]*\bPARTS\b[^)]*\b{re.escape(part)}\b", lists.get(above, "")))

    for path in tracked("*_test.cc"):
        if not is_room(str(pathlib.Path(path).parent)):
            yield f"{path}:1: not registered with ctest: its folder is no farshore_room and no PART of one"
    added = [re.sub(r"\s+", " ", call) for text in lists.values() for call in re.findall(r"(?:add|_system)_test\(([^()]*(?:\([^()]*\)[^()]*)*)\)", text)]
    # No tests: what runs them, what they share, what makes their input, and a trial that needs a container.
    helpers = {"tests/system/harness.py", "tests/run", "tests/fuzz/seeds.py", "tests/clean_machine",
               "tests/nightly", "tests/seeds", "tests/tidy"}
    for path in tracked("*_smoke", "*_smoke.py", "tests/*"):
        file = ROOT / path
        if path in helpers or path.endswith((".cc", ".h", ".md", ".txt")) or path.startswith("tests/bench/"):
            continue
        if not file.read_bytes().startswith(b"#!"):
            continue
        # Named in one of them, or (without its ending) in a foreach() around one.
        loops = re.findall(r"foreach\(([^()]*)\)", lists.get(str(pathlib.Path(path).parent), ""))
        if not any(re.search(rf"[/ ]{re.escape(file.name)}( |$)", call) for call in added) and \
                not any(file.stem in loop.split() for loop in loops):
            yield f"{path}:1: not registered with ctest: no add_test() or farshore_system_test() runs it"


def main():
    sources = tracked("*.h", "*.cc")
    findings = list(unregistered()) + list(smeared(sources))
    for path in sources:
        text = (ROOT / path).read_text()
        code = strip_comments(text)
        for rule, pattern, exempt, instead in BANNED:
            if any(path.startswith(e) for e in exempt):
                continue
            for match in re.finditer(pattern, code):
                line = code.count("\n", 0, match.start()) + 1
                findings.append(f"{path}:{line}: {rule}: {instead}")
        if path.endswith(".h") and text.startswith("// What"):
            findings.append(f"{path}:1: a header begins with its noun, not with \"What\"")
        if path.endswith(".h") and "#pragma once" not in text and "\n#ifndef " not in text and path != "cmake/precompiled.h":
            findings.append(f"{path}:1: no #pragma once")
        lines = text.count("\n")
        limit = TEST_LINES_MAX if is_test(path) else LINES_MAX
        if lines > limit:
            findings.append(f"{path}:1: {lines} lines (limit {limit}): which second noun hides in it?")
        findings += includes(path, text)
        for number, content in enumerate(text.splitlines(), 1):
            if len(content) > 120:
                findings.append(f"{path}:{number}: longer than 120 columns")
    findings += pages.findings(tracked("*.md"))
    for path in tracked("*.py"):
        lines = (ROOT / path).read_text().count("\n")
        if lines > TEST_LINES_MAX:
            findings.append(f"{path}:1: {lines} lines (limit {TEST_LINES_MAX}): which second noun hides in it?")
    for path in tracked():
        size = (ROOT / path).stat().st_size
        if size > 512 * 1024:
            findings.append(f"{path}: {size} bytes: large files do not belong into git")

    formatter = shutil.which("clang-format-16")
    if formatter:
        for at in range(0, len(sources), 64):
            part = sources[at:at + 64]
            run = subprocess.run([formatter, "--dry-run", "-Werror", *part], cwd=ROOT, capture_output=True, text=True)
            findings += sorted({re.sub(r"^(\S+?):(\d+):.*", r"\1: run clang-format-16 -i", l)
                                for l in run.stderr.splitlines() if "error:" in l})
    else:
        print("clang-format-16 is missing: formatting was not checked")
        findings.append("clang-format-16 is needed (deploy/packages/test.txt)")

    for finding in findings:
        print(finding)
    print(f"{len(sources)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
