#!/usr/bin/env python3
"""Compares schema/*.schema with the message definitions that ship inside Apache Kafka's jars, version by version.

schema_matches_kafka_clients.py --schema DIR [--jar JAR]...
Without --jar it looks for kafka-clients and kafka-group-coordinator 4.1.1 in $PEERS_HOME (default ~/.cache/peers) and in
the local Maven repository. Exit codes: 0 equal, 1 different, 77 no jar here (skipped).
"""
import argparse
import glob
import json
import os
import pathlib
import re
import sys
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
from generator import schema  # noqa: E402  the parser of our schemas

VERSION = '4.1.1'
JARS = ('kafka-clients', 'kafka-group-coordinator')


def find_jars():
    homes = [os.environ.get('PEERS_HOME') or os.path.expanduser('~/.cache/peers')]
    found = []
    for name in JARS:
        file = f'{name}-{VERSION}.jar'
        places = [f'{home}/kafka-{VERSION}/{file}' for home in homes]
        places += glob.glob(os.path.expanduser(f'~/.m2/repository/org/apache/kafka/{name}/{VERSION}/{file}'))
        found += [place for place in places if os.path.exists(place)][:1]
    return found


def definitions(jars):
    out = {}
    for jar in jars:
        with zipfile.ZipFile(jar) as archive:
            for entry in archive.namelist():
                if entry.startswith('common/message/') and entry.endswith('.json'):
                    text = re.sub(r'^\s*//.*$', '', archive.read(entry).decode(), flags=re.M)
                    definition = json.loads(text)
                    out[definition['name']] = definition
    return out


def snake(name):
    name = re.sub(r'(.)([A-Z][a-z]+)', r'\1_\2', name)
    return re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name).lower()


def contains(text, version):
    if text in (None, 'none'):
        return False
    low, plus, high = text.partition('+') if text.endswith('+') else text.partition('-')
    return version >= int(low) if plus == '+' else int(low) <= version <= int(high or low)


def normal(type_, default, nullable_ever):
    """A default as one comparable text."""
    if default is None:
        return ''
    default = str(default).lower() if isinstance(default, bool) else str(default)
    if type_ in schema.SIZES and type_ not in ('bool', 'uuid', 'float64'):
        return '' if int(default, 0) == 0 else str(int(default, 0))
    return '' if default in ('', '""', 'false') else default


def theirs(fields, common, version, flexible):
    """The layout in one version: (name, type, nullable, tag, default, ignorable, compact, fields) in wire order."""
    out = []
    for field in fields:
        if not contains(field['versions'], version):
            continue
        base = field['type'].removeprefix('[]')
        sub = field.get('fields') or common.get(base)
        tagged = contains(field.get('taggedVersions'), version)
        compact = flexible and field.get('flexibleVersions') != 'none'
        out.append((snake(field['name']), field['type'], contains(field.get('nullableVersions'), version),
                    field['tag'] if tagged else None, normal(field['type'], field.get('default'), True),
                    bool(field.get('ignorable')), compact, theirs(sub, common, version, flexible) if sub else None))
    return out


def ours(struct, version, flexible):
    out = []
    for field in struct.fields:
        if not field.versions[0] <= version <= field.versions[1]:
            continue
        type_ = ('[]' if field.array else '') + field.base
        nullable = field.nullable is not None and field.nullable[0] <= version <= field.nullable[1]
        out.append((field.name, type_, nullable, field.tag if field.tagged else None,
                    normal(type_, field.default, True), field.ignorable, flexible and not field.rigid,
                    ours(field.struct, version, flexible) if field.struct else None))
    return out


def compare(where, mine, kafka, problems):
    names, kafka_names = [f[0] for f in mine], [f[0] for f in kafka]
    if names != kafka_names:
        problems.append(f'{where}: fields {names}, Kafka has {kafka_names}')
        return
    words = ('name', 'type', 'nullable', 'tag', 'default', 'ignorable', 'compact')
    for left, right in zip(mine, kafka):
        for word, a, b in zip(words, left, right):
            if a != b:
                problems.append(f'{where}.{left[0]}: {word} {a!r}, Kafka has {b!r}')
        if left[7] is not None or right[7] is not None:
            compare(f'{where}.{left[0]}', left[7] or [], right[7] or [], problems)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument('--schema', type=pathlib.Path, required=True)
    arguments.add_argument('--jar', action='append')
    options = arguments.parse_args()
    jars = options.jar or find_jars()
    if len(jars) < len(JARS):
        print(f'SKIPPED: needs {" and ".join(JARS)} {VERSION}; run ../shared/peers/kafka-tool once, which fetches them')
        return 77
    known, problems, compared = definitions(jars), [], 0
    for path in sorted(options.schema.glob('*.schema')):
        apis, messages = schema.parse_file(path)
        private = {api.key for api in apis if api.private}
        for message in messages:
            if message.key in private or message.private:
                continue
            kafka = known.get(message.name)
            if kafka is None:
                problems.append(f'{message.name}: Kafka has no such message')
                continue
            code = message.key if message.key is not None else message.record
            if code != kafka.get('apiKey'):
                problems.append(f'{message.name}: key {code}, Kafka has {kafka.get("apiKey")}')
            common = {struct['name']: struct['fields'] for struct in kafka.get('commonStructs', [])}
            for version in range(message.versions[0], message.versions[1] + 1):
                where = f'{message.name} v{version}'
                if not contains(kafka['validVersions'], version):
                    problems.append(f'{where}: Kafka has versions {kafka["validVersions"]}')
                flexible = message.flexible is not None and version >= message.flexible
                if flexible != contains(kafka['flexibleVersions'], version):
                    problems.append(f'{where}: flexible {flexible}, Kafka has {kafka["flexibleVersions"]}')
                compare(where, ours(message.body, version, flexible),
                        theirs(kafka['fields'], common, version, flexible), problems)
                compared += 1
    for problem in problems:
        print(problem)
    print(f'{compared} message versions compared with {", ".join(map(os.path.basename, jars))}: {len(problems)} differences')
    return 1 if problems or not compared else 0


if __name__ == '__main__':
    sys.exit(main())
