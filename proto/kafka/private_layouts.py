#!/usr/bin/env python3
"""private_layouts.py --schema DIR: nobody changes an API of ours without giving it a new version.

private_layouts.txt holds, for each version of each private API, a digest of what is on the wire. A version that is
laid out otherwise than it was is an error: brokers and gateways of two builds would misread each other. A new version
is added to the file with the line that this script prints; lines of retired versions stay, so that none comes back
with another meaning.
"""
import argparse
import hashlib
import pathlib
import sys

from generator.schema import parse_file

HERE = pathlib.Path(__file__).resolve().parent


def layout(struct, version):
    """What is on the wire, without names: those may change."""
    out = []
    for field in struct.fields:
        if not field.versions[0] <= version <= field.versions[1]:
            continue
        nullable = bool(field.nullable) and field.nullable[0] <= version <= field.nullable[1]
        kind = layout(field.struct, version) if field.struct else field.base
        out.append((kind, field.array, nullable, field.tag, field.rigid))
    return out


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument('--schema', type=pathlib.Path, required=True)
    schema = arguments.parse_args().schema
    known = {}
    for line in (HERE / 'private_layouts.txt').read_text().splitlines():
        if line and not line.startswith('#'):
            name, version, digest = line.split()
            known[name, int(version)] = digest
    wrong = checked = 0
    for path in sorted(schema.glob('*.schema')):
        apis, messages = parse_file(path)
        for api in (a for a in apis if a.private):
            own = [m for m in messages if m.key == api.key]
            for version in range(api.versions[0], api.versions[1] + 1):
                flexible = api.flexible is not None and version >= api.flexible
                text = repr([flexible] + [layout(m.body, version) for m in own])
                digest = hashlib.sha256(text.encode()).hexdigest()[:16]
                checked += 1
                if known.get((api.name, version)) == digest:
                    continue
                wrong += 1
                if (api.name, version) in known:
                    print(f'{path.name}: version {version} of {api.name} is laid out otherwise than it was. Other builds '
                          f'speak it: give the change a new version ("versions {version}-{version + 1}", and '
                          f'"versions {version + 1}+" at what is new)')
                else:
                    print(f'{path.name}: a new version. Add to private_layouts.txt: {api.name} {version} {digest}')
    print(f'{checked} versions of private APIs, {wrong} wrong')
    sys.exit(1 if wrong or not checked else 0)


main()
