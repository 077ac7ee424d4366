"""Failover, promote, groups and lag, with many partitions or a far source."""
import statistics
import subprocess
import time

from machine import BIN
from scale_world import ScaleWorld, fill, make, topics_for
from wire import Admin, batch

RTT_MS = 100


def failover_row(partitions, table):
    for count, goal in ((partitions // 10, 1), (partitions, 8)):
        topics = topics_for(count)
        with ScaleWorld('failover') as world:
            east, east_at = world.broker('east')
            _, west_at = world.broker('west')
            make(east_at, topics)
            fill(east_at, topics)
            world.gateway(west_at)
            world.farshore('link', 'create', 'link', '--source', east_at, '--topics', '*', '--no-group-sync')
            if world.active(count, 600) is None:
                table.row(f'failover of {count} partitions', None, goal, 's', 'never mirrored')
                continue
            east.kill()
            table.row(f'failover of {count} partitions', world.timed('mirror', 'failover', '--link', 'link', '--all'), goal, 's')


def promote_row(_, table):
    count = 250
    with ScaleWorld('promote') as world:
        _, far, near = world.far_broker('east', RTT_MS)
        _, west = world.broker('west')
        make(near, [('empty', count)])
        world.gateway(west)
        world.farshore('link', 'create', 'link', '--source', far, '--topics', '*', '--no-group-sync')
        world.active(count, 300)
        seconds = world.timed('mirror', 'promote', '--link', 'link', '--all')
        table.row(f'promote of {count} empty partitions, source {RTT_MS} ms away', seconds / (RTT_MS / 1000), 12, 'round trips')


def far_row(_, table):
    """Many topics, the source far away: the life of a link, each verb on all topics."""
    count, where = 1500, f'source {RTT_MS} ms away'
    with ScaleWorld('far') as world:
        _, far, near = world.far_broker('east', RTT_MS)
        _, west = world.broker('west')
        make(near, [(f't{n:04d}', 1) for n in range(count)])
        world.gateway(west)
        begin = time.monotonic()
        world.farshore('--timeout', '300', 'link', 'create', 'link', '--source', far, '--topics', '*', '--no-group-sync', limit_s=330)
        ready = world.active(count, 300)
        table.row(f'link of {count} topics, {where}', None if ready is None else time.monotonic() - begin, 15, 's')
        for verb, goal in (('pause', 2), ('resume', 2), ('promote', 60), ('unfence', 15)):
            words = ('--deadline-ms', '250000') if verb == 'promote' else ()
            table.row(f'{verb} of {count} topics, {where}', world.timed('mirror', verb, '--link', 'link', '--all', *words), goal, 's')


def groups_row(_, table):
    count, limit_s = 300, 120
    with ScaleWorld('groups') as world:
        _, far, near = world.far_broker('east', RTT_MS)
        _, west = world.broker('west')
        source = make(near, [('t', 1)])
        fill(near, [('t', 1)], 100)
        world.gateway(west)
        names = [f'group-{n:03d}' for n in range(count)]
        for name in names:
            source.commit(name, 't', 10)
        world.farshore('link', 'create', 'link', '--source', far, '--topics', '*')
        world.wait_for(west, 't', 1, 100)
        target = Admin(west)

        def at(offset):
            return sum(target.committed(name, 't') == offset for name in names)

        end = time.monotonic() + limit_s
        while at(10) < count and time.monotonic() < end:
            time.sleep(0.5)
        for name in names:
            source.commit(name, 't', 50)
        begin = time.monotonic()
        while at(50) < count and time.monotonic() - begin < limit_s:
            time.sleep(0.2)
        seconds = time.monotonic() - begin
        arrived = at(50)
        table.row(f'{count} groups follow a change, source {RTT_MS} ms away', seconds if arrived == count else None, 10, 's',
                  f'{arrived} arrived')


def fdatasync_s(directory):
    """The median time of one, of a file that grows."""
    script = ('import os,sys,time\nf=os.open(sys.argv[1],os.O_WRONLY|os.O_CREAT)\nt=[]\nfor _ in range(100):\n'
              ' os.write(f,b"x"*4096)\n b=time.monotonic()\n os.fdatasync(f)\n t.append(time.monotonic()-b)\nprint(sorted(t)[50])')
    return float(subprocess.run(['python3', '-c', script, directory / 'probe'], capture_output=True, text=True, check=True).stdout)


def fsync_row(partitions, table):
    """All partitions are written to, slowly; how long until a record is visible at a target that syncs each append."""
    count, probes = partitions // 10, 300
    with ScaleWorld('fsync') as world:
        _, east = world.broker('east')
        _, west = world.broker('west', 'durability=fsync')
        source, target, topics = make(east, [('t', count)]), None, [('t', count)]
        fill(east, topics)
        world.gateway(west)
        world.farshore('link', 'create', 'link', '--source', east, '--topics', '*', '--no-group-sync')
        world.wait_for(west, 't', count, count)
        sync = fdatasync_s(world.directory)
        world.spawn('writer', BIN / 'bench_load', 'produce', east, '--topic', 't', '--partitions', count, '--bytes', 1 << 30,
                    '--batch-bytes', 1024, '--in-flight', 1)
        time.sleep(2)
        target, lags = Admin(west), []
        for n in range(probes):
            p = n * 7 % count
            begin = time.monotonic()
            source.produce('t', p, batch(b'probe'))
            end = source.list_offset('t', p, -1)[1]
            while target.list_offset('t', p, -1)[1] < end:
                pass
            lags.append(time.monotonic() - begin)
        p99 = statistics.quantiles(lags, n=100)[98]
        table.row(f'lag p99, {count} active partitions, target syncs', p99 / sync, 4, 'fdatasyncs',
                  f'p99 {1000 * p99:.1f} ms, fdatasync {1000 * sync:.2f} ms')


ROWS = {'failover': failover_row, 'promote': promote_row, 'far': far_row, 'groups': groups_row, 'fsync': fsync_row}
