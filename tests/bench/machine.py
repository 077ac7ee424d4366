"""What every row of the benchmark needs: processes with their CPU time and memory, loads, peers, a place for data."""
import json
import os
import pathlib
import platform
import shutil
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BIN = pathlib.Path(os.environ.get('FARSHORE_BENCH_BIN', ROOT / 'build' / 'release' / 'bin'))  # another build, to compare


class Missing(Exception):
    """A row cannot run here; the text says what it needs."""


class Process:
    """A child whose CPU time and memory the kernel tells."""

    def __init__(self, directory, name, command, env=None, commanded=False):
        self.name, self.command = name, ' '.join(str(c) for c in command)
        self.out, self.log = directory / f'{name}.out', directory / f'{name}.log'
        self.started = time.monotonic()
        self.child = subprocess.Popen([str(c) for c in command], stdout=open(self.out, 'w'), stderr=open(self.log, 'w'),
                                      stdin=subprocess.PIPE if commanded else subprocess.DEVNULL, env=env)

    def cpu_s(self):
        """User and system time of all its threads: the sum of /proc/PID/stat's two figures, in nanoseconds instead of ticks."""
        return time.clock_gettime_ns((~self.child.pid << 3) | 2) / 1e9

    def rss_mib(self):
        """The most it ever had."""
        for line in open(f'/proc/{self.child.pid}/status'):
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) / 1024
        return 0.0

    def lines(self):
        return self.out.read_text().splitlines()

    def line(self, prefix, limit_s=60):
        """The first line of its output that begins so."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            for line in self.lines():
                if line.startswith(prefix):
                    return line
            if self.child.poll() is not None:
                break
            time.sleep(0.002)
        raise SystemExit(f'{self.name} ({self.command}): no line "{prefix}": {self.log.read_text()[-1500:]}')

    def tell(self, command):
        self.child.stdin.write((command + '\n').encode())
        self.child.stdin.flush()

    def wait(self, limit_s=900):
        if self.child.wait(limit_s) != 0:
            raise SystemExit(f'{self.name} ({self.command}) failed: {self.log.read_text()[-1500:]}')

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()


class World:
    """One row's processes and data; all of it is gone afterwards."""

    def __init__(self, name):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f'farshore-bench-{name}-'))
        self.processes = []
        self.api = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def spawn(self, name, *command, env=None, commanded=False):
        process = Process(self.directory, f'{name}-{len(self.processes)}', command, env, commanded)
        self.processes.append(process)
        return process

    def broker(self, name, *settings):
        """farshore-broker; returns it and its address."""
        options = [word for setting in settings for word in ('--set', setting)]
        process = self.spawn(name, BIN / 'farshore-broker', '--data', self.directory / name, '--listen', '127.0.0.1:0', *options)
        return process, process.line('ready:').split()[2]

    def gateway(self, target):
        process = self.spawn('gateway', BIN / 'farshore-gateway', '--target', target, '--api', '127.0.0.1:0')
        self.api = process.line('ready:').split()[2]
        while subprocess.run([BIN / 'farshore', '--api', self.api, 'link', 'list'], capture_output=True).returncode != 0:
            if process.child.poll() is not None or time.monotonic() > process.started + 60:
                raise SystemExit('the gateway does not serve: ' + process.log.read_text()[-1500:])
            time.sleep(0.05)  # it answers when it has read the stored links
        return process

    def farshore(self, *words, limit_s=60):
        run = subprocess.run([BIN / 'farshore', '--api', self.api, *words], capture_output=True, text=True, timeout=limit_s)
        if run.returncode != 0:
            raise SystemExit(f'farshore {words}: {run.stdout}{run.stderr}')
        return run.stdout

    def load(self, *words):
        """bench_load to its end; what it says it did."""
        process = self.spawn('load', BIN / 'bench_load', *words)
        process.wait()
        return json.loads(process.lines()[-1])

    def wait_for(self, address, topic, partitions, records):
        return self.load('wait', address, '--topic', topic, '--partitions', partitions, '--records', records)

    def waiting_for(self, address, topic, partitions, records):
        """Somebody who is already looking when this returns."""
        process = self.spawn('wait', BIN / 'bench_load', 'wait', address, '--topic', topic, '--partitions', partitions,
                             '--records', records)
        process.line('ready:')
        return process

    # --- Apache Kafka and its tools.
    def peer(self, name, *words, heap='1g'):
        """One of ../shared/peers, with its data in this world."""
        home = self.directory / 'peers'
        if not home.exists():
            home.mkdir()
            (home / 'kafka-4.1.1').symlink_to(kafka_libraries())
        return self.spawn(name, peers() / name, *words, env={**os.environ, 'PEERS_HOME': str(home), 'HEAP': heap})

    def kafka(self, *settings, heap='1g'):
        """A single Apache Kafka; returns it, its address and the seconds until it answered."""
        port = free_port(2)
        process = self.peer('kafka-node', f'kafka-{port}', port, *settings, heap=heap)
        address = f'127.0.0.1:{port}'
        while subprocess.run(['kcat', '-L', '-m', '1', '-b', address], capture_output=True).returncode != 0:
            if process.child.poll() is not None or time.monotonic() > process.started + 120:
                raise SystemExit('Apache Kafka did not start: ' + process.log.read_text()[-1500:])
        return process, address, time.monotonic() - process.started


def peers():
    for parent in ROOT.parents:
        if (parent / 'shared' / 'peers' / 'kafka-node').exists():
            if shutil.which('java') and shutil.which('mvn'):
                return parent / 'shared' / 'peers'
    raise Missing('needs ../shared/peers (Apache Kafka 4.1.1), a JDK 17 and Maven')


def kafka_libraries():
    home = pathlib.Path(os.environ.get('PEERS_HOME', pathlib.Path.home() / '.cache' / 'peers'))
    if not (home / 'kafka-4.1.1' / '.complete').exists():
        raise Missing(f'{home}/kafka-4.1.1 is not there: run ../shared/peers/kafka-tool once')
    return home / 'kafka-4.1.1'


def need(program):
    if not shutil.which(program):
        raise Missing(f'needs {program}')


def free_port(count=1):
    """The first of `count` ports in a row that nobody has now."""
    for port in range(20011 + os.getpid() % 1000, 32000, 7):
        try:
            for p in range(port, port + count):
                with socket.socket() as s:
                    s.bind(('127.0.0.1', p))
            return port
        except OSError:
            continue
    raise SystemExit('no free ports')


def describe():
    model = next((l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name')), '?')
    return {'cores': os.cpu_count(), 'cpu': model, 'kernel': platform.release(),
            'memory_gib': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30),
            'load_average': round(os.getloadavg()[0], 1), 'date': time.strftime('%Y-%m-%d %H:%M')}
