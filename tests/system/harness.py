"""What the system tests share: programs of ours in a directory of their own, kcat, the command line, checks."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time


PEERS = pathlib.Path(__file__).resolve().parents[3] / 'shared' / 'peers'
HANG = 300  # seconds; under the thread sanitizer thousands of offsets take minutes to translate


class World:
    """Processes in one temporary directory; everything that was started is killed at the end."""

    def __init__(self, name):
        self.bin = pathlib.Path(sys.argv[1])
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f'farshore-{name}-'))
        self.started = []
        self.elsewhere = []  # directories outside of ours that go with it
        self.api = None

    def spawn(self, name, *command, env=None):
        process = subprocess.Popen([str(c) for c in command], stdout=open(self.directory / f'{name}.out', 'w'),
                                   stderr=open(self.directory / f'{name}.log', 'a'), stdin=subprocess.DEVNULL, env=env)
        self.started.append(process)
        return process

    def start(self, name, *command):
        """A program of ours; returns it and the address of its `ready:` line."""
        process = self.spawn(name, *command)
        for _ in range(1200):  # a minute: it ends earlier when the program does
            for line in (self.directory / f'{name}.out').read_text().splitlines():
                if line.startswith('ready:'):
                    return process, line.split()[2]
            if process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f'{name} did not start: ' + (self.directory / f'{name}.log').read_text()[-2000:])

    def gateway(self, name, target):
        process, self.api = self.start(name, self.bin / 'farshore-gateway', '--target', target, '--api', '127.0.0.1:0')
        return process

    def farshore(self, *words, expect=0):
        run = subprocess.run([self.bin / 'farshore', '--api', self.api, *words], capture_output=True, text=True, timeout=HANG)
        if expect is not None and run.returncode != expect:
            raise SystemExit(f'farshore {words}: exit {run.returncode}: {run.stdout}{run.stderr}')
        return run

    def lag(self):
        """Records behind, over all partitions; -1 while that is not known of every one."""
        status = json.loads(self.farshore('status', '-o', 'json').stdout)
        rows = [p for m in status['mirrors'] for p in m['partitions']]
        return sum(p['lag_records'] for p in rows) if rows and all(p['state'] == 'ACTIVE' for p in rows) else -1

    def run(self, main):
        try:
            main(self)
        except BaseException:
            for log in sorted(self.directory.glob('*.log')):
                print(f'--- {log.name}\n{log.read_text()[-1500:]}')
            raise
        finally:
            for process in self.started:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            for directory in (self.directory, *self.elsewhere):
                shutil.rmtree(directory, ignore_errors=True)


def kcat(*arguments, data=None, expect=0):
    run = subprocess.run(['kcat', *arguments], input=data, capture_output=True, timeout=HANG)
    if expect is not None and run.returncode != expect:
        raise SystemExit(f'kcat {arguments}: exit {run.returncode}: {run.stderr.decode()[-500:]}')
    return run


def files_of(directory, topic, partitions):
    return [b''.join(f.read_bytes() for f in sorted((directory / f'{topic}-{p}').glob('*.log'))) for p in range(partitions)]


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


def peers_or_skip():
    if not (PEERS / 'kafka-node').exists() or not shutil.which('java') or not shutil.which('mvn'):
        print('SKIPPED: needs ../shared/peers, a JDK 17 and Maven')
        sys.exit(77)
