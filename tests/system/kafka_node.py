"""Real Apache Kafka 4.1.1 nodes for tests that use them as a source or a target of a link."""
import os
import pathlib
import random
import socket

from harness import PEERS, kcat, until


def two_free_ports():
    """Two in a row, as kafka-node wants them (broker and controller); others look for ports at the same time."""
    start = random.SystemRandom().randrange(20000, 30000)
    for port in range(start, start + 2000, 2):
        try:
            for p in (port, port + 1):
                with socket.socket() as s:
                    s.bind(('127.0.0.1', p))
            return port
        except OSError:
            continue
    raise SystemExit('no two free ports in a row')


class KafkaNode:
    """One node; its data is ours and goes with the world."""

    def __init__(self, world, name, *properties, advertised=None):
        self.port = two_free_ports()
        self.own = f'127.0.0.1:{self.port}'
        self.at = advertised or self.own  # where clients find it: a proxy may stand before it
        home = pathlib.Path(os.environ.get('PEERS_HOME', pathlib.Path.home() / '.cache' / 'peers'))
        directory = f'{name}-{os.getpid()}'
        self.root = home / 'run' / directory
        self.data = self.root / 'data'
        if advertised:
            properties = (f'advertised.listeners=PLAINTEXT://{advertised}', *properties)
        env = dict(os.environ, HEAP=os.environ.get('HEAP', '400m'))
        self.spawn = lambda: world.spawn(name, PEERS / 'kafka-node', directory, self.port, *properties, env=env)
        self.process = self.spawn()
        world.elsewhere.append(self.root)

    def ready(self):
        def answers():
            # The random cluster id of one run in 64 begins with '-', and Kafka's own formatter takes it for an option.
            if self.process.poll() is not None and not (self.data / 'meta.properties').exists():
                self.process = self.spawn()
            return kcat('-L', '-b', self.own, expect=None).returncode == 0
        until('Apache Kafka answers', answers, 120)
        return self.at
