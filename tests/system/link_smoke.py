#!/usr/bin/env python3
"""link_smoke.py BIN_DIR: two broker programs, a gateway and the command line, driven by kcat.

Bytes identical at the same offsets; verify agrees; consumer group offsets follow; clients cannot write a mirror; the
gateway is killed and comes back with nothing; the source is killed; a gateway that has never seen the source fails
over; the target is writable, and every record that was mirrored is there.
"""
import json
import signal

from harness import World, check, files_of, kcat, until


def main(world):
    broker = world.bin / 'farshore-broker'
    east, east_at = world.start('east', broker, '--data', world.directory / 'east', '--listen', '127.0.0.1:0', '--set', 'num.partitions=3')
    _, west_at = world.start('west', broker, '--data', world.directory / 'west', '--listen', '127.0.0.1:0', '--set', 'producer.id.salt=5')
    gateway = world.gateway('gateway', west_at)

    farshore, lag = world.farshore, world.lag

    def partition_files(side):
        return files_of(world.directory / side, 'orders', 3)

    records = b''.join(b'key-%d&value-%d\n' % (n % 500, n) for n in range(20000))
    for codec in ('lz4', 'zstd', 'none'):
        kcat('-P', '-b', east_at, '-t', 'orders', '-K&', '-z', codec, data=records)
    refused = farshore('link', 'create', 'self', '--source', west_at, '--topics', '*', expect=None)
    check('a link of a cluster to itself is refused with the reason',
          refused.returncode == 2 and 'joins two clusters' in refused.stderr)
    # Two clusters whose producer ids could meet, as after a restore from a backup of the other.
    def twin(salt):
        return world.start(f'twin-{salt}', broker, '--data', world.directory / 'twin', '--listen', '127.0.0.1:0', '--set', f'producer.id.salt={salt}')
    process, twin_at = twin(5)
    equal = farshore('link', 'create', 'twin', '--source', twin_at, '--topics', '*', expect=None)
    check('equal producer id salts are refused, naming the remedy', equal.returncode != 0 and '--set producer.id.salt=N' in equal.stderr)
    process.terminate()
    process.wait()
    process, twin_at = twin(6)
    farshore('link', 'create', 'twin', '--source', twin_at, '--topics', 'none', '--dry-run')
    check('and accepted after the remedy', True)
    process.terminate()
    process.wait()
    down = farshore('link', 'create', 'down', '--source', '127.0.0.1:1', '--topics', '*', expect=None)
    check('a link to a cluster that is down is refused, naming the address', down.returncode == 1 and '127.0.0.1:1' in down.stderr)
    plan = farshore('link', 'create', 'l', '--source', east_at, '--topics', 'orders', '--dry-run').stdout
    check('a dry run names what would be mirrored', 'would mirror orders (3 partitions)' in plan)
    check('and makes nothing', json.loads(farshore('link', 'list', '-o', 'json').stdout) == [])
    farshore('link', 'create', 'l', '--source', east_at, '--topics', 'orders', '--set', 'group.sync.interval.ms=200')
    until('lag goes to zero', lambda: lag() == 0)
    check('the files of all partitions are byte-identical', partition_files('east') == partition_files('west'))
    check('verify agrees', farshore('mirror', 'verify', '--link', 'l', '--all').stdout.count(' equal ') == 3)
    check('a client cannot write a mirror', kcat('-P', '-b', west_at, '-t', 'orders', data=b'x\n', expect=None).returncode != 0)

    kcat('-b', east_at, '-G', 'readers', '-c', '5000', '-X', 'auto.offset.reset=earliest', 'orders')

    def synced():
        groups = json.loads(farshore('offsets', 'groups', '--link', 'l', '-o', 'json').stdout)
        rows = [p for g in groups for p in g['partitions'] if g['group'] == 'readers']
        return rows and all(p['state'] == 'SYNCED' and p['source_committed'] == p['target_committed'] for p in rows) \
            and sum(p['target_committed'] for p in rows) >= 5000
    until('the group offsets follow', synced)

    gateway.send_signal(signal.SIGKILL)
    gateway.wait()
    kcat('-P', '-b', east_at, '-t', 'orders', '-K&', '-z', 'lz4', data=records)
    gateway = world.gateway('gateway2', west_at)
    check('what says ready: has its links', len(json.loads(farshore('link', 'list', '-o', 'json').stdout)) == 1)
    until('a gateway without a disk goes on', lambda: lag() == 0)
    check('byte-identical after the gateway was killed', partition_files('east') == partition_files('west'))

    gateway.send_signal(signal.SIGKILL)
    gateway.wait()
    east.send_signal(signal.SIGKILL)
    east.wait()
    before = partition_files('west')
    world.gateway('gateway3', west_at)
    until('the mirrors are known without the source', lambda: len(json.loads(farshore('mirror', 'list', '-o', 'json').stdout)) == 1)
    dry = farshore('mirror', 'failover', '--link', 'l', '--all', '--dry-run').stdout
    check('a dry run of the failover changes nothing', 'would end the mirror' in dry
          and json.loads(farshore('mirror', 'list', '-o', 'json').stdout)[0]['state'] != 'STOPPED')
    over = json.loads(farshore('mirror', 'failover', '--link', 'l', '--all', '-o', 'json').stdout)
    ends = over[-1]['mirror']['promotion']['partitions']
    check('the failover names the end of every partition', len(ends) == 3 and sum(p['failover_offset'] for p in ends) == 80000)
    check('the new epoch is far above any that the lost source can elect', all(p['new_epoch'] % 65536 == 0 and p['new_epoch'] > 0 for p in ends))
    kcat('-P', '-b', west_at, '-t', 'orders', data=b'after\n')
    after = partition_files('west')
    check('what was mirrored is still there, unchanged, and one record more',
          all(a.startswith(b) for a, b in zip(after, before)) and sum(map(len, after)) > sum(map(len, before)))
    count = kcat('-C', '-b', west_at, '-t', 'orders', '-e', '-q', '-o', 'beginning').stdout.count(b'\n')
    check('a consumer reads all of it', count == 80001)


World('link-smoke').run(main)
