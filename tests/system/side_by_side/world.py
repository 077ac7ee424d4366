"""What both ends hold before the first case: topics with and without records."""
import time

from .batches import TIME, batch
from .case import Step
from .records import produced
from .topics import make

FOREVER = {'retention_ms': '-1'}  # the records are old


def steps():
    yield make('one', 1, **FOREVER)
    yield make('three', 3, **FOREVER)
    yield make('trimmed', 1, **FOREVER)
    yield make('compacted', 1, cleanup_policy='compact', min_cleanable_dirty_ratio='1', segment_bytes='10485760')
    yield make('stamped', 1, message_timestamp_type='LogAppendTime', **FOREVER)
    for topic, key in (('three', None), ('trimmed', None), ('compacted', b'k'), ('stamped', None)):
        for n in range(10):  # ten batches of two records
            yield produced(topic, batch(b'a%d' % n, b'b%d' % n, key=key, time=TIME + 2 * n))
    for n in range(2):
        yield produced('three', batch(b'x', producer=3000, epoch=2, sequence=n), partition=1)
    yield Step('DeleteRecords', 2, {'topics': [{'name': 'trimmed', 'partitions': [{'partition_index': 0, 'offset': 5}]}], 'timeout_ms': 5000})
    yield Step('FindCoordinator', 3, {'key': 'any', 'key_type': 0})
    yield Step('InitProducerId', 4, {'transactional_id': None, 'transaction_timeout_ms': 1000})


def codes(value):
    if isinstance(value, dict):
        return [v for k, v in value.items() if k == 'error_code'] + [c for v in value.values() for c in codes(v)]
    return [c for v in value for c in codes(v)] if isinstance(value, list) else []


def prepare(end):
    """Only once: a cluster that was prepared before is taken as it is."""
    end.learn_topics()
    if 'stamped' in end.topic_names.values():
        return
    for step in steps():
        for _ in range(100):  # Apache Kafka makes topics a moment after it has said so
            answer = end.ask(step.api, step.version, step.request)
            if isinstance(answer, dict) and not any(codes(answer)):
                break
            time.sleep(0.1)
        else:
            raise SystemExit(f'{end.name}: {step.api} {step.request}: {answer}')
    end.learn_topics()
    # The coordinator's partitions are loaded one after another.
    for n in range(100):
        if not end.ask('ListGroups', 4, {})['error_code']:
            break
        time.sleep(0.1)
