"""What the relay tests share: reading both ends record by record, and comparing them with the translation."""
import asyncio
import base64
import json
import struct
import threading

from harness import check, kcat

CODECS = ('none', 'gzip', 'snappy', 'lz4', 'zstd')


def lines(first, count, keys=97):
    return b''.join(b'key-%d&value-%d\n' % (n % keys, n) for n in range(first, first + count))


def produce(at, topic, first, count, codec='none', batch=25):
    """Small batches, so that there is something to tear apart."""
    kcat('-P', '-b', at, '-t', topic, '-K&', '-z', codec, '-X', 'enable.idempotence=true',
         '-X', f'batch.num.messages={batch}', data=lines(first, count))


def read(at, topic, partition):
    """{offset: (timestamp, key, value)} of all records that a consumer sees."""
    out = kcat('-C', '-b', at, '-t', topic, '-p', str(partition), '-o', 'beginning', '-e', '-q', '-f', '%o\t%T\t%k\t%s\n').stdout
    rows = {}
    for line in out.decode().splitlines():
        offset, *record = line.split('\t')
        rows[int(offset)] = tuple(record)
    return rows


def translated(world, link, topic, partition, first, last, *more):
    if last < first:
        return []
    out = world.farshore('offsets', 'translate', '--link', link, '--topic', topic, '--partition', str(partition),
                         '--offset', str(first), '--through', str(last), '-o', 'json', *more).stdout
    return json.loads(out)


def fold(at, topic):
    """{key: (length of the value)} of a compacted topic, as its last records say; None: deleted. Keys are bytes."""
    out = kcat('-C', '-b', at, '-t', topic, '-e', '-q', '-o', 'beginning', '-f', '%K %S %k').stdout
    rows = {}
    while out:
        key_bytes, value_bytes, out = out.split(b' ', 2)
        rows[out[:int(key_bytes)]] = int(value_bytes) if int(value_bytes) >= 0 else None
        out = out[int(key_bytes):]
    return rows


def claims_of(at, link_id):
    """{key: length} of what __farshore_offsets says of a link now (its keys: offsets/translation/FORMAT.md)."""
    link = base64.urlsafe_b64decode(link_id + '==')
    return {key: size for key, size in fold(at, '__farshore_offsets').items() if size is not None and key[2:18] == link}


def runs_of(at, link_id):
    """[(partition, source offset)] of its runs; topics are not told apart."""
    keys = [key for key in claims_of(at, link_id) if struct.unpack_from('>h', key)[0] == 1]
    return [(struct.unpack_from('>i', key, 34)[0], struct.unpack_from('>q', key, 42)[0]) for key in keys]


def is_ours(record):
    return not record[2].startswith('foreign')


def compare(world, when, link, source_at, source_topic, target_at, topic, partitions, foreign=False):
    """Every record once and in order; every offset of either end translates to the record that is there."""
    records = markers = 0
    for p in range(partitions):
        source, target = read(source_at, source_topic, p), read(target_at, topic, p)
        ours = {offset: record for offset, record in target.items() if is_ours(record)}
        if list(ours.values()) != list(source.values()):
            missing = [r for r in source.values() if r not in set(ours.values())]
            print(f'partition {p}: source {len(source)} records, target {len(ours)}, missing {missing[:3]}')
            check(f'{when}: every record once and in order', False)
        records += len(source)
        if not source:
            continue
        forward = translated(world, link, topic, p, min(source), max(source))
        check_rows = [(r['source_offset'], r['target_offset']) for r in forward if r['exact']]
        if [s for s, _ in check_rows] != sorted(source) or any(target.get(t) != source[s] for s, t in check_rows):
            check(f'{when}: every source offset of partition {p} translates to its record', False)
        back = translated(world, link, topic, p, min(ours), max(ours), '--reverse')
        exact = {r['target_offset']: r['source_offset'] for r in back if r['exact']}
        if sorted(exact) != sorted(ours) or any(source[s] != target[t] for t, s in exact.items()):
            check(f'{when}: every target offset of partition {p} translates back to its record', False)
        markers += max(target) - min(target) + 1 - len(ours)
        if not foreign and len(target) != len(ours):
            check(f'{when}: nothing else is in the target', False)
    check(f'{when}: {records} records, each once and in order; every offset translates exactly, both ways '
          f'({markers} target offsets hold none of ours)', records > 0)


class LossyProxy:
    """A TCP proxy before one broker, in a thread. While `losing`, answers are read and thrown away; when it ends, the
    connections that lost something are cut."""

    def __init__(self):
        self.losing = False
        self.lost_bytes = 0
        self.to = None
        self.port = None
        ready = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.torn = set()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait(10)

    def lose(self, losing):
        self.losing = losing
        if not losing:
            self.loop.call_soon_threadsafe(self._cut)

    def _cut(self):
        for writer in self.torn:
            writer.close()
        self.torn.clear()

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)

        async def serve():
            server = await asyncio.start_server(self._client, '127.0.0.1', 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
        self.loop.run_until_complete(serve())
        self.loop.run_forever()

    async def _client(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection('127.0.0.1', self.to)
        except OSError:
            writer.close()
            return
        asyncio.ensure_future(self._pipe(reader, far_writer, False))
        await self._pipe(far_reader, writer, True)

    async def _pipe(self, reader, writer, answers):
        try:
            while data := await reader.read(1 << 16):
                if answers and (self.losing or writer in self.torn):
                    self.lost_bytes += len(data)
                    self.torn.add(writer)
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()
