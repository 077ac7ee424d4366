#!/usr/bin/env python3
"""The story of deploy/quickstart: east and west, a link, an application, a lost region, and a report with numbers.

Exit code 0: every check held. That records were lost with the region is no failure, if the report is true about it.
1: a check failed, or a program did; the last lines say which. 2: wrong options.
"""
import argparse
import collections
import json
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

TOPIC, LINK, GROUP, PARTITIONS = 'packages', 'east-to-west', 'inventory', 8
PACE = 0.1  # seconds between them, so that there is a stream to be cut off
CHUNK = 500  # records per producer run: kcat's exit code acknowledges all of them
TERMINAL = sys.stdout.isatty()


class Failed(Exception):
    pass


def say(text):
    if TERMINAL:
        sys.stdout.write('\r\033[K')
    print(text, flush=True)


class Progress:
    """How far production is, and how long the rest takes at the rate so far. On a terminal one line that is overwritten,
    elsewhere a line every two seconds."""
    AFTERWARDS = 5  # seconds: consuming the rest, comparing

    def __init__(self, producer):
        self.producer, self.began, self.last = producer, time.monotonic(), 0.0

    def show(self, text):
        sent, total, now = self.producer.sent, len(self.producer.records), time.monotonic()
        left = (total - sent) * (now - self.began) / max(sent, 1) + self.AFTERWARDS
        line = f'sent {sent:,} of {total:,}, about {left:.0f} s left  {text}'
        if TERMINAL:
            sys.stdout.write('\r\033[K' + line[:shutil.get_terminal_size().columns - 1])
            sys.stdout.flush()
        elif now - self.last > 2:
            self.last = now
            say(line)


class Process:
    """A program of ours; killed at the end unless it is kept."""

    def __init__(self, name, command, directory):
        self.name, self.log = name, directory / f'{name}.log'
        self.out = directory / f'{name}.out'
        self.process = subprocess.Popen(command, stdout=open(self.out, 'w'), stderr=open(self.log, 'w'),
                                        stdin=subprocess.DEVNULL, start_new_session=True)

    def ready(self, word, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.out.read_text().splitlines():
                parts = line.split()
                if line.startswith('ready:') and word in parts:
                    return parts[parts.index(word) + 1]
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise Failed(f'{self.name} did not get ready; its log {self.log} ends:\n' + self.log.read_text()[-2000:])

    def running(self):
        return self.process.poll() is None

    def kill(self, signum):
        if self.process.poll() is None:
            self.process.send_signal(signum)

    def stop(self, seconds=10):
        self.kill(signal.SIGTERM)
        self.kill(signal.SIGCONT)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def packages(limit):
    """(name, stanza) of the machine's own package index."""
    dump = subprocess.run(['apt-cache', 'dumpavail'], capture_output=True, check=True).stdout
    records = []
    for stanza in dump.split(b'\n\n'):
        if stanza.startswith(b'Package: '):
            name = stanza[9:stanza.index(b'\n')]
            records.append((name, stanza.replace(b'\x1e', b' ').replace(b'\x1f', b' ')))
            if limit and len(records) == limit:
                break
    if not records:
        raise Failed('apt-cache dumpavail lists no package: run apt-get update first')
    return records


class Producer(threading.Thread):
    """Sends chunk after chunk with kcat; a chunk counts when kcat has the acknowledgement of all of it."""

    def __init__(self, records, bootstrap):
        super().__init__(daemon=True)
        self.records, self.bootstrap = records, bootstrap
        self.acknowledged = collections.Counter()  # by cluster address
        self.sent, self.unsure, self.stopping, self.halted = 0, 0, False, False
        self.gate = threading.Event()
        self.gate.set()
        self.limit = 3 * len(records) // 4  # until east is to die, however slow the application: it dies under production

    def run(self):
        at = 0
        while at < len(self.records) and not self.stopping:
            self.gate.wait()
            time.sleep(PACE)
            if at >= self.limit:
                continue
            chunk = self.records[at:at + CHUNK]
            bootstrap = self.bootstrap
            data = b'\x1e'.join(name + b'\x1f' + stanza for name, stanza in chunk) + b'\x1e'
            run = subprocess.run(['kcat', '-P', '-b', bootstrap, '-t', TOPIC, '-K', '\x1f', '-D', '\x1e', '-z', 'zstd',
                                  '-X', 'enable.idempotence=true', '-X', 'message.timeout.ms=3000', '-X', 'partitioner=murmur2_random'],
                                 input=data, capture_output=True)
            if run.returncode == 0:
                self.acknowledged[bootstrap] += len(chunk)
                at += len(chunk)
                self.sent = at
            else:
                # The region is gone: what was in this chunk may or may not have been acknowledged. It is sent again to
                # whatever cluster comes next, as a producer without memory would do.
                self.unsure += len(chunk)
                self.halted = True
                self.gate.clear()


def batches(directory):
    """(base offset, last offset, record count, bytes) of each batch of one partition's files, in order."""
    for path in sorted(directory.glob('*.log')):
        data = path.read_bytes()
        at = 0
        while at + 61 <= len(data):
            base, length = struct.unpack_from('>qi', data, at)
            if length <= 0 or at + 12 + length > len(data):
                break
            delta, = struct.unpack_from('>i', data, at + 23)
            count, = struct.unpack_from('>i', data, at + 57)
            yield base, base + delta, count, data[at:at + 12 + length]
            at += 12 + length


def cli(arguments, *words):
    run = subprocess.run([arguments.bin / 'farshore', '--api', arguments.api, *words], capture_output=True, text=True)
    if run.returncode != 0:
        raise Failed(f'farshore {" ".join(words)}: {run.stderr.strip() or run.stdout.strip()}')
    return run.stdout


def consumed_lines(path):
    return [line.split(' ', 3) for line in path.read_text(errors='replace').splitlines() if line.startswith('R ')] \
        if path.exists() else []


def all_alive(processes, but=()):
    """A program that ends before its time ends the story, with its last words."""
    for name, process in processes.items():
        code = process.process.poll()
        if code is not None and name not in but:
            raise Failed(f'{name} ended by itself (exit code {code}); its log {process.log} ends:\n' + process.log.read_text()[-1500:])


def wait_for(what, condition, seconds, processes=None):
    end = time.monotonic() + seconds
    while not condition():
        all_alive(processes or {})
        if time.monotonic() > end:
            raise Failed(f'{what} did not happen within {seconds} s')
        time.sleep(0.1)


def story(arguments, directory, processes):
    started = time.monotonic()

    def start(name, *command):
        processes[name] = Process(name, [str(c) for c in command], directory)
        return processes[name]

    broker = arguments.bin / 'farshore-broker'
    east = start('east', broker, '--data', directory / 'east', '--listen', '127.0.0.1:0',
                 '--set', f'num.partitions={PARTITIONS}', '--set', 'group.initial.rebalance.delay.ms=0').ready('kafka')
    west = start('west', broker, '--data', directory / 'west', '--listen', '127.0.0.1:0',
                 '--set', 'group.initial.rebalance.delay.ms=0').ready('kafka')
    arguments.west = west
    # With --lose-known the link may hold only so much that west stops it while east still has more.
    small = ['link.inflight.max.bytes=262144', 'partition.buffered.max.bytes=65536', 'fetch.max.bytes=262144',
             'max.partition.fetch.bytes=65536'] if arguments.lose_known else []
    arguments.api = start('gateway', arguments.bin / 'farshore-gateway', '--target', west, '--api', '127.0.0.1:0',
                          '--http', '127.0.0.1:0', *(word for key in small for word in ('--set', key))).ready('api')
    say(f'east {east}, west {west}, gateway {arguments.api}: ready after {time.monotonic() - started:.2f} s')

    records = packages(arguments.records)
    say(f'input: {len(records):,} packages of this machine, {sum(len(s) for _, s in records) / 1e6:.0f} MB')
    subprocess.run(['kcat', '-L', '-b', east, '-t', TOPIC], capture_output=True)
    producer = Producer(records, east)
    producer.start()
    wait_for('the first acknowledgement', lambda: producer.sent > 0, 20, processes)

    began = time.monotonic()
    say(cli(arguments, 'link', 'create', LINK, '--source', east, '--topics', TOPIC, '--set', 'group.sync.interval.ms=200').strip())

    out = directory / 'application.txt'
    start('application', arguments.bin / 'farshore-example-consumer', '--source', east, '--target', west, '--group',
          GROUP, '--topic', TOPIC, '--out', out)

    def status():
        return json.loads(cli(arguments, 'status', '-o', 'json'))

    half = len(records) // 2
    progress = Progress(producer)
    while producer.sent < half and not producer.halted:
        all_alive(processes)
        link = status()['links'][0]
        progress.show(f'lag {link["lag_records"]:,} records, {link["lag_ms_max"]} ms  '
                      f'{link["bytes_per_second"] / 1e6:.1f} MB/s  consumed {len(consumed_lines(out)):,}')
        time.sleep(0.2)
    wait_for('consumption on east', lambda: len(consumed_lines(out)) > half // 4, 60, processes)
    sent, producer.limit = producer.sent, len(records)
    wait_for('production going on', lambda: producer.sent > sent or producer.halted, 30, processes)
    blind_since = cut_off(arguments, producer, processes, status)
    all_alive(processes)
    if not producer.is_alive():
        raise Failed('all was produced before east could die under production: use more --records')
    say(f'mirroring for {time.monotonic() - began:.1f} s; now east dies (SIGKILL) under production')
    processes['east'].kill(signal.SIGKILL)
    died = time.monotonic()
    processes['west'].kill(signal.SIGCONT)
    processes['gateway'].kill(signal.SIGCONT)
    wait_for('the producer noticing', lambda: producer.halted or not producer.is_alive(), 30)

    asked = time.monotonic()
    report = json.loads(cli(arguments, 'mirror', 'failover', '--link', LINK, '--all', '-o', 'json'))
    over = time.monotonic()
    done = [p for p in report if p['done']]
    promotion = done[0]['mirror']['promotion']
    say(f'failed over {over - died:.2f} s after the kill; the verb itself took {done[0]["rto_ms"]} ms')
    producer.bootstrap = west
    producer.halted = False
    producer.gate.set()
    patience = time.monotonic() + 180
    while producer.is_alive():
        all_alive(processes, but=('east',))
        if producer.halted:  # west was slow to answer: once more
            if time.monotonic() > patience:
                raise Failed('west did not take the rest of the records within 180 s')
            producer.halted = False
            producer.gate.set()
        progress.show(f'now to west  consumed {len(consumed_lines(out)):,}')
        producer.join(0.3)
    application = processes['application']
    ends = {p['partition']: p['failover_offset'] for p in promotion['partitions']}
    total = sum(b[2] for p in range(PARTITIONS) for b in batches(directory / 'west' / f'{TOPIC}-{p}'))
    try:
        wait_for('consumption of all that west has', lambda: consumed_at_west(out, ends) >= total or not application.running(), 120)
        time.sleep(1)  # for what should not come
    except Failed as late:
        say(f'{late}; the log of the application ends: {application.log.read_text()[-1500:]}')  # judged as skipped, below
    application.stop(30)

    if processes['application'].process.returncode != 0:
        raise Failed(f'the application ended with exit code {processes["application"].process.returncode}; its log: '
                     + processes['application'].log.read_text()[-1500:])
    blind_ms = int((asked - blind_since) * 1000) if blind_since else 0
    return judge(arguments, directory, producer, east, west, promotion, out, blind_ms)


def consumption(out, ends):
    """What the application read, [(lost with east, partition, offset)]; how many of them it said were consumed but lost;
    whether it failed over. Offsets from the end of a mirrored partition on exist twice: as records that were lost with
    east, and as those that west gave the offsets to afterwards; where the consumer was tells which one was read."""
    reads, reported, at_west = [], 0, False
    for line in out.read_text(errors='replace').splitlines():
        if line.startswith('E '):
            found = re.search(r'failover offset \d+.*consumed but lost (\d+)', line)
            at_west = at_west or bool(found)
            reported += int(found.group(1)) if found else 0
        elif line.startswith('R ') and line.count(' ') >= 3:
            _, partition, offset, _ = line.split(' ', 3)
            reads.append((not at_west and int(offset) >= ends.get(int(partition), 0), int(partition), int(offset)))
    return reads, reported, at_west


def consumed_at_west(out, ends):
    return sum(not lost for lost, _, _ in consumption(out, ends)[0])


def cut_off(arguments, producer, processes, status):
    """--lose and --lose-known: east goes on acknowledging what west does not get any more. Returns since when the
    gateway has seen nothing of east, if it has not."""
    def acknowledge_more(count):
        # And the chunk that is on its way now: an answer with some of it may be in the gateway's socket already.
        until = producer.sent + count + CHUNK
        wait_for(f'the acknowledgement of {count:,} records more', lambda: producer.sent >= until or not producer.is_alive(), 60)

    if arguments.lose_known:
        say(f'the link is held up (SIGSTOP) until east has acknowledged {arguments.lose_known:,} records more; then the gateway '
            'sees how many there are, but west does not take them')
        processes['gateway'].kill(signal.SIGSTOP)
        acknowledge_more(arguments.lose_known)
        processes['west'].kill(signal.SIGSTOP)
        processes['gateway'].kill(signal.SIGCONT)
        wait_for('the gateway noticing its lag', lambda: status()['links'][0]['lag_records'] >= arguments.lose_known // 2, 8)
    if arguments.lose:
        say(f'the gateway is cut off (SIGSTOP) until east has acknowledged {arguments.lose:,} records more')
        processes['gateway'].kill(signal.SIGSTOP)
        since = time.monotonic()
        acknowledge_more(arguments.lose)
        return since
    return None


def judge(arguments, directory, producer, east, west, promotion, out, blind_ms):
    ends = {p['partition']: p['failover_offset'] for p in promotion['partitions']}
    reported_lost = sum(p['lost_at_least_records'] for p in promotion['partitions'])
    blind = max(p['blind_window_ms'] for p in promotion['partitions'])
    on_east, mirrored, truly_lost, equal, west_total = 0, 0, 0, 0, 0
    west_offsets = collections.defaultdict(set)
    differing = []
    for p in range(PARTITIONS if len(ends) > 1 else len(ends)):
        source = list(batches(directory / 'east' / f'{TOPIC}-{p}'))
        target = list(batches(directory / 'west' / f'{TOPIC}-{p}'))
        end = ends.get(p, 0)
        on_east += sum(b[2] for b in source)
        truly_lost += sum(b[2] for b in source if b[0] >= end)
        mirrored += sum(b[2] for b in target if b[0] < end)
        west_total += sum(b[2] for b in target)
        a = b''.join(b[3] for b in source if b[0] < end)
        b = b''.join(b[3] for b in target if b[0] < end)
        if a == b:
            equal += len(a)
        else:
            differing.append(p)
        for batch in target:
            west_offsets[p].update(range(batch[0], batch[1] + 1))

    seen, last, twice, disorder = set(), {}, 0, 0
    reads, reported_lost, failed_over = consumption(out, ends)
    for lost, partition, offset in reads:
        twice += (lost, partition, offset) in seen
        disorder += last.get((lost, partition), -1) >= offset
        last[lost, partition] = offset
        seen.add((lost, partition, offset))
    truly_but_lost = sum(lost for lost, _, _ in reads)
    skipped = sum(1 for p, offsets in west_offsets.items() for o in offsets if (False, p, o) not in seen)

    say('')
    rows = [
        ('records acknowledged by east', f'{producer.acknowledged[east]:,}'),
        ("records in east's files", f'{on_east:,}'),
        ('mirrored to west before the end', f'{mirrored:,}'),
        ('lost with the region: reported, at least', f'{reported_lost:,}  (blind for {blind} ms)'),
        ("lost with the region: the truth, from east's files", f'{truly_lost:,}'),
        ('acknowledged by west afterwards', f'{producer.acknowledged[west]:,}'),
        ('records in west in the end', f'{west_total:,}'),
        ('consumed by the application', f'{len(seen):,}'),
        ('consumed but lost with the region: reported by the application', f'{reported_lost:,}'),
        ('consumed but lost with the region: the truth', f'{truly_but_lost:,}'),
        ('consumed twice', f'{twice}'),
        ('out of order per key', f'{disorder}'),
        ('skipped although at west', f'{skipped}'),
        ('bytes compared up to the mirrored end', f'{equal:,}' + (f'; DIFFERENT in partitions {differing}' if differing else ', all equal')),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        say(f'  {name.ljust(width)}  {value}')
    wrong = []
    if twice or disorder or skipped:
        wrong.append('the application saw duplicates, disorder or gaps')
    if differing or mirrored == 0:
        wrong.append('the batches of both sides differ, or nothing was mirrored')
    if reported_lost > truly_lost:
        wrong.append('"at least" was reported higher than the truth')
    if blind < blind_ms:
        wrong.append(f'the gateway was cut off for {blind_ms} ms, and reported a blind window of {blind} ms')
    if producer.acknowledged[east] > on_east:
        wrong.append('east acknowledged more records than are in its files')
    if producer.acknowledged[east] - mirrored > truly_lost:
        wrong.append('more records are missing at west than east\'s files say')
    if reported_lost != truly_but_lost:
        wrong.append('the application reported another number of consumed but lost records than is true')
    if not failed_over:
        wrong.append('the application never failed over')
    if truly_lost < arguments.lose:
        wrong.append(f'{arguments.lose:,} records should have been lost with the region, and were not')
    if arguments.lose_known and reported_lost == 0:
        wrong.append('records that the gateway knew of were lost, and none was reported')
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--bin', type=lambda p: pathlib.Path(p).resolve(), required=True)
    parser.add_argument('--keep', action='store_true')
    parser.add_argument('--records', type=int, default=0)
    parser.add_argument('--lose', type=int, default=0)
    parser.add_argument('--lose-known', type=int, default=0)
    arguments = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix='farshore-quickstart-'))
    processes = {}
    wrong = ['it did not come to an end']
    try:
        wrong = story(arguments, directory, processes)
    except Failed as failed:
        wrong = [str(failed)]
    except KeyboardInterrupt:
        wrong = ['interrupted']
    finally:
        if arguments.keep:
            say('')
            say(f'left running; data and logs in {directory}')
            for name, process in processes.items():
                if process.process.poll() is None:
                    say(f'  {name}: pid {process.process.pid}  {process.out.read_text().strip()}')
            say(f'  try: {arguments.bin}/farshore --api {getattr(arguments, "api", "HOST:PORT")} status')
            if getattr(arguments, 'west', None):
                say(f'  try: kcat -C -b {arguments.west} -t {TOPIC} -e -q -f "%k\\n" | head')
            say(f'  stop: kill {" ".join(str(p.process.pid) for p in processes.values() if p.process.poll() is None)}')
        else:
            for process in processes.values():
                process.stop()
            if wrong:
                say(f'data and logs are kept in {directory}')
            else:
                shutil.rmtree(directory, ignore_errors=True)
    for text in wrong:
        say('FAILED: ' + text)
    if not wrong:
        say('\nThe same bytes, at the same offsets, on the far shore.')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
