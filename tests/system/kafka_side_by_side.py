#!/usr/bin/env python3
"""kafka_side_by_side.py BIN_DIR [--every N] [--only WORD] [--kafka HOST:PORT --ours HOST:PORT]

The same raw requests go to an Apache Kafka 4.1.1 and to our broker; the answers must be equal, field by field, but for
what side_by_side/accepted.py names with its reason. Skipped (exit 77) where ../shared/peers, a JDK or Maven is missing.
`--every`: one case of N, from a random one on, which is told (`--start` asks for the same ones). `--only`: one table, or one API. With `--kafka` and `--ours`, clusters that run already (fresh ones) are asked.
"""
import argparse
import random
import sys
import time

from harness import World, check, peers_or_skip
from kafka_node import KafkaNode
from side_by_side import accepted, configs, groups, records, topics, world as common_world
from side_by_side.case import expand
from side_by_side.ends import End
from side_by_side.messages import all_apis
from side_by_side.run import Runner

TABLES = {'topics': (topics.questions, topics.creations, topics.deletions, topics.growth), 'configs': (configs.descriptions, configs.changes, configs.replacements, configs.directories),
          'records': (records.positions, records.fetches, records.session_tale, records.productions),
          'groups': (groups.lookups, groups.members, groups.commits)}
KAFKA_SETTINGS = ('num.partitions=1', 'group.initial.rebalance.delay.ms=0', 'offsets.topic.num.partitions=4',
                  'offsets.retention.check.interval.ms=86400000')  # empty groups stay as long as the comparison


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument('bin')
    for option in ('only', 'kafka', 'ours'):
        parser.add_argument('--' + option)
    for option in ('every', 'start'):
        parser.add_argument('--' + option, type=int, default=1 if option == 'every' else None)
    options = parser.parse_args()
    if options.start is None:
        options.start = random.randrange(options.every)
    return options


def compare_all(kafka, ours, options):
    only, apis, n = options.only, all_apis(), options.start
    ends = End('Apache Kafka', kafka, apis), End('our broker', ours, apis)
    for end in ends:
        common_world.prepare(end)
    runner = Runner(*ends, apis, first=0 if only is None else int(time.time()) % 1000000 * 1000)
    for table, makers in TABLES.items():
        if only in apis or only in (None, table):
            for case in expand((entry for maker in makers for entry in maker()), apis):
                n += 1
                if only in (None, table, case.api) and (n % options.every == 0 or case.save):
                    runner.run(case)
            print(f'{table}: {runner.asked} requests so far, {len(runner.found)} differences', flush=True)
    return runner


def report(runner, whole):
    left, stale = accepted.judge(runner.found)
    for difference in left:
        print(f'DIFFERS {difference}')
    print(f'{runner.asked} requests, {len(runner.found)} differences, {len(runner.found) - len(left)} of them accepted')
    check('no difference but the accepted ones', not left)
    if whole:
        for row in stale:
            print(f'STALE   {row}')
        check('each accepted difference is still there', not stale)


def main(world):
    options = arguments()
    kafka, ours = options.kafka, options.ours
    if not kafka:
        node = KafkaNode(world, 'side-by-side', *KAFKA_SETTINGS)
        settings = [word for setting in KAFKA_SETTINGS for word in ('--set', setting)]
        _, ours = world.start('broker', world.bin / 'farshore-broker', '--data', world.directory / 'broker', '--listen', '127.0.0.1:0', *settings)
        kafka = node.ready()
    print(f'one case of {options.every}: --every {options.every} --start {options.start}')
    report(compare_all(kafka, ours, options), options.only is None and options.every == 1)


if '--kafka' not in sys.argv:
    peers_or_skip()
World('side-by-side').run(main)
