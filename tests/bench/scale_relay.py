"""Relays of many partitions into Apache Kafka: a takeover, and a failover after the target forgot the producers. The
translation of very many runs."""
import json
import subprocess
import tempfile
import time

from machine import BIN

from scale_world import ScaleWorld, fill, make


def takeover_row(partitions, table):
    count = partitions // 10
    with ScaleWorld('takeover') as world:
        _, east = world.broker('east')
        _, kafka, _ = world.kafka('num.partitions=1', heap='2g')
        topics = [('t', count)]
        make(east, topics)
        fill(east, topics)
        gateway = world.gateway(kafka)
        world.farshore('link', 'create', 'link', '--source', east, '--mode', 'relay', '--topics', 't', '--no-group-sync')
        if world.active(count, 300) is None:
            table.row(f'relay takeover of {count} partitions', None, 3, 's', 'never relayed')
            return
        gateway.kill()
        begin = time.monotonic()
        world.gateway(kafka)
        found = world.active(count, 300)
        table.row(f'relay takeover of {count} partitions', None if found is None else time.monotonic() - begin, 3, 's',
                  'from the start of the gateway; target on the same machine')


def expired_row(_, table):
    """The target forgot the idle transactional ids (a week; here some seconds), and then the source is lost."""
    count = 24
    with ScaleWorld('expired') as world:
        east, east_at = world.broker('east')
        _, kafka, _ = world.kafka('transactional.id.expiration.ms=4000',
                                  'transaction.remove.expired.transaction.cleanup.interval.ms=1000')
        make(east_at, [('t', count)])
        fill(east_at, [('t', count)])
        world.gateway(kafka)
        world.farshore('link', 'create', 'link', '--source', east_at, '--mode', 'relay', '--topics', 't', '--no-group-sync')
        world.active(count, 120)
        time.sleep(12)
        east.kill()
        seconds = world.timed('mirror', 'failover', '--link', 'link', '--all', limit_s=900)
        table.row(f'relay failover of {count} partitions, ids expired', seconds, 35, 's', 'one wait of 30 s at most, not one for each')


def translations_row(partitions, table):
    """The gateway's store is RocksDB, libfarshore's is memory."""
    runs = partitions * 1000
    for store in ('disk', 'memory'):
        with tempfile.TemporaryDirectory(prefix='farshore-runs-') as directory:
            where = ['--directory', directory + '/store'] if store == 'disk' else []
            out = subprocess.run([BIN / 'bench_translations', '--runs', str(runs), *where], check=True, capture_output=True)
        found = json.loads(out.stdout)
        name, notes = f'translation of {runs} runs, store {store}', f'filled in {found["fill_s"]:.0f} s'
        if store == 'disk':
            table.row(f'{name}: on disk', found['disk_bytes_a_run'], 16, 'bytes a run', notes)
            table.row(f'{name}: opened', found['open_s'], 1, 's', 'all keys read into memory')
        table.row(f'{name}: in memory', found['memory_bytes_a_run'], 16, 'bytes a run', notes)
        table.row(f'{name}: to the target', found['to_target_us'], 1, 'us', 'a look-up, random places')
        table.row(f'{name}: to the source', found['to_source_us'], 1, 'us', 'a look-up, random places')


ROWS = {'relay-takeover': takeover_row, 'relay-expired': expired_row, 'translations': translations_row}
