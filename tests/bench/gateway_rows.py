"""What the gateway costs: against plain relays, against MirrorMaker 2, over a long way."""
import statistics
import time

from machine import BIN, World, free_port, need

PARTITIONS = 8


def mirrored(world, east, records, row, warm_up=0.0):
    """A link from `east`, with a gateway of its own; bytes are counted by who calls. Returns (CPU s, wall s, MiB)."""
    _, west = world.broker(f'west-{row}')
    gateway = world.gateway(west)
    begin_cpu, begin = gateway.cpu_s(), time.monotonic()
    world.farshore('link', 'create', 'bench', '--source', east, '--topics', 'bench')
    if warm_up:
        world.wait_for(west, 'bench', PARTITIONS, int(records * warm_up))
        begin_cpu, begin = gateway.cpu_s(), time.monotonic()
    world.wait_for(west, 'bench', PARTITIONS, records)
    taken = gateway.cpu_s() - begin_cpu, time.monotonic() - begin, gateway.rss_mib()
    gateway.kill()
    return taken


def relay_cpu_s(world, name, size_bytes):
    """CPU seconds of one plain TCP relay that moves `size_bytes` through one connection."""
    drain = world.spawn('drain', BIN / 'bench_load', 'drain', '127.0.0.1:0', '--connections', '1')
    target = drain.line('ready:').split()[2]
    port = free_port()
    if name == 'socat':
        need('socat')
        command = ['socat', '-b', '65536', f'TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr', f'TCP:{target}']
    else:
        need('haproxy')
        splice = 'option splice-auto' if 'splice' in name else ''
        config = world.directory / f'haproxy-{port}.cfg'
        config.write_text(f'global\n maxconn 64\n nbthread 1\ndefaults\n mode tcp\n {splice}\n timeout connect 5s\n'
                          f' timeout client 60s\n timeout server 60s\nlisten relay\n bind 127.0.0.1:{port}\n server target {target}\n')
        command = ['haproxy', '-db', '-f', config]
    relay = world.spawn(name.replace(' ', '-'), *command)
    time.sleep(0.5)
    begin = used = relay.cpu_s()
    world.spawn('pour', BIN / 'bench_load', 'pour', f'127.0.0.1:{port}', '--connections', '1', '--bytes', size_bytes)
    while drain.child.poll() is None:
        try:
            used = relay.cpu_s()
        except OSError:  # socat ends with its connection; the last look was at most 2 ms ago
            break
        time.sleep(0.002)
    drain.wait()
    relay.kill()
    return used - begin


def relay_rows(quick, report):
    size_bytes = (256 << 20) if quick else (2 << 30)
    runs = 1 if quick else 3
    for batch_bytes, label in ((16 << 10, '16 KiB'), (1 << 20, '1 MiB')):
        with World('relay') as world:
            _, east = world.broker('east')
            made = world.load('produce', east, '--bytes', size_bytes, '--batch-bytes', batch_bytes, '--in-flight', 4)
            ours, walls, rss = [], [], []
            peers = {name: [] for name in ('socat', 'haproxy', 'haproxy splice')}
            for run in range(runs):  # one after the other, so that a busy minute hits all
                cpu, wall, mib = mirrored(world, east, made['records'], run)
                ours.append(cpu)
                walls.append(wall)
                rss.append(mib)
                for name, taken in peers.items():
                    taken.append(relay_cpu_s(world, name, made['wire_bytes']))
            mb = made['wire_bytes'] / 1e6
            rate = mb / statistics.median(ours)
            for name, taken in peers.items():
                theirs = mb / statistics.median(taken)
                report.row(f'gateway vs {name}, {label} batches', 'MB/CPU-s', rate, theirs, rate / theirs,
                           0.6 if 'splice' not in name else None,
                           f'{mb:.0f} MB, median of {runs}; gateway {mb / statistics.median(walls):.0f} MB/s of wall time')
            report.row(f'gateway memory, {label} batches', 'MiB', max(rss), None, max(rss), 100, 'highest', less=True)


def first_byte_row(quick, report):
    times = []
    for _ in range(1 if quick else 3):
        with World('first') as world:
            _, east = world.broker('east')
            _, west = world.broker('west')
            world.load('produce', east, '--bytes', 1 << 20, '--batch-bytes', 16 << 10)
            world.gateway(west)
            watcher = world.waiting_for(west, 'bench', PARTITIONS, 1)
            begin = time.monotonic()
            world.farshore('link', 'create', 'bench', '--source', east, '--topics', 'bench')
            watcher.wait()
            times.append(time.monotonic() - begin)
    report.row('first mirrored byte after link create', 's', statistics.median(times), None, statistics.median(times), 1.0,
               'the command line included', less=True)


def mirrormaker_cpu(world, source, target, topic, partitions, records, from_share=0.25):
    """MirrorMaker 2 on the same topic; its first quarter is its warm-up. Returns (records, CPU s, wall s, MiB)."""
    maker = world.peer('mirrormaker', source, target, topic, heap='2g')
    begun = world.wait_for(target, topic, partitions, max(1, int(records * from_share)))['records']
    begin_cpu, begin = maker.cpu_s(), time.monotonic()
    world.wait_for(target, topic, partitions, records)
    taken = records - begun, maker.cpu_s() - begin_cpu, time.monotonic() - begin, maker.rss_mib()
    maker.kill()
    return taken


def mirrormaker_rows(quick, report):
    for record_bytes, goal in ((1000, 20), (100, 50)):
        size_bytes = (64 << 20) if quick else (768 << 20) if record_bytes == 1000 else (256 << 20)
        with World('mm2') as world:
            _, east = world.broker('east')
            made = world.load('produce', east, '--bytes', size_bytes, '--batch-bytes', 64 << 10, '--record-bytes', record_bytes,
                              '--compression', 'lz4')
            cpu = statistics.median(mirrored(world, east, made['records'], run)[0] for run in range(1 if quick else 5))
            _, west = world.broker('west-mm2')
            records, their_cpu, wall, mib = mirrormaker_cpu(world, east, west, 'bench', PARTITIONS, made['records'])
            rate, their_rate = made['records'] / cpu / 1e3, records / their_cpu / 1e3
            report.row(f'gateway vs MirrorMaker 2, {record_bytes} B records, lz4', '1000 records/CPU-s', rate, their_rate,
                       rate / their_rate, goal,
                       f"{made['records']} records, {made['value_bytes'] / 1e6:.0f} MB of values in {made['wire_bytes'] / 1e6:.0f} MB; "
                       f'both from and to farshore-broker; median of {1 if quick else 5}; MirrorMaker 2 after a quarter as warm-up: {wall:.0f} s, {mib:.0f} MiB')


def long_way_row(quick, report):
    """One partition, the source 100 ms away."""
    size_bytes = (256 << 20) if quick else (2 << 30)
    with World('far') as world:
        port = free_port()
        far = f'127.0.0.1:{port}'
        _, near = world.broker('east', f'advertised.listeners=PLAINTEXT://{far}')
        proxy = world.spawn('net_proxy', BIN / 'net_proxy', '--listen', far, '--to', near, commanded=True)
        proxy.line('ready:')
        made = world.load('produce', far, '--bytes', size_bytes, '--batch-bytes', 64 << 10, '--partitions', 1, '--in-flight', 8)
        proxy.tell('rtt 100ms')
        proxy.line('ok: rtt')

        def rate(target, share, records):
            begun = world.wait_for(target, 'bench', 1, max(1, int(records * share)))['records']
            begin = time.monotonic()
            world.wait_for(target, 'bench', 1, records)
            return (records - begun) / made['records'] * made['wire_bytes'] / 1e6 / (time.monotonic() - begin)

        rates = []
        for run in range(1 if quick else 3):
            _, west = world.broker(f'west-{run}')
            gateway = world.gateway(west)
            world.farshore('link', 'create', 'bench', '--source', far, '--topics', 'bench')
            rates.append(rate(west, 0.1, made['records']))
            rss = gateway.rss_mib()
            gateway.kill()
        _, west = world.broker('west-mm2')
        maker = world.peer('mirrormaker', far, west, 'bench', heap='2g')
        part = made['records'] // (1 if quick else 4)
        theirs = rate(west, 0.1, part)
        maker.kill()
        report.row('one partition, source at 100 ms RTT, vs MirrorMaker 2', 'MB/s', statistics.median(rates), theirs,
                   statistics.median(rates) / theirs, 5, f"{made['wire_bytes'] / 1e6:.0f} MB, wall time, through tests/net_proxy; "
                   f'gateway at most {rss:.0f} MiB')


def proxy_row(quick, report):
    """net_proxy itself must be no bottleneck."""
    size_bytes = (1 << 30) if quick else (4 << 30)
    with World('proxy') as world:
        drain = world.spawn('drain', BIN / 'bench_load', 'drain', '127.0.0.1:0', '--connections', '1')
        proxy = world.spawn('net_proxy', BIN / 'net_proxy', '--to', drain.line('ready:').split()[2], '--set', 'rtt 100ms')
        address = proxy.line('ready:').split()[2]
        begin, begin_cpu = time.monotonic(), proxy.cpu_s()
        world.spawn('pour', BIN / 'bench_load', 'pour', address, '--connections', '1', '--bytes', size_bytes).wait()
        drain.wait()
        mb = size_bytes / 1e6
        rate = mb / (time.monotonic() - begin)
        report.row('net_proxy at 100 ms RTT', 'MB/s', rate, None, rate, 500, f'{mb / (proxy.cpu_s() - begin_cpu):.0f} MB per CPU-second')


ROWS = {'relay': relay_rows, 'first-byte': first_byte_row, 'mirrormaker': mirrormaker_rows, 'long-way': long_way_row,
        'proxy': proxy_row}
