#!/usr/bin/env python3
"""full_disk.py BIN_DIR: source, target and gateway each on a small file system that fills up, and gets room again.

What is refused is refused with Kafka's code and counted; reads, group offsets and the link's other work go on; after
space is freed everything continues by itself, and every record that was acknowledged is there, once. What starts on a
full disk says so.
Mounts tmpfs, so it needs root, and leave to mount (containers often have none): skipped (exit 77) without.
"""
import json
import os
import subprocess
import sys
import tempfile

from harness import World, check, files_of, kcat, until
from scrape import get, http_of, total
from wire import Wire, batch

STORAGE_ERROR = 56
SIZE_MB, RESERVE_MB = 32, 4
ERRORS = 'farshore_broker_response_errors_total'


class SmallDisk:
    """A tmpfs of its own, which a filler file can fill."""

    def __init__(self, world, name):
        self.path = world.directory / name
        self.path.mkdir()
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={SIZE_MB}m', 'tmpfs', self.path], check=True)
        self.filler = self.path / 'filler'

    def fill(self, leave=0):
        with open(self.filler, 'ab', buffering=0) as file:
            room = os.statvfs(self.path)
            free = room.f_bavail * room.f_frsize - leave
            try:
                while free > 0:
                    free -= file.write(b'\0' * min(free, 1 << 20))
            except OSError:
                pass

    def free(self):
        self.filler.unlink()

    def unmount(self):
        subprocess.run(['umount', '--lazy', self.path], check=False)


def lines(at, topic):
    return kcat('-C', '-b', at, '-t', topic, '-e', '-q', '-o', 'beginning').stdout.splitlines()


def produce(at, topic, first, count):
    data = b''.join(b'record-%d\n' % n for n in range(first, first + count))
    kcat('-P', '-b', at, '-t', topic, '-X', 'enable.idempotence=true', data=data)
    return data.splitlines()


def start_broker(world, name, disk, reserve_mb=RESERVE_MB):
    _, at = world.start(name, world.bin / 'farshore-broker', '--data', disk.path / 'data', '--listen', '127.0.0.1:0', '--http',
                        '127.0.0.1:0', '--set', f'log.reserve.bytes={reserve_mb << 20}', '--set', 'log.segment.bytes=1048576',
                        '--set', 'log.index.size.max.bytes=65536', '--set', 'offsets.topic.num.partitions=1')
    return at, http_of(world, name)


def source_full(world, disk, at, http):
    """East's disk fills to its reserve, then to the last byte."""
    sent = produce(at, 'orders', 0, 2000)
    until('all of it is mirrored', lambda: world.lag() == 0)
    wire = Wire(at)
    check('there is room', total(http, 'farshore_broker_disk_full') == 0)
    for what, leave in (('the reserve is reached', RESERVE_MB << 19), ('not one byte is left', 0)):
        disk.fill(leave)
        until(f'{what}: the broker says that its disk is full', lambda: total(http, 'farshore_broker_disk_full') == 1)
        counted = total(http, ERRORS, code='KAFKA_STORAGE_ERROR')
        check('produce: KAFKA_STORAGE_ERROR', wire.produce('orders', 0, batch(b'refused')) == STORAGE_ERROR)
        check('it is counted', total(http, ERRORS, code='KAFKA_STORAGE_ERROR') == counted + 1)
        code, message = wire.create_topic(f'small-{leave}')
        check(f'a new topic is made out of the reserve, or refused (code {code} {message})',
              code == 0 or not leave and code == STORAGE_ERROR)
        made = code == 0
        check('what is there can be read', lines(at, 'orders') == sent)
        if leave:
            kcat('-b', at, '-G', 'readers', '-c', '100', '-X', 'auto.offset.reset=earliest', 'orders')
        check('the broker is alive', get(http, '/healthz')[0] == 200)
        disk.free()
        until('there is room again', lambda: total(http, 'farshore_broker_disk_full') == 0)
        sent += produce(at, 'orders', len(sent), 500)
        check('produce goes on by itself, and nothing is lost or twice', lines(at, 'orders') == sent)
        until('what was made meanwhile is there, and can be written',
              lambda: not made or wire.produce(f'small-{leave}', 0, batch(b'x')) == 0)
        code, message = wire.create_topic(f'new-{leave}')
        check(f'topics can be made again ({code} {message})', code == 0)
    until('the link follows', lambda: world.lag() == 0)
    return sent


def target_full(world, disk, east_at, west_at, west_http, gateway_http, sent):
    """West's disk fills while east goes on."""
    mirror = 'farshore_link_append_errors_total'
    for leave in (RESERVE_MB << 19, 0):
        disk.fill(leave)
        until("west's disk is full", lambda: total(west_http, 'farshore_broker_disk_full') == 1)
        counted = total(gateway_http, mirror, link='l', kind='disk_error')
        sent += produce(east_at, 'orders', len(sent), 3000)
        until('the gateway counts refused appends', lambda: total(gateway_http, mirror, link='l', kind='disk_error') > counted)
        check('the target counts them too', total(west_http, ERRORS, code='KAFKA_STORAGE_ERROR') > 0)
        check('the lag is shown', total(gateway_http, 'farshore_link_lag_records', link='l') > 0)
        row = [m for m in json.loads(world.farshore('mirror', 'list', '-o', 'json').stdout) if m['topic'] == 'orders'][0]
        errors = [p.get('error', '') for p in json.loads(
            world.farshore('mirror', 'describe', '--link', 'l', 'orders', '-o', 'json').stdout)['partitions']]
        check(f'the mirror is {row["state"]}, and says why: {errors[0]}', row['state'] == 'ACTIVE' and 'KAFKA_STORAGE_ERROR' in errors[0] and 'full' in errors[0])
        check('what is at the target can be read', lines(west_at, 'orders') == sent[:-3000])
        disk.free()
        until('after space is freed the link goes on', lambda: world.lag() == 0)
        check('every record once, at both ends', lines(west_at, 'orders') == sent and lines(east_at, 'orders') == sent)
        check('and the files are byte-identical', files_of(world.directory / 'small-east' / 'data', 'orders', 1)
              == files_of(world.directory / 'small-west' / 'data', 'orders', 1))
    return sent


def gateway_full(world, disk, east_at, west_at, sent):
    """The gateway of a mirror link keeps nothing; what it writes is its log, which must not hold it up."""
    disk.fill()
    sent += produce(east_at, 'orders', len(sent), 1000)
    world.farshore('link', 'pause', 'l')
    world.farshore('link', 'resume', 'l')
    until('a mirror link goes on while the gateway cannot write its log', lambda: world.lag() == 0)
    check('every record once', lines(west_at, 'orders') == sent)
    disk.free()


def kill(process):
    process.kill()
    process.wait()


def gateway_starts_full(world, disk, east_at, west_at, sent):
    """The data directory of a gateway holds an image of what the target has: no room for it is no reason to stand still."""
    for name, directory, full in (('room', 'image', False), ('full', 'image', True), ('full-new', 'new', True), ('room-again', 'image', False)):
        if full:
            disk.fill()
        sent += produce(east_at, 'orders', len(sent), 200)
        process, world.api = world.start(f'gateway-{name}', world.bin / 'farshore-gateway', '--target', west_at, '--api', '127.0.0.1:0',
                                         '--data', disk.path / directory)
        until(f'{name}: all of it is mirrored', lambda: world.lag() == 0)
        log = (world.directory / f'gateway-{name}.log').read_text()
        said = [line for line in log.splitlines() if 'the image of relay translations is in memory' in line]
        check(f'a gateway on a {"full disk says" if full else "disk with room does not say"} that its image is in memory {said}',
              (len(said) == 1 and 'no space left' in said[0] and str(disk.path / directory) in said[0]) if full else not said)
        kill(process)
        if full:
            disk.free()
    return sent


def broker_starts_full(world, disk, sent):
    """A broker needs what it keeps there: refused, with the reason, and nothing is lost by that."""
    for leave in (0, 4096, 16384, 32768):
        disk.fill(leave)
        for data in ('data', 'new'):
            refused = subprocess.run([world.bin / 'farshore-broker', '--data', disk.path / data, '--listen', '127.0.0.1:0'],
                                     capture_output=True, text=True, timeout=60)
            check(f'with {leave} bytes free a broker does not start, and says why: {refused.stderr.strip()[-200:]}',
                  refused.returncode == 1 and 'no space left' in refused.stderr)
        disk.free()
    at, _ = start_broker(world, 'east-again', disk)
    check('it starts when there is room, and has every record', lines(at, 'orders') == sent)


def main(world):
    disks = [SmallDisk(world, name) for name in ('small-east', 'small-west', 'small-gateway')]
    try:
        east, west, gateway = disks
        east_at, east_http = start_broker(world, 'east', east)
        east_process = world.started[-1]
        west_at, west_http = start_broker(world, 'west', west)
        (world.directory / 'gateway.log').symlink_to(gateway.path / 'gateway.log')
        first, world.api = world.start('gateway', world.bin / 'farshore-gateway', '--target', west_at, '--api', '127.0.0.1:0',
                                   '--http', '127.0.0.1:0')
        gateway_http = http_of(world, 'gateway')
        until('the gateway is ready', lambda: get(gateway_http, '/readyz')[0] == 200)
        kcat('-L', '-b', east_at, '-t', 'orders')
        world.farshore('link', 'create', 'l', '--source', east_at, '--topics', 'orders')
        sent = source_full(world, east, east_at, east_http)
        sent = target_full(world, west, east_at, west_at, west_http, gateway_http, sent)
        gateway_full(world, gateway, east_at, west_at, sent)
        kill(first)
        sent = gateway_starts_full(world, gateway, east_at, west_at, sent)
        kill(east_process)
        broker_starts_full(world, east, sent)
    finally:
        for process in world.started:
            process.kill()
            process.wait()
        (world.directory / 'gateway.log').unlink()  # a link into what goes now
        for disk in disks:
            disk.unmount()


def may_mount():
    with tempfile.TemporaryDirectory() as place:
        tried = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place], capture_output=True, text=True)
        if tried.returncode == 0:
            subprocess.run(['umount', place], check=True)
        return tried.returncode == 0 or os.geteuid() == 0 and 'permission denied' not in tried.stderr


if not may_mount():
    print('SKIPPED: mounts a small tmpfs, which needs root, and a container that allows it')
    sys.exit(77)
World('full-disk').run(main)
