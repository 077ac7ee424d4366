#!/usr/bin/env python3
"""kafka_source.py BIN_DIR: a real Apache Kafka 4.1.1 as the source of a mirror link.

Its segment files and the mirror's are byte-identical, group offsets follow, promote asks for a quiesced source.
Skipped (exit 77) where ../shared/peers, a JDK or Maven is missing.
"""
import json

from harness import World, check, files_of, kcat, peers_or_skip, until
from kafka_node import KafkaNode


def main(world):
    node = KafkaNode(world, 'kafka-source')
    _, west = world.start('west', world.bin / 'farshore-broker', '--data', world.directory / 'west', '--listen', '127.0.0.1:0')
    world.gateway('gateway', west)
    source = node.ready()
    records = b''.join(b'key-%d&value-%d\n' % (n, n) for n in range(20000))
    for codec in ('gzip', 'snappy', 'lz4', 'zstd', 'none'):
        kcat('-P', '-b', source, '-t', 'orders', '-K&', '-z', codec, '-X', 'enable.idempotence=true', data=records)
    world.farshore('link', 'create', 'k', '--source', source, '--topics', 'orders', '--set', 'group.sync.interval.ms=200')
    until('lag goes to zero', lambda: world.lag() == 0)
    check("the files are byte-identical to Apache Kafka's",
          files_of(node.data, 'orders', 4) == files_of(world.directory / 'west', 'orders', 4))
    kcat('-b', source, '-G', 'readers', '-c', '5000', '-X', 'auto.offset.reset=earliest', 'orders')

    def synced():
        groups = json.loads(world.farshore('offsets', 'groups', '--link', 'k', '-o', 'json').stdout)
        rows = [p for g in groups for p in g['partitions'] if g['group'] == 'readers']
        return rows and all(p['source_committed'] == p['target_committed'] for p in rows) \
            and sum(p['target_committed'] for p in rows) >= 5000
    until('the group offsets follow', synced)
    refused = world.farshore('mirror', 'promote', '--link', 'k', '--all', expect=None)
    check('promote says that Apache Kafka cannot be fenced', refused.returncode == 1 and '--source-quiesced' in refused.stdout)
    world.farshore('mirror', 'promote', '--link', 'k', '--all', '--source-quiesced')
    kcat('-P', '-b', west, '-t', 'orders', data=b'after\n')
    count = kcat('-C', '-b', west, '-t', 'orders', '-e', '-q', '-o', 'beginning').stdout.count(b'\n')
    check('a consumer reads all of it at the target', count == 100001)


peers_or_skip()
World('kafka-source').run(main)
