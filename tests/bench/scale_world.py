"""What the rows of tests/bench/scale share: topics in numbers, a source that is far away, waiting for a whole link."""
import json
import os
import time

from machine import BIN, World, free_port
from wire import Admin, batch

PER_TOPIC = 100  # partitions; many topics of a hundred, as people have them


def topics_for(partitions):
    """(name, partitions) of topics that have so many in all."""
    full, rest = divmod(partitions, PER_TOPIC)
    return [(f'topic-{n:03d}', PER_TOPIC) for n in range(full)] + ([('topic-rest', rest)] if rest else [])


class ScaleWorld(World):
    def far_broker(self, name, rtt_ms, *settings):
        """A broker whose clients are rtt_ms away; returns its process, the far address and the near one."""
        port = free_port()
        far = f'127.0.0.1:{port}'
        process, near = self.broker(name, f'advertised.listeners=PLAINTEXT://{far}', *settings)
        self.proxy(far, near, rtt_ms)
        return process, far, near

    def proxy(self, far, near, rtt_ms):
        proxy = self.spawn('net_proxy', BIN / 'net_proxy', '--listen', far, '--to', near, '--set', f'rtt {rtt_ms}ms')
        proxy.line('ready:')

    def restarted(self, process, name, address, *settings):
        """The broker of `process` again, at the same address; returns it and the seconds until it served."""
        begin = time.monotonic()
        again = self.spawn(name, BIN / 'farshore-broker', '--data', self.directory / name, '--listen', address,
                           *[word for setting in settings for word in ('--set', setting)])
        again.line('ready:', 120)
        return again, time.monotonic() - begin

    def mirrors(self, link='link'):
        """Partitions of the link that are ACTIVE."""
        status = json.loads(self.farshore('status', '--partitions', '--link', link, '-o', 'json'))
        return sum(p['state'] == 'ACTIVE' for m in status['mirrors'] for p in m['partitions'])

    def active(self, partitions, limit_s, link='link'):
        """Seconds until so many partitions are ACTIVE; None: not within limit_s."""
        begin = time.monotonic()
        while time.monotonic() - begin < limit_s:
            if self.mirrors(link) >= partitions:
                return time.monotonic() - begin
            time.sleep(0.1)
        return None

    def timed(self, *words, limit_s=300):
        begin = time.monotonic()
        self.farshore('--timeout', str(limit_s), *words, limit_s=limit_s + 30)
        return time.monotonic() - begin


def make(address, topics):
    """Creates them, one request each."""
    admin = Admin(address)
    for name, partitions in topics:
        admin.make(name, partitions)
    return admin


def fill(address, topics, records=1):
    """One batch into each partition."""
    admin = Admin(address)
    one = batch(b'x' * 100, records)
    for name, partitions in topics:
        for p in range(partitions):
            code = admin.produce(name, p, one)
            if code != 0:
                raise SystemExit(f'a write to {name}-{p} ended with error {code}')


def descriptors(process):
    return len(os.listdir(f'/proc/{process.child.pid}/fd'))


def memory_kib(process):
    """What it has now, without what the page cache shares with it."""
    for line in open(f'/proc/{process.child.pid}/status'):
        if line.startswith('RssAnon:'):
            return int(line.split()[1])
    return 0


def share_of_a_core(process, seconds):
    begin_cpu, begin = process.cpu_s(), time.monotonic()
    time.sleep(seconds)
    return (process.cpu_s() - begin_cpu) / (time.monotonic() - begin)
