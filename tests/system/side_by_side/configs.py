"""DescribeConfigs, IncrementalAlterConfigs, AlterConfigs, DescribeLogDirs."""
from .case import Case, Family, Step
from .ends import Fresh
from .topics import APPEND, BROKER, DELETE, GROUP, LOGGER, METRICS, NO_OP, SET, SUBTRACT, TOPIC, make

NAMES = ('cleanup.policy', 'retention.ms', 'retention.bytes', 'segment.bytes', 'segment.ms', 'max.message.bytes', 'min.insync.replicas',
         'compression.type', 'message.timestamp.type', 'min.cleanable.dirty.ratio', 'delete.retention.ms', 'index.interval.bytes',
         'unclean.leader.election.enable', 'file.delete.delay.ms', 'flush.ms', 'message.timestamp.after.max.ms')


def described(words, type_, name, keys=None, **more):
    return Case('DescribeConfigs', words, {'resources': [{'resource_type': type_, 'resource_name': name, 'configuration_keys': keys}], **more})


def descriptions():
    yield Family('DescribeConfigs', {'resources': [{'resource_type': TOPIC, 'resource_name': 'compacted', 'configuration_keys': ['retention.ms', 'cleanup.policy']}],
                                     'include_synonyms': False}, skip=('include_documentation',))
    yield described('all of a topic', TOPIC, 'three')
    yield described('all of a topic with overrides', TOPIC, 'compacted')
    yield described('with synonyms', TOPIC, 'compacted', list(NAMES), include_synonyms=True)
    yield described('with documentation', TOPIC, 'compacted', ['no such key'], include_documentation=True)
    for name in ('1', '', '0', '7', 'one', '-1', '01'):
        yield described(f'a broker named {name!r}', BROKER, name, ['log.retention.hours', 'nobody'])
    for type_ in (0, 1, 3, LOGGER, METRICS, GROUP, 64):
        for name in ('', '1', 'nobody'):
            yield described(f'type {type_} named {name!r}', type_, name, ['nobody'])
    yield Case('DescribeConfigs', 'a topic and a broker', {'resources': [
        {'resource_type': TOPIC, 'resource_name': 'one', 'configuration_keys': ['retention.ms']},
        {'resource_type': BROKER, 'resource_name': '1', 'configuration_keys': ['log.retention.hours']}]})
    yield Case('DescribeConfigs', 'a topic twice with other keys', {'resources': [
        {'resource_type': TOPIC, 'resource_name': 'one', 'configuration_keys': [key]} for key in ('retention.ms', 'flush.ms')]})


DESCRIBED = Step('DescribeConfigs', 4, {'resources': [{'resource_type': TOPIC, 'resource_name': Fresh('configured'), 'configuration_keys': list(NAMES)}]})


def changed(words, *changes, name=Fresh('configured'), type_=TOPIC, **more):
    configs = [{'name': key, 'config_operation': operation, 'value': value} for key, operation, value in changes]
    there = [make(Fresh('configured'), cleanup_policy='compact', retention_ms='1000')]
    return Case('IncrementalAlterConfigs', words, {'resources': [{'resource_type': type_, 'resource_name': name, 'configs': configs}], **more},
                prepare=there, then=[DESCRIBED])


def changes():
    new = Fresh('configured')
    there = [make(new, cleanup_policy='compact', retention_ms='1000')]
    yield Family('IncrementalAlterConfigs', {'resources': [{'resource_type': TOPIC, 'resource_name': new, 'configs': [
        {'name': 'retention.ms', 'config_operation': SET, 'value': '5000'}]}]}, prepare=there, then=[DESCRIBED])
    for key, value in (('retention.ms', 'x'), ('retention.ms', ''), ('retention.ms', None), ('retention.ms', '-2'), ('retention.ms', ' 7 '),
                       ('nobody', '1'), ('', '1'), ('cleanup.policy', ''), ('cleanup.policy', 'delete,compact'), ('cleanup.policy', 'delete, compact'),
                       ('cleanup.policy', 'shrink'), ('min.cleanable.dirty.ratio', 'much'), ('message.timestamp.type', 'logappendtime'),
                       ('max.message.bytes', '12.5'), ('compression.type', 'PRODUCER'), ('segment.bytes', '13'), ('segment.bytes', '1048576')):
        yield changed(f'{key!r} is set to {value!r}', (key, SET, value))
        yield changed(f'{key!r} is set to {value!r}, only to check it', (key, SET, value), validate_only=True)
    for key in ('retention.ms', 'segment.ms', 'nobody', '', 'cleanup.policy', 'preallocate', 'remote.storage.enable', 'flush.ms'):
        yield changed(f'{key!r} is deleted', (key, DELETE, None))
        yield changed(f'{key!r} is deleted with a value', (key, DELETE, '1'))
        yield changed(f'{key!r} is deleted, only to check it', (key, DELETE, None), validate_only=True)
    for key, value in (('cleanup.policy', 'delete'), ('cleanup.policy', 'compact'), ('cleanup.policy', ''), ('cleanup.policy', None),
                       ('cleanup.policy', 'shrink'), ('retention.ms', '1'), ('nobody', '1'), ('leader.replication.throttled.replicas', '0:1')):
        yield changed(f'{value!r} is appended to {key!r}', (key, APPEND, value))
        yield changed(f'{value!r} is subtracted from {key!r}', (key, SUBTRACT, value))
    yield changed('a key twice', ('retention.ms', SET, '1'), ('retention.ms', SET, '2'))
    yield changed('a key set and deleted', ('retention.ms', SET, '1'), ('retention.ms', DELETE, None))
    yield changed('a good key and an unknown one', ('retention.ms', SET, '1'), ('nobody', SET, '2'))
    yield changed('an unknown operation', ('retention.ms', 9, '1'))
    yield changed('a topic that is not there', ('retention.ms', SET, '1'), name='nobody')
    yield changed('a topic with an illegal name', ('retention.ms', SET, '1'), name='a/b')
    yield changed("the group coordinator's topic", ('retention.ms', SET, '1'), name='__consumer_offsets', validate_only=True)
    for words, type_, name in (('a broker', BROKER, '1'), ('all brokers', BROKER, ''), ('an unknown broker', BROKER, '9'), ('a broker of no number', BROKER, 'x'),
                               ('a group', GROUP, 'g'), ('an unknown type', 64, 'x'), ('type zero', 0, 'x'), ('a logger', LOGGER, '1')):
        yield changed(words + ': an unknown key', ('nobody', SET, '1'), type_=type_, name=name, validate_only=True)
    for key, value in NO_OP.items():
        yield changed(f'no-op {key}', (key.replace('_', '.'), SET, value))
    yield Case('IncrementalAlterConfigs', 'a topic twice', {'resources': [{'resource_type': TOPIC, 'resource_name': new, 'configs': [
        {'name': key, 'config_operation': SET, 'value': '9000'}]} for key in ('retention.ms', 'segment.ms')]}, prepare=there)


def replaced(words, *configs, name=Fresh('configured'), type_=TOPIC, **more):
    """AlterConfigs: all of a topic's configs at once."""
    wanted = [{'name': key, 'value': value} for key, value in configs]
    there = [make(Fresh('configured'), cleanup_policy='compact', retention_ms='1000')]
    return Case('AlterConfigs', words, {'resources': [{'resource_type': type_, 'resource_name': name, 'configs': wanted}], **more},
                prepare=there, then=[DESCRIBED])


def replacements():
    new = Fresh('configured')
    there = [make(new, cleanup_policy='compact', retention_ms='1000')]
    yield Family('AlterConfigs', {'resources': [{'resource_type': TOPIC, 'resource_name': new, 'configs': [{'name': 'retention.ms', 'value': '5000'}]}]},
                 prepare=there, then=[DESCRIBED])
    yield replaced('none: all are deleted')
    yield replaced('a null value', ('retention.ms', None))
    yield replaced('an unknown config', ('nobody', '1'))
    yield replaced('a wrong value', ('retention.ms', 'long'))
    yield replaced('a config twice', ('retention.ms', '1'), ('retention.ms', '2'))
    yield replaced('two configs', ('retention.ms', '77'), ('segment.bytes', '1048576'))
    yield replaced('a topic that is not there', ('retention.ms', '1'), name='nobody')
    yield replaced('a topic with an illegal name', ('retention.ms', '1'), name='a/b')
    for type_, name in ((0, 'x'), (64, 'x'), (BROKER, '9'), (BROKER, 'x')):
        yield replaced(f'type {type_} named {name!r}', ('nobody', '1'), type_=type_, name=name, validate_only=True)
    yield Case('AlterConfigs', 'a topic twice', {'resources': [{'resource_type': TOPIC, 'resource_name': new, 'configs': [
        {'name': key, 'value': '9000'}]} for key in ('retention.ms', 'segment.ms')]}, prepare=there)


def directories():
    one = {'topic': 'three', 'partitions': [0, 1]}
    yield Family('DescribeLogDirs', {'topics': [one]}, skip=('topics',))
    yield Case('DescribeLogDirs', 'no topic', {'topics': []})
    yield Case('DescribeLogDirs', 'an unknown topic', {'topics': [{'topic': 'nobody', 'partitions': [0]}]})
    yield Case('DescribeLogDirs', 'an unknown partition', {'topics': [{'topic': 'three', 'partitions': [7, -1]}]})
