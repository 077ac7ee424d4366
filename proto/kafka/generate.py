#!/usr/bin/env python3
"""Turns schema/*.schema into C++ (README.md describes the schema language; generator/ holds the parser and the writers).

generate.py --schema DIR --out DIR [--test-out DIR]
  --out       <DIR>/proto/kafka/messages/<name>.h for each schema file, messages_<n>.cc (a few large units: that compiles
              fastest), api_table.cc
  --test-out  random_messages.cc: fills every message with random values, for the tests and fuzzers
Files that would not change are not written, so that nothing is rebuilt needlessly.
"""
import argparse
import pathlib

from generator.message_header import header
from generator.message_source import api_table, unit
from generator.random_messages import random_messages
from generator.schema import parse_file

UNITS = 4


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('--schema', type=pathlib.Path, required=True)
    arguments.add_argument('--out', type=pathlib.Path)
    arguments.add_argument('--test-out', type=pathlib.Path)
    options = arguments.parse_args()
    files, apis = [], []
    for path in sorted(options.schema.glob('*.schema')):
        file_apis, messages = parse_file(path)
        apis += file_apis
        files.append((path.stem, messages))
        if options.out:
            write(options.out / 'proto/kafka/messages' / f'{path.stem}.h', header(path.name, messages))
    if options.out:
        # Largest first, each into the unit that is smallest so far.
        units = [[] for _ in range(UNITS)]
        weight = {name: sum(len(s.fields) for m in messages for s in [*m.structs, m.body]) for name, messages in files}
        for name, messages in sorted(files, key=lambda f: -weight[f[0]]):
            min(units, key=lambda u: sum(weight[n] for n, _ in u)).append((name, messages))
        for index, members in enumerate(units):
            members.sort(key=lambda member: member[0])
            write(options.out / f'messages_{index}.cc', unit([n for n, _ in members], [m for _, ms in members for m in ms]))
        write(options.out / 'api_table.cc', api_table(apis))
    if options.test_out:
        write(options.test_out / 'random_messages.cc', random_messages(files))


if __name__ == '__main__':
    main()
