#!/usr/bin/env python3
"""link_smoke.py BIN_DIR: two broker programs, a gateway and the command line, driven by kcat.

Bytes identical at the same offsets; verify agrees; consumer group offsets follow; clients cannot write a mirror; the
gateway is killed and comes back with nothing; the source is killed; a gateway that has never seen the source fails
over; the target is writable, and every record that was mirrored is there.
"""
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(sys.argv[1])
DIRECTORY = pathlib.Path(tempfile.mkdtemp(prefix='farshore-link-smoke-'))
STARTED = []


def start(name, *command):
    out = open(DIRECTORY / f'{name}.out', 'w')
    process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=open(DIRECTORY / f'{name}.log', 'a'),
                               stdin=subprocess.DEVNULL)
    STARTED.append(process)
    for _ in range(300):
        for line in (DIRECTORY / f'{name}.out').read_text().splitlines():
            if line.startswith('ready:'):
                return process, line.split()[2]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit(f'{name} did not start: ' + (DIRECTORY / f'{name}.log').read_text()[-2000:])


def kcat(*arguments, data=None, expect=0):
    run = subprocess.run(['kcat', *arguments], input=data, capture_output=True, timeout=60)
    if expect is not None and run.returncode != expect:
        raise SystemExit(f'kcat {arguments}: exit {run.returncode}: {run.stderr.decode()[-500:]}')
    return run


def until(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f'{what}: not within {seconds} s')
        time.sleep(0.1)


def check(what, good):
    print(('ok    ' if good else 'WRONG ') + what, flush=True)
    if not good:
        raise SystemExit(1)


def main():
    broker = BIN / 'farshore-broker'
    east, east_at = start('east', broker, '--data', DIRECTORY / 'east', '--listen', '127.0.0.1:0', '--set', 'num.partitions=3')
    _, west_at = start('west', broker, '--data', DIRECTORY / 'west', '--listen', '127.0.0.1:0')
    gateway, api = start('gateway', BIN / 'farshore-gateway', '--target', west_at, '--api', '127.0.0.1:0')

    def farshore(*words, expect=0):
        run = subprocess.run([BIN / 'farshore', '--api', api, *words], capture_output=True, text=True, timeout=60)
        if expect is not None and run.returncode != expect:
            raise SystemExit(f'farshore {words}: exit {run.returncode}: {run.stdout}{run.stderr}')
        return run

    def lag():
        links = json.loads(farshore('status', '-o', 'json').stdout)
        rows = [p for m in links['mirrors'] for p in m['partitions']]
        return sum(p['lag_records'] for p in rows) if rows and all(p['state'] == 'ACTIVE' for p in rows) else -1

    def partition_files(side):
        return [b''.join(f.read_bytes() for f in sorted((DIRECTORY / side / f'orders-{p}').glob('*.log'))) for p in range(3)]

    records = b''.join(b'key-%d&value-%d\n' % (n % 500, n) for n in range(20000))
    for codec in ('lz4', 'zstd', 'none'):
        kcat('-P', '-b', east_at, '-t', 'orders', '-K&', '-z', codec, data=records)
    refused = farshore('link', 'create', 'self', '--source', west_at, '--topics', '*', expect=None)
    check('a link of a cluster to itself is refused with the reason',
          refused.returncode == 2 and 'joins two clusters' in refused.stderr)
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
    gateway, api = start('gateway2', BIN / 'farshore-gateway', '--target', west_at, '--api', '127.0.0.1:0')
    until('a gateway without a disk goes on', lambda: lag() == 0)
    check('byte-identical after the gateway was killed', partition_files('east') == partition_files('west'))

    gateway.send_signal(signal.SIGKILL)
    gateway.wait()
    east.send_signal(signal.SIGKILL)
    east.wait()
    before = partition_files('west')
    _, api = start('gateway3', BIN / 'farshore-gateway', '--target', west_at, '--api', '127.0.0.1:0')
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


try:
    main()
except BaseException:
    for log in sorted(DIRECTORY.glob('*.log')):
        print(f'--- {log.name}\n{log.read_text()[-1500:]}')
    raise
finally:
    for process in STARTED:
        if process.poll() is None:
            process.kill()
            process.wait()
    shutil.rmtree(DIRECTORY, ignore_errors=True)
