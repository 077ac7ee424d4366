"""Topics: made, deleted, grown, described, configured."""
from .case import Case, Family, Step
from .ends import Fresh, IdOf

TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3


def make(name, partitions=1, **configs):
    """A step: a topic with these configs (_ for .) ."""
    return Step('CreateTopics', 7, {'topics': [new_topic(name, partitions, **configs)], 'timeout_ms': 10000})


def new_topic(name, partitions=1, factor=1, assignments=(), **configs):
    return {'name': name, 'num_partitions': partitions, 'replication_factor': factor, 'assignments': list(assignments),
            'configs': [{'name': k.replace('_', '.'), 'value': v} for k, v in configs.items()]}


def parts_of(name):
    """A step: what a topic looks like."""
    return Step('Metadata', 12, {'topics': [{'name': name}], 'allow_auto_topic_creation': False})


def creation(words, *topics, **more):
    return Case('CreateTopics', words, {'topics': list(topics), 'timeout_ms': 10000, **more}, then=[parts_of(Fresh('made'))])


def assigned(*partitions):
    return [{'partition_index': n, 'broker_ids': list(brokers)} for n, brokers in partitions]


def creations():
    new = Fresh('made')
    yield Family('CreateTopics', {'topics': [new_topic(new, 2, retention_ms='86400000')], 'timeout_ms': 10000})
    yield creation('a topic that is there', new_topic('three'))
    yield creation('a topic that is there, only to check it', new_topic('three'), validate_only=True)
    yield creation('only to check it', new_topic(new, 3), validate_only=True)
    yield creation('more partitions than one request may make', new_topic(new, 6000), new_topic(new + 'other', 6000), validate_only=True)
    yield creation('two names that collide in metrics', new_topic(new + '.a'), new_topic(new + '_a'))
    yield creation('a topic of the group coordinator', new_topic('__consumer_offsets'))
    yield creation('a good one beside a wrong one', new_topic(new), new_topic('a/b'))
    yield creation('the same name twice beside another', new_topic(new), new_topic(new), new_topic(new + 'other'))
    yield creation('two replicas', new_topic(new, 1, 2))
    yield creation('both defaults', new_topic(new, -1, -1))
    yield creation('an assignment', new_topic(new, -1, -1, assigned((0, [1]), (1, [1]))))
    yield creation('an assignment and a count', new_topic(new, 2, -1, assigned((0, [1]), (1, [1]))))
    yield creation('an assignment and a factor', new_topic(new, -1, 1, assigned((0, [1]))))
    yield creation('an assignment with a gap', new_topic(new, -1, -1, assigned((0, [1]), (2, [1]))))
    yield creation('an assignment that names a partition twice', new_topic(new, -1, -1, assigned((0, [1]), (0, [1]))))
    yield creation('an assignment to a broker that is not there', new_topic(new, -1, -1, assigned((0, [7]))))
    yield creation('an assignment to one broker twice', new_topic(new, -1, -1, assigned((0, [1, 1]))))
    yield creation('an assignment to nobody', new_topic(new, -1, -1, assigned((0, []))))
    yield creation('an assignment of a negative partition', new_topic(new, -1, -1, assigned((-1, [1]))))
    for words, configs in (('an unknown config', {'retention_ns': '1'}), ('a value that is no number', {'retention_ms': 'long'}),
                           ('an empty value', {'retention_ms': ''}), ('an empty policy', {'cleanup_policy': ''}),
                           ('a value out of range', {'retention_ms': '-2'}), ('a value with spaces', {'retention_ms': ' 1000 '}),
                           ('an unknown choice', {'cleanup_policy': 'shrink'}), ('two policies', {'cleanup_policy': 'compact, delete'}),
                           ('a policy twice', {'cleanup_policy': 'delete,delete'}), ('upper case', {'cleanup_policy': 'DELETE'}),
                           ('a null value', {'retention_ms': None}), ('a boolean in upper case', {'preallocate': 'FALSE'}),
                           ('a boolean that is none', {'preallocate': 'no'}), ('a number with a plus', {'retention_ms': '+5'}),
                           ('a number in hexadecimal', {'retention_ms': '0x10'}), ('a fraction', {'min_cleanable_dirty_ratio': '.5'}),
                           ('an exponent', {'min_cleanable_dirty_ratio': '5e-1'}), ('a ratio above one', {'min_cleanable_dirty_ratio': '1.5'}),
                           ('an empty config name', {'': '1'}), ('max.message.bytes of minus one', {'max_message_bytes': '-1'}),
                           ('segment.bytes of one', {'segment_bytes': '1'}), ('min.insync.replicas of zero', {'min_insync_replicas': '0'}),
                           ('a number above 32 bits', {'segment_bytes': '4294967296'}),
                           ('a compaction lag above its limit', {'min_compaction_lag_ms': '10', 'max_compaction_lag_ms': '5'}),
                           ('file.delete.delay.ms of one', {'file_delete_delay_ms': '1'}), ('no-op values', NO_OP)):
        yield creation(words, new_topic(new, **configs))
        yield creation(words + ', only to check it', new_topic(new, **configs), validate_only=True)
    twice = new_topic(new, retention_ms='1')
    twice['configs'] = twice['configs'] + [{'name': 'retention.ms', 'value': '2'}]
    yield creation('a config twice', twice)


NO_OP = {'preallocate': 'false', 'unclean_leader_election_enable': 'false', 'flush_messages': '9223372036854775807',
         'flush_ms': '9223372036854775807', 'segment_jitter_ms': '0', 'max_compaction_lag_ms': '9223372036854775807',
         'file_delete_delay_ms': '60000', 'compression_type': 'producer', 'min_insync_replicas': '1', 'index_interval_bytes': '4096',
         'leader_replication_throttled_replicas': '', 'remote_storage_enable': 'false', 'message_timestamp_type': 'CreateTime'}


def deletions():
    new = Fresh('doomed')
    there = [make(new, 2)]
    yield Family('DeleteTopics', {'topics': [{'name': new}], 'topic_names': [new], 'timeout_ms': 10000}, prepare=there, then=[parts_of(new)])
    for words, topics in (('by id', [{'name': None, 'topic_id': IdOf(new)}]), ('by name and id', [{'name': new, 'topic_id': IdOf(new)}]),
                          ('by neither', [{'name': None}]), ('by name, and again by id', [{'name': new}, {'name': None, 'topic_id': IdOf(new)}]),
                          ('by id twice', [{'name': None, 'topic_id': IdOf(new)}] * 2),
                          ('by an unknown id twice', [{'name': None, 'topic_id': bytes(range(16))}] * 2)):
        yield Case('DeleteTopics', words, {'topics': topics, 'timeout_ms': 10000}, [6], prepare=there, then=[parts_of(new)])
    yield Case('DeleteTopics', 'a topic, then the same again', {'topic_names': [new, 'nobody', new], 'timeout_ms': 10000}, [1, 5], prepare=there, then=[parts_of(new)])


def growth():
    new = Fresh('grown')
    there = [make(new, 2)]

    def grow(words, count, assignments=None, **more):
        return Case('CreatePartitions', words, {'topics': [{'name': new, 'count': count, 'assignments': assignments}], 'timeout_ms': 10000, **more},
                    prepare=there, then=[parts_of(new)])
    yield Family('CreatePartitions', {'topics': [{'name': new, 'count': 3, 'assignments': None}], 'timeout_ms': 10000}, prepare=there, then=[parts_of(new)])
    one = {'broker_ids': [1]}
    for words, assignments in (('an assignment', [one]), ('too few assignments', []), ('too many assignments', [one, one]),
                               ('an assignment to nobody', [{'broker_ids': []}]), ('an assignment to an unknown broker', [{'broker_ids': [9]}]),
                               ('an assignment to one broker twice', [{'broker_ids': [1, 1]}])):
        yield grow(words, 3, assignments)
    yield grow('an assignment and fewer partitions', 1, [one])
    yield grow('only to check it', 5, validate_only=True)
    yield Case('CreatePartitions', "the group coordinator's topic", {'topics': [{'name': '__consumer_offsets', 'count': 60, 'assignments': None}],
                                                                   'timeout_ms': 10000, 'validate_only': True})
    yield Case('CreatePartitions', 'a topic twice with other counts', {'topics': [
        {'name': new, 'count': 3, 'assignments': None}, {'name': new, 'count': 4, 'assignments': None}], 'timeout_ms': 10000}, prepare=there, then=[parts_of(new)])


def questions():
    yield Family('Metadata', {'topics': [{'name': 'three'}], 'allow_auto_topic_creation': False, 'include_cluster_authorized_operations': True,
                              'include_topic_authorized_operations': True}, versions=[0, 1, 4, 8, 9, 11, 13], skip=('allow_auto_topic_creation',))
    for words, topics in (('by id', [{'name': None, 'topic_id': IdOf('three')}]), ('by id and name', [{'name': 'three', 'topic_id': IdOf('three')}]),
                          ('by id and a wrong name', [{'name': 'one', 'topic_id': IdOf('three')}]),
                          ('by an unknown id', [{'name': None, 'topic_id': bytes(range(16))}]), ('by neither', [{'name': None}]),
                          ('by id and by name', [{'name': None, 'topic_id': IdOf('three')}, {'name': 'one'}]),
                          ('by an unknown id, and a name', [{'name': None, 'topic_id': bytes(range(16))}, {'name': 'one'}]),
                          ('by an id twice', [{'name': None, 'topic_id': IdOf('three')}] * 2)):
        yield Case('Metadata', words, {'topics': topics, 'allow_auto_topic_creation': False}, [10, 12, 13])
    yield Case('Metadata', 'illegal names that may be made', {'topics': [{'name': 'a/b'}, {'name': ''}, {'name': 'x' * 250}, {'name': '..'}]}, [4, 9, 13])
    yield Family('DescribeTopicPartitions', {'topics': [{'name': 'three'}], 'response_partition_limit': 2000, 'cursor': None})
    for words, cursor in (('from a partition', ('three', 1)), ('from beyond the last partition', ('three', 9)), ('from a negative partition', ('three', -1)),
                          ('from a topic that is not asked for', ('two', 0)), ('from a topic behind all', ('zzz', 0)), ('from before all', ('a', 0)),
                          ('from an empty topic', ('', 0))):
        yield Case('DescribeTopicPartitions', words, {'topics': [{'name': 'three'}, {'name': 'one'}],
                                                      'cursor': {'topic_name': cursor[0], 'partition_index': cursor[1]}})
    for limit in (1, 2, 3, 4):
        yield Case('DescribeTopicPartitions', f'pages of {limit}', {'topics': [{'name': n} for n in ('three', 'one', 'nobody')],
                                                                   'response_partition_limit': limit})
    yield Family('DescribeCluster', {'include_cluster_authorized_operations': True, 'endpoint_type': 1, 'include_fenced_brokers': False})
    yield Family('ApiVersions', {'client_software_name': 'side-by-side', 'client_software_version': '1.0'}, versions=[0, 1, 3, 4])
