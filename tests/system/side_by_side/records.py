"""Records: produced, fetched, deleted, and where they are."""
from .batches import TIME, batch, old_message, record
from .case import Case, Family, Step
from .ends import Fresh, IdOf, Saved
from .topics import make

LATEST = 13  # Produce and Fetch know topics by id from here on


def produced(topic, records, partition=0, acks=-1, version=12, transactional=None):
    """A step that writes `records`."""
    return Step('Produce', version, produce(topic, records, partition, acks, transactional))


def produce(topic, records, partition=0, acks=-1, transactional=None):
    return {'transactional_id': transactional, 'acks': acks, 'timeout_ms': 5000,
            'topic_data': [{'name': topic, 'topic_id': IdOf(topic), 'partition_data': [{'index': partition, 'records': records}]}]}


def fetch(topic, offset=0, partition=0, bytes_max=1 << 20, **more):
    return {'replica_id': -1, 'max_wait_ms': 0, 'min_bytes': 0, 'max_bytes': 1 << 24, 'session_id': 0, 'session_epoch': -1, 'topics': [
        {'topic': topic, 'topic_id': IdOf(topic), 'partitions': [{'partition': partition, 'fetch_offset': offset, 'partition_max_bytes': bytes_max}]}], **more}


def odd_batches():
    """(words, records). None of them needs another before it."""
    good, keyed = batch(), batch(key=b'key')
    yield 'a good batch', good
    yield 'nothing', b''
    yield 'one byte', b'\0'
    yield 'half a header', good[:30]
    yield 'a batch without its last byte', good[:-1]
    yield 'a byte behind a batch', good + b'\0'
    yield 'two batches', good + good
    yield 'magic 0', old_message(b'value', 0)
    yield 'magic 1', old_message(b'value', 1)
    yield 'magic 1 with a wrong CRC', old_message(b'value', 1)[:-1] + b'X'
    yield 'magic 3', batch(magic=3)
    yield 'a negative magic', batch(magic=-1)
    yield 'a wrong CRC', batch(crc_off=1)
    yield 'a length too long', batch(length_off=1)
    yield 'a length too short', batch(length_off=-1)
    yield 'a length of zero', good[:8] + bytes(4) + good[12:]
    yield 'a negative length', good[:8] + b'\xff' * 4 + good[12:]
    yield 'no records', batch(records=b'', count=0)
    yield 'no records and a last offset', batch(records=b'', count=0, last_delta=5)
    yield 'a count too large', batch(count=2)
    yield 'a count too small', batch(b'a', b'b', count=1)
    yield 'a negative count', batch(count=-1)
    yield 'a last offset that does not fit the count', batch(last_delta=3)
    yield 'a negative last offset', batch(last_delta=-1)
    yield 'a base offset', batch(base=77)
    yield 'a negative base offset', batch(base=-5)
    yield "a leader's epoch", batch(leader_epoch=9)
    yield 'records with other offsets', batch(records=record(0, None, b'a', delta=1) + record(1, None, b'b', delta=0), count=2, last_delta=1)
    yield 'a record with a byte behind it', batch(records=record(0, None, b'a') + b'\0')
    yield 'a record without its end', batch(records=record(0, None, b'abc')[:-1])
    yield 'records that are noise', batch(records=b'\xff' * 20)
    yield 'a null value', batch(records=record(0, b'key', None))
    yield 'a header without a value', batch(records=record(0, None, b'v', headers=[(b'h', None)]))
    yield 'a header without a name', batch(records=record(0, None, b'v', headers=[(None, b'x')]))
    yield 'an empty key and value', batch(b'', key=b'')
    yield 'a key', keyed
    yield 'an unknown compression', batch(attributes=7)
    for name, codec in (('gzip', 1), ('snappy', 2), ('lz4', 3), ('zstd', 4)):
        yield f'{name} that is none', batch(attributes=codec)
        yield f'{name} without records', batch(attributes=codec, records=b'', count=0)
    yield 'LogAppendTime', batch(attributes=8)
    yield 'a transaction without a producer', batch(attributes=16)
    yield 'a control batch', batch(attributes=32)
    yield 'a delete horizon', batch(attributes=64)
    yield 'an unknown attribute', batch(attributes=128)
    yield 'a transaction', batch(attributes=16, producer=4000, epoch=0, sequence=0)
    yield 'a producer without an epoch', batch(producer=4001, epoch=-1, sequence=0)
    yield 'a producer without a sequence', batch(producer=4002, epoch=0, sequence=-1)
    yield 'an epoch without a producer', batch(epoch=0, sequence=0)
    yield 'a producer of minus two', batch(producer=-2, epoch=0, sequence=0)
    yield 'a first sequence that is not zero', batch(producer=4003, epoch=0, sequence=5)
    yield 'a sequence with a good start', batch(producer=4004, epoch=3, sequence=0)
    yield 'the time minus one', batch(time=-1, max_time=-1)
    yield 'the time minus two', batch(time=-2, max_time=-2)
    yield 'the time zero', batch(time=0)
    yield 'a time far ahead', batch(time=TIME * 3)
    yield 'a largest time that is not the largest', batch(max_time=TIME + 500)
    yield 'a largest time of minus one', batch(max_time=-1)
    yield 'a record of 900 kB', batch(b'v' * 900_000)
    yield 'a record of 1.1 MB', batch(b'v' * 1_100_000)


def productions():
    new = Fresh('written')
    there = [make(new)]
    yield Family('Produce', produce(new, batch()), prepare=there, skip=('acks',))
    for acks in (0, 1, 2, -2, 32767, -32768):
        if acks:
            yield Case('Produce', f'acks {acks}', produce(new, batch(), acks=acks), prepare=there)
    for words, configs in (('', {}), ('compacted: ', {'cleanup_policy': 'compact'}), ('with the time of the append: ', {'message_timestamp_type': 'LogAppendTime'})):
        for version in (3, LATEST):
            for what, records in odd_batches():
                yield Case('Produce', words + what, produce(new, records), [version], prepare=[make(new, **configs)],
                           then=[Step('Fetch', 12, fetch(new)), Step('ListOffsets', 7, offsets(new, -3))])
    yield Case('Produce', 'a transactional id that nobody began', produce(new, batch(), transactional='nobody'), prepare=there)
    yield Case('Produce', 'a transaction that nobody began', produce(new, batch(attributes=16, producer=4100, epoch=0, sequence=0), transactional='nobody'), prepare=there)
    yield Case('Produce', 'old records', produce(new, batch(time=1000)), prepare=[make(new, message_timestamp_before_max_ms='1000')])
    yield Case('Produce', 'too large for its topic', produce(new, batch(b'v' * 300)), prepare=[make(new, max_message_bytes='200')])
    yield Case('Produce', 'larger than a segment', produce(new, batch(b'v' * 1_030_000)), prepare=[make(new, segment_bytes='1048576', max_message_bytes='2000000')])
    yield Case('Produce', "the group coordinator's topic", produce('__consumer_offsets', batch()))
    partitions = [{'index': n, 'records': batch()} for n in (0, 1, 5, -1)]
    yield Case('Produce', 'good and unknown partitions', {'acks': -1, 'timeout_ms': 5000, 'topic_data': [
        {'name': new, 'topic_id': IdOf(new), 'partition_data': partitions}]}, prepare=[make(new, 2)])
    first = batch(b'a', producer=4200, epoch=1, sequence=0)
    before = [make(new), produced(new, first), produced(new, batch(b'b', producer=4200, epoch=1, sequence=1))]
    for words, records in (('the same batch again', first), ('the next sequence', batch(producer=4200, epoch=1, sequence=2)),
                           ('a gap in the sequence', batch(producer=4200, epoch=1, sequence=4)), ('an older epoch', batch(producer=4200, epoch=0, sequence=2)),
                           ('a newer epoch with sequence 0', batch(producer=4200, epoch=2, sequence=0)),
                           ('a newer epoch with the next sequence', batch(producer=4200, epoch=2, sequence=2)),
                           ('the same sequences in one batch', batch(b'a', b'b', producer=4200, epoch=1, sequence=0)),
                           ('a negative sequence', batch(producer=4200, epoch=1, sequence=-1))):
        yield Case('Produce', words, produce(new, records), prepare=before, then=[Step('DescribeProducers', 0, {
            'topics': [{'name': new, 'partition_indexes': [0, 1, -1]}]})])
    yield Family('InitProducerId', {'transactional_id': None, 'transaction_timeout_ms': 1000, 'producer_id': -1, 'producer_epoch': -1}, versions=[0, 3, 4, 5])
    yield Case('InitProducerId', 'a producer that asks for its next epoch', {'transactional_id': None, 'transaction_timeout_ms': 0, 'producer_id': 4000, 'producer_epoch': 3}, [3, 5])
    yield Family('DescribeProducers', {'topics': [{'name': 'three', 'partition_indexes': [0, 1]}]})


def offsets(topic, timestamp, partition=0, **more):
    return {'replica_id': -1, 'topics': [{'name': topic, 'partitions': [{'partition_index': partition, 'timestamp': timestamp, **more}]}], 'timeout_ms': 1000}


def positions():
    for topic in ('three', 'one', 'trimmed', 'compacted', 'stamped'):
        for isolation in (0, 1) if topic != 'stamped' else ():  # its times are no one's choice
            yield Family('ListOffsets', {'isolation_level': isolation, **offsets(topic, -1)}, versions=[1, 2, 4, 7, 8, 9, 10] if topic == 'trimmed' else [1, 10],
                         words=f'{topic}, isolation {isolation}: ', skip=('isolation_level',))
        for time in (TIME - 1, TIME, TIME + 1, TIME + 4, TIME + 5, TIME + 21, TIME + 1000, 2 ** 63 - 1):
            yield Case('ListOffsets', f'{topic} at {time}', offsets(topic, time))
    for topic in ('three', 'trimmed'):
        for epoch in (-2, -1, 0, 1, 5, 2 ** 31 - 1):
            yield Case('OffsetForLeaderEpoch', f'{topic}, epoch {epoch}', {'replica_id': -1, 'topics': [
                {'topic': topic, 'partitions': [{'partition': 0, 'leader_epoch': epoch}]}]})
    yield Family('OffsetForLeaderEpoch', {'replica_id': -1, 'topics': [{'topic': 'three', 'partitions': [{'partition': 0, 'current_leader_epoch': 0, 'leader_epoch': 0}]}]})
    new = Fresh('cut')
    there = [make(new, 2), produced(new, batch(b'a', b'b', b'c')), produced(new, batch(b'd', b'e'))]

    def cut(words, offset, partition=0, prepare=there, **more):
        return Case('DeleteRecords', words, {'topics': [{'name': new, 'partitions': [{'partition_index': partition, 'offset': offset}]}], 'timeout_ms': 5000, **more},
                    prepare=prepare, then=[Step('ListOffsets', 4, offsets(new, -2)), Step('Fetch', 12, fetch(new, 1))])
    for offset in (-3, -2, -1, 0, 1, 3, 4, 5, 6, 2 ** 63 - 1):
        yield cut(f'to {offset}', offset)
        yield cut(f'to {offset}, of an empty partition', offset, 1)
        yield cut(f'to {offset}, without waiting', offset, timeout_ms=0)
    yield cut('back to 1', 1, prepare=there + [Step('DeleteRecords', 2, {'topics': [{'name': new, 'partitions': [{'partition_index': 0, 'offset': 3}]}], 'timeout_ms': 5000})])
    yield cut('of a compacted topic', 1, prepare=[make(new, cleanup_policy='compact')])
    yield Family('DeleteRecords', {'topics': [{'name': new, 'partitions': [{'partition_index': 0, 'offset': 2}]}], 'timeout_ms': 5000}, prepare=there)
    yield Case('DeleteRecords', "the group coordinator's topic", {'topics': [{'name': '__consumer_offsets', 'partitions': [{'partition_index': 0, 'offset': 0}]}], 'timeout_ms': 5000})


def fetches():
    for topic in ('three', 'trimmed', 'compacted', 'stamped'):
        yield Family('Fetch', fetch(topic, 4, isolation_level=0), versions=[4, 7, 11, 12, 13, 18], words=f'{topic}: ', skip=('session_id', 'session_epoch'))
        for offset in (0, 1, 2, 3, 5, 9, 19, 20, 21, 22, 2 ** 63 - 1):
            for words, more in (('', {}), (' in one byte', {'bytes_max': 1}), (' read committed', {'isolation_level': 1}), (' in no byte', {'bytes_max': 0, 'max_bytes': 0})):
                yield Case('Fetch', f'{topic} from {offset}{words}', fetch(topic, offset, **more))
    for epoch in (0, 1, 7):
        for offset in (0, 4, 20):
            request = fetch('three', offset)
            request['topics'][0]['partitions'][0].update(last_fetched_epoch=epoch)
            yield Case('Fetch', f'offset {offset} after epoch {epoch}', request, [12, 18])
    for session, epoch in ((0, -1), (0, 0), (0, 1), (0, 7), (7, 0), (7, -1), (7, 1), (-1, 0), (-1, 1), (1, -2)):
        yield Case('Fetch', f'session {session}, epoch {epoch}', fetch('three', session_id=session, session_epoch=epoch), [7, 12, 18])
    unknown = {'topic': 'nobody', 'topic_id': bytes(range(16)), 'partitions': [{'partition': 0, 'fetch_offset': 0, 'partition_max_bytes': 100}]}
    known = fetch('three')['topics'][0]
    yield Case('Fetch', 'a known and an unknown topic', fetch('three', topics=[known, unknown]))
    yield Case('Fetch', 'a known and an unknown topic in a session', fetch('three', topics=[known, unknown], session_epoch=0), [7, 12, 18])
    yield Case('Fetch', 'an unknown topic in a session', fetch('three', topics=[unknown], session_epoch=0), [7, 12, 18])
    yield Case('Fetch', 'nothing, in a session', fetch('three', topics=[], session_epoch=0), [7, 12, 18])
    yield Case('Fetch', 'forgets what it never had', fetch('three', session_epoch=0, forgotten_topics_data=[
        {'topic': 'one', 'topic_id': IdOf('one'), 'partitions': [0, 5]}]), [7, 12, 18])
    both = [{'topic': 'three', 'topic_id': IdOf('three'), 'partitions': [{'partition': n, 'fetch_offset': 0, 'partition_max_bytes': 1 << 20} for n in (2, 0, 1)]}]
    yield Case('Fetch', 'three partitions in less than they hold', fetch('three', topics=both, max_bytes=100))


def session_tale():
    """A session from its beginning to its end: each request goes on from the answer before it."""
    def go_on(end, answer):
        """Nothing to keep; but each step needs the one before it."""
    for version in (7, 12, 18):
        topics = fetch('three')['topics']
        topics[0]['partitions'] = [{'partition': n, 'fetch_offset': 20 if n == 0 else 0, 'partition_max_bytes': 1 << 20} for n in range(3)]

        def step(words, epoch, changed=(), **more):
            return Case('Fetch', f'session: {words}', fetch('three', topics=list(changed), session_id=Saved('session'), session_epoch=epoch, **more), [version], save=go_on)
        yield Case('Fetch', 'session: begins', fetch('three', topics=topics, session_id=0, session_epoch=0), [version],
                   save=lambda end, answer: end.saved.update(session=answer['session_id']))
        yield step('nothing new', 1)
        yield step('the same epoch again', 1)
        yield step('an epoch too far', 9)
        yield step('a partition moves back', 2, [{**topics[0], 'partitions': [{'partition': 0, 'fetch_offset': 0, 'partition_max_bytes': 1 << 20}]}])
        yield step('it is read again', 3)
        forgotten = [{'topic': 'three', 'topic_id': IdOf('three'), 'partitions': [0]}]
        yield step('a partition is forgotten', 4, forgotten_topics_data=forgotten)
        yield step('what is left', 5)
        yield step('an unknown partition comes in', 6, [{**topics[0], 'partitions': [{'partition': 8, 'fetch_offset': 0, 'partition_max_bytes': 100}]}])
        yield step('it is still unknown', 7)
        yield step('it ends', -1)
        yield step('after its end', 8)
