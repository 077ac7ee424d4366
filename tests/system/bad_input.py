#!/usr/bin/env python3
"""bad_input.py BIN_DIR: what a broker and the programs' command lines make of input that is wrong.

Malformed frames, oversize lengths, unknown APIs and versions, corrupt batches, unknown topics, offsets out of range,
wrong topic configs: each gets Kafka's code or the end of its connection, is counted, and what was there before is
unhurt. Then programs that are started wrongly: each names what is wrong, and what would be right.
"""
import struct
import subprocess

from harness import World, check, files_of, kcat
from scrape import get, http_of, total
from wire import FETCH, METADATA, Wire, batch

ENDED = 'farshore_broker_connections_ended_total'
ERRORS = 'farshore_broker_response_errors_total'
OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE, UNKNOWN_TOPIC, INVALID_RECORD = 1, 2, 3, 87
INVALID_TOPIC, TOPIC_EXISTS, INVALID_CONFIG = 17, 36, 40


def protocol(world, at, http):
    """Bytes that are no requests: the connection ends, the reason is counted, others go on."""
    bystander = Wire(at)
    for what, reason, data in (
            ('a negative length', 'malformed', b'\xff\xff\xff\xfe'),
            ('a length of 2 GiB', 'oversized', b'\x7f\xff\xff\xff'),
            ('a length above socket.request.max.bytes', 'oversized', struct.pack('>i', 104857601)),
            ('an HTTP request', 'oversized', b'GET / HTTP/1.1\r\n\r\n'),
            ('half a header', 'malformed', b'\0\0\0\2\0\3'),
            ('an unknown API key', 'unknown_api', b'\0\0\0\x0a' + struct.pack('>hhih', 4660, 0, 1, -1)),
            ('an unknown version of an API', 'unsupported_version', b'\0\0\0\x0a' + struct.pack('>hhih', FETCH, 99, 1, -1)),
            ('a count of topics that the frame cannot hold', 'malformed',
             b'\0\0\0\x0e' + struct.pack('>hhihi', METADATA, 1, 1, -1, 0x7fffffff)),
            ('a frame that ends before its length', 'malformed', None)):
        before = total(http, ENDED, reason=reason)
        wire = Wire(at)
        if data is None:
            wire.send(b'\0\0\0\x40abc')
            wire.socket.shutdown(1)
        else:
            wire.send(data)
        check(f'{what} ends the connection and is counted as {reason}',
              wire.receive(1) is None and total(http, ENDED, reason=reason) == before + 1)
    check('a client beside them is served on', bystander.fetch('orders', 0, 0)[0] == 0)


def batches_and_offsets(world, at, http):
    """Requests that are well formed and wrong: Kafka's codes, counted by code, and nothing is written."""
    wire = Wire(at)
    before = files_of(world.directory / 'east', 'orders', 1)
    for what, code, name, records in (
            ('a batch with a wrong CRC', CORRUPT_MESSAGE, 'CORRUPT_MESSAGE', batch(b'x', crc_off=1)),
            ('a batch longer than its bytes', INVALID_RECORD, 'INVALID_RECORD', batch(b'x', said_length=4000)),
            ('a batch shorter than a header', INVALID_RECORD, 'INVALID_RECORD', batch(b'x')[:40]),
            ('a batch that counts more records than offsets', INVALID_RECORD, 'INVALID_RECORD', batch(b'x', said_count=7)),
            ('a batch of a negative count', INVALID_RECORD, 'INVALID_RECORD', batch(b'x', said_count=-5))):
        counted = total(http, ERRORS, code=name)
        found = wire.produce('orders', 0, records)
        check(f'{what}: {name} ({found})', found == code and total(http, ERRORS, code=name) == counted + 1)
    check('nothing of them is in the log', files_of(world.directory / 'east', 'orders', 1) == before)
    for what, code, name, ask in (
            ('produce to a partition that is not there', UNKNOWN_TOPIC, 'UNKNOWN_TOPIC_OR_PARTITION',
             lambda: wire.produce('orders', 99, batch(b'x'))),
            ('fetch from a topic that is not there', UNKNOWN_TOPIC, 'UNKNOWN_TOPIC_OR_PARTITION', lambda: wire.fetch('nothing', 0, 0)[0]),
            ('offsets of a topic that is not there', UNKNOWN_TOPIC, 'UNKNOWN_TOPIC_OR_PARTITION', lambda: wire.list_offset('nothing', 0, -1)[0]),
            ('fetch beyond the end', OFFSET_OUT_OF_RANGE, 'OFFSET_OUT_OF_RANGE', lambda: wire.fetch('orders', 0, 10 ** 12)[0]),
            ('fetch from a negative offset', OFFSET_OUT_OF_RANGE, 'OFFSET_OUT_OF_RANGE', lambda: wire.fetch('orders', 0, -7)[0]),
            ('a topic with a name that none can have', INVALID_TOPIC, 'INVALID_TOPIC_EXCEPTION', lambda: wire.create_topic('a/b')[0]),
            ('a topic that is there already', TOPIC_EXISTS, 'TOPIC_ALREADY_EXISTS', lambda: wire.create_topic('orders')[0])):
        counted = total(http, ERRORS, code=name)
        found = ask()
        check(f'{what}: {name} ({found})', found == code and total(http, ERRORS, code=name) == counted + 1)
    counted = total(http, ERRORS, code='INVALID_CONFIG')
    code, message = wire.create_topic('configured', [('retention.ns', '1')])
    check(f'a wrong topic config names the nearest valid one: {message}', code == INVALID_CONFIG and "'retention.ms'" in message)
    code, message = wire.create_topic('configured', [('retention.ms', 'long')])
    check(f'a wrong value says what is allowed: {message}', code == INVALID_CONFIG and 'whole number' in message)
    code, message = wire.create_topic('configured', [('remote.storage.enable', 'true')])
    check(f'a config of Kafka that is not served says so: {message}', code == INVALID_CONFIG and 'no tiered storage' in message)
    check('all three are counted', total(http, ERRORS, code='INVALID_CONFIG') == counted + 3)
    check('a correct batch is taken on the same connection', wire.produce('orders', 0, batch(b'good')) == 0)
    read = kcat('-C', '-b', at, '-t', 'orders', '-e', '-q', '-o', 'beginning').stdout.splitlines()
    check('and only correct records are there', read == [b'record-%d' % n for n in range(100)] + [b'good'])


def starts(world, at):
    """Programs that cannot start: exit code, and one line on stderr that can be acted upon."""
    broker, gateway = world.bin / 'farshore-broker', world.bin / 'farshore-gateway'
    free = ['--listen', '127.0.0.1:0']
    data = ['--data', world.directory / 'other']
    (world.directory / 'file').write_text('not a directory\n')
    (world.directory / 'server.properties').write_text('# comment\nlog.retention.hour=7\n')
    (world.directory / 'gateway.yaml').write_text('target: 127.0.0.1:9092\nlinks.maxx: 3\n')
    (world.directory / 'broken.yaml').write_text('target: [127.0.0.1:9092\n')
    cases = [
        ('a data directory that another broker uses', 1, ['is in use by another broker', str(world.directory / 'east')],
         [broker, *free, '--data', world.directory / 'east']),
        ('a port that is taken', 1, ['listener 127.0.0.1:', 'in use'], [broker, *data, '--listen', at]),
        ('an address that is not of this machine', 1, ['listener 203.0.113.7:9092'], [broker, *data, '--listen', '203.0.113.7:9092']),
        ('an address without a port', 1, ['listeners', 'the port is missing'], [broker, *data, '--listen', '127.0.0.1']),
        ('a data directory below a file', 1, ['data directory', 'file/below'], [broker, *free, '--data', world.directory / 'file' / 'below']),
        ('an unknown property', 2, ["did you mean 'num.partitions'?"], [broker, *free, *data, '--set', 'num.partition=3']),
        ('a wrong value', 2, ['num.partitions', 'whole number'], [broker, *free, *data, '--set', 'num.partitions=many']),
        ('a wrong line of server.properties', 2, ['server.properties:2', "'log.retention.hours'"],
         [broker, *free, *data, '--config', world.directory / 'server.properties']),
        ('a configuration file that is not there', 2, ['nothing.properties', 'No such file'],
         [broker, *free, *data, '--config', world.directory / 'nothing.properties']),
        ('a listener with TLS', 1, ['listeners', 'only PLAINTEXT'], [broker, *data, '--set', 'listeners=SSL://127.0.0.1:0']),
        ('two listeners', 1, ['more than one listener'], [broker, *data, '--set', 'listeners=PLAINTEXT://:1,PLAINTEXT://:2']),
        ('every address without an advertised one', 1, ['advertised.listeners'], [broker, *data, '--listen', '0.0.0.0:0']),
        ('a cluster id that is not the one of the data', 1, ['cluster'], [broker, *free, '--data', world.directory / 'made', '--set',
                                                                          'cluster.id=AAAAAAAAAAAAAAAAAAAAAQ']),
        ('a gateway without a target', 2, ['--target HOST:PORT'], [gateway]),
        ('a gateway with a target that is no address', 2, ['target', 'is not host:port'], [gateway, '--target', 'west']),
        ('a wrong key of gateway.yaml', 2, ['gateway.yaml:2', "'links.max'"], [gateway, '--config', world.directory / 'gateway.yaml']),
        ('a gateway.yaml that is not YAML', 2, ['broken.yaml:', 'not YAML'], [gateway, '--config', world.directory / 'broken.yaml']),
        ('a wrong --set of a gateway', 2, ["'crc.verify'"], [gateway, '--target', at, '--set', 'crc.verifi=true']),
        ('a control API beyond loopback', 1, ['loopback'], [gateway, '--target', at, '--api', '0.0.0.0:0']),
        ('a control API on a port that is taken', 1, ['cannot listen on', 'taken'], [gateway, '--target', at, '--api', at]),
        ('an HTTP port that is taken', 1, ['http', 'in use'], [gateway, '--target', at, '--api', '127.0.0.1:0', '--http', at]),
    ]
    made = world.start('made', broker, *free, '--data', world.directory / 'made')[0]
    made.terminate()
    made.wait()
    for what, code, words, command in cases:
        run = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=30)
        line = next((l for l in run.stderr.splitlines() if l.startswith('farshore-')), '')
        if run.returncode != code or not all(word in line for word in words):
            print(f'exit {run.returncode}: {run.stdout}{run.stderr}')
        check(f'{what}: {line}', run.returncode == code and all(word in line for word in words))


def main(world):
    _, at = world.start('east', world.bin / 'farshore-broker', '--data', world.directory / 'east', '--listen', '127.0.0.1:0',
                        '--http', '127.0.0.1:0')
    http = http_of(world, 'east')
    kcat('-P', '-b', at, '-t', 'orders', data=b''.join(b'record-%d\n' % n for n in range(100)))
    protocol(world, at, http)
    batches_and_offsets(world, at, http)
    starts(world, at)
    check('the broker is ready as before', get(http, '/readyz')[0] == 200)


World('bad-input').run(main)
