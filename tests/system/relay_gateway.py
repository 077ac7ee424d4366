#!/usr/bin/env python3
"""relay_gateway.py BIN_DIR: gateways of a relay link into a real Apache Kafka 4.1.1, and their data directories.

An image on disk is used again and belongs to one gateway; a gateway that was stopped comes back too late. The source is
a Farshore broker. Skipped (exit 77) where ../shared/peers, a JDK or Maven is missing.
"""
import json
import signal
import subprocess
import threading
import time

from harness import World, check, kcat, peers_or_skip, until
from kafka_node import KafkaNode
from relay_world import CODECS, compare, produce
from scrape import get, http_of, total

PARTITIONS = 2
FAST = ('--set', 'group.sync.interval.ms=200', '--set', 'topic.sync.interval.ms=300')
READ = 'farshore_gateway_translation_records_read_total'


def gateway(world, name, target, *more):
    process, world.api = world.start(name, world.bin / 'farshore-gateway', '--target', target, '--api', '127.0.0.1:0',
                                     '--http', '127.0.0.1:0', *more)
    http = http_of(world, name)
    until(f'{name} is ready', lambda: get(http, '/readyz')[0] == 200, 60)
    return process, http


def kill(process):
    process.kill()
    process.wait()


def whole(world):
    until('the relay catches up', lambda: world.lag() == 0, 60)


def many_runs(east, target, first, rounds):
    """Foreign records in between, so that the map has many runs."""
    for n in range(rounds):
        produce(east, 'orders', first + n * 500, 500, CODECS[n % len(CODECS)])
        foreign = b''.join(b'k%d&foreign-%d\n' % (i, first + n * 500 + i) for i in range(100))
        kcat('-P', '-b', target, '-t', 'orders', '-K&', '-X', 'batch.num.messages=5', data=foreign)
    return first + rounds * 500


def compared(world, when, east, target):
    compare(world, when, 'r', east, 'orders', target, 'orders', PARTITIONS, foreign=True)


def data_directory(world, east, target, number):
    data = world.directory / 'gateway-data'
    first, http = gateway(world, 'gateway-1', target)
    world.farshore('link', 'create', 'r', '--source', east, '--topics', 'orders', '--mode', 'relay', *FAST)
    number = many_runs(east, target, number, 8)
    whole(world)
    compared(world, 'without a data directory', east, target)
    kill(first)
    second, http = gateway(world, 'gateway-2', target, '--data', data)
    whole(world)
    compared(world, 'with an empty data directory', east, target)
    all_read = total(http, READ)
    refused = subprocess.run([world.bin / 'farshore-gateway', '--target', target, '--api', '127.0.0.1:0', '--data', data],
                             capture_output=True, text=True, timeout=60)
    check(f'a second gateway on the same directory is refused: {refused.stderr.strip()}',
          refused.returncode == 1 and 'is open already' in refused.stderr and str(data) in refused.stderr)
    check('the first one goes on', get(http, '/readyz')[0] == 200 and json.loads(
        world.farshore('link', 'describe', 'r', '-o', 'json').stdout)['state'] == 'ACTIVE')
    kill(second)
    third, http = gateway(world, 'gateway-3', target, '--data', data)
    whole(world)
    again = total(http, READ)
    compared(world, 'with the directory of before', east, target)
    check(f'of {all_read:.0f} records of the map it read {again:.0f} anew', all_read > 0 and again < all_read / 2)
    return third, http, number


def stopped_gateway(world, east, target, first, number):
    """SIGSTOP in the middle of its work, another takes over, SIGCONT: what it still has must not count."""
    for round_number, delay_s in enumerate((0.05, 0.1, 0.2)):
        producing = threading.Thread(target=produce, args=(east, 'orders', number, 4000, 'none', 10))
        producing.start()
        time.sleep(delay_s)
        first.send_signal(signal.SIGSTOP)
        second, _ = gateway(world, f'gateway-after-stop-{round_number}', target)
        producing.join()
        number += 4000
        until('the new one knows the link', lambda: len(json.loads(world.farshore('mirror', 'list', '-o', 'json').stdout)) == 1)
        first.send_signal(signal.SIGCONT)
        whole(world)
        compared(world, 'SIGSTOP of the gateway, takeover, SIGCONT', east, target)
        log = world.directory / ('gateway-3.log' if round_number == 0 else f'gateway-after-stop-{round_number - 1}.log')
        until('the one that was stopped says that it was taken over', lambda: 'another gateway' in log.read_text())
        kill(first)
        first = second


def main(world):
    node = KafkaNode(world, 'target')
    _, east = world.start('east', world.bin / 'farshore-broker', '--data', world.directory / 'east', '--listen', '127.0.0.1:0',
                          '--set', f'num.partitions={PARTITIONS}')
    target = node.ready()
    produce(east, 'orders', 0, 100)
    first, _, number = data_directory(world, east, target, 100)
    stopped_gateway(world, east, target, first, number)


peers_or_skip()
World('relay-gateway').run(main)
