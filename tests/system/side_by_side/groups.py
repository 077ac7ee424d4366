"""Groups: members, generations, committed offsets."""
import struct

from .case import Case, Family, Step
from .ends import Fresh, Saved

G, NEW = Fresh('group'), Fresh('group')
SUBSCRIPTION = struct.pack('>hih', 0, 1, 5) + b'three' + struct.pack('>i', -1)
ASSIGNMENT = struct.pack('>hih', 0, 1, 5) + b'three' + struct.pack('>iii', 1, 0, -1)
PROTOCOLS = [{'name': 'range', 'metadata': SUBSCRIPTION}, {'name': 'sticky', 'metadata': SUBSCRIPTION}]


def know(key):
    """What an end calls its member or the id that it hands out."""
    def save(end, answer):
        if isinstance(answer, dict) and answer['member_id']:
            end.saved[key] = answer['member_id']
            end.private[answer['member_id']] = key
    return save


def joined(group=G, member='', key='member', version=3, **more):
    """A step: a member joins (version 3: without a member id at first) ."""
    return Step('JoinGroup', version, join(group, member, **more), know(key))


def join(group=G, member='', **more):
    return {'group_id': group, 'session_timeout_ms': 30000, 'rebalance_timeout_ms': 10000, 'member_id': member, 'protocol_type': 'consumer',
            'protocols': PROTOCOLS, **more}


def sync(group=G, member=Saved('member'), generation=1, **more):
    return {'group_id': group, 'generation_id': generation, 'member_id': member, 'protocol_type': 'consumer', 'protocol_name': 'range',
            'assignments': [{'member_id': member, 'assignment': ASSIGNMENT}], **more}


def commit(group=G, member='', generation=-1, topic='three', partition=0, offset=5, metadata='m', **more):
    return {'group_id': group, 'generation_id_or_member_epoch': generation, 'member_id': member, 'topics': [
        {'name': topic, 'partitions': [{'partition_index': partition, 'committed_offset': offset, 'committed_metadata': metadata}]}], **more}


LIVE = [joined(), Step('SyncGroup', 3, sync())]
FORMING = [joined()]
STATIC = [joined(version=5, group_instance_id='static'), Step('SyncGroup', 3, sync(group_instance_id='static'))]
COMMITTED = [Step('OffsetCommit', 8, commit()), Step('OffsetCommit', 8, commit(partition=2, offset=7))]
LEFT = LIVE + [Step('OffsetCommit', 8, commit(member=Saved('member'), generation=1)),
               Step('LeaveGroup', 3, {'group_id': G, 'members': [{'member_id': Saved('member')}]})]
STATES = {'none': [], 'with commits only': COMMITTED, 'that is stable': LIVE, 'whose leader has not synced': FORMING, 'with a static member': STATIC,
          'that all have left': LEFT}
SEEN = Step('DescribeGroups', 5, {'groups': [G]})


def joins(where, steps, others):
    """Group names that other cases use too are asked for only where the answer is an id, and nobody has joined yet."""
    if not others:
        yield Family('JoinGroup', join(), prepare=steps, versions=[0, 3], words=where, skip=('group_id',))
        yield Family('JoinGroup', join(), prepare=steps, versions=[5, 9], words=where)
        return
    # The others do not come back: the answer takes as long as their time to join again (version 0: their session).
    quick = {'rebalance_timeout_ms': 300}
    steps = [joined(version=5, group_instance_id='static', **quick), *steps[1:]]
    yield Family('JoinGroup', join(**quick), prepare=steps, versions=[3, 5, 9], words=where, skip=('group_id',))


def members():
    for state, steps in STATES.items():
        where = f'a group {state}: '
        if state in ('none', 'with a static member', 'that all have left'):
            yield from joins(where, steps, state == 'with a static member')
        yield Family('SyncGroup', sync() if steps and state != 'with commits only' else sync(member='x'), prepare=steps, words=where)
        member = Saved('member') if steps and state != 'with commits only' else 'x'
        yield Family('Heartbeat', {'group_id': G, 'generation_id': 1, 'member_id': member}, prepare=steps, words=where)
        yield Family('LeaveGroup', {'group_id': G, 'member_id': member, 'members': [{'member_id': member}]}, prepare=steps, words=where, then=[SEEN])
        # Whether Apache Kafka shows a group before it has stored its first generation is a matter of moments.
        for version in (0, 3, 5) if steps is not FORMING else ():
            yield Case('DescribeGroups', where + 'described', {'groups': [G], 'include_authorized_operations': True}, [version, 6], prepare=steps)
        yield Case('DeleteGroups', where + 'deleted', {'groups_names': [G]}, prepare=steps, then=[SEEN, Step('OffsetFetch', 7, {'group_id': G, 'topics': None})])
    for generation in (0, 2, -1, -2):
        yield Case('SyncGroup', f'generation {generation}', sync(generation=generation), prepare=LIVE)
        yield Case('Heartbeat', f'generation {generation}', {'group_id': G, 'generation_id': generation, 'member_id': Saved('member')}, prepare=LIVE)
    for words, request in (('with an id that was handed out', join(member=Saved('member'))), ('with an unknown member id', join(member='x')),
                           ('with another protocol type', join(member=Saved('member'), protocol_type='connect')),
                           ('as a static member with an id', join(member=Saved('member'), group_instance_id='other'))):
        yield Case('JoinGroup', words, request, [4, 5, 9], prepare=[joined(version=5)])
    yield Case('JoinGroup', 'a member of a stable group joins again', join(member=Saved('member')), [2, 5, 9], prepare=LIVE)
    yield Case('JoinGroup', 'the leader joins with other protocols', join(member=Saved('member'), protocols=PROTOCOLS[1:]), [2, 5, 9], prepare=LIVE)
    yield Case('JoinGroup', 'a static member comes back', join(group_instance_id='static'), [5, 7, 9], prepare=STATIC, then=[SEEN])
    yield Case('JoinGroup', 'a static member with a wrong id', join(member='x', group_instance_id='static'), [5, 9], prepare=STATIC)
    yield Case('JoinGroup', 'other protocols than the members have', join(protocols=[{'name': 'other', 'metadata': b''}]), [2, 5, 9], prepare=LIVE)
    for time in (-1, 0, 1, 5999, 6000, 1800000, 1800001, 2 ** 31 - 1):
        yield Case('JoinGroup', f'a session of {time} ms', join(session_timeout_ms=time), [0, 3])
    for words, protocols in (('no protocols', []), ('a protocol twice', PROTOCOLS[:1] * 2), ('a protocol without a name', [{'name': '', 'metadata': b''}])):
        yield Case('JoinGroup', words, join(protocols=protocols), [0, 3, 9])
    yield Case('JoinGroup', 'a new member id for a longest client id', join(member='x' * 300), [5, 9])
    for version in (3, 5):
        for words, people in (('nobody', []), ('an unknown member', [{'member_id': 'x'}]), ('an unknown static member', [{'member_id': '', 'group_instance_id': 'x'}]),
                              ('a member twice', [{'member_id': Saved('member')}] * 2), ('the member by its static name', [{'member_id': '', 'group_instance_id': 'static'}]),
                              ('a static member with a wrong id', [{'member_id': 'x', 'group_instance_id': 'static'}]), ('an empty identity', [{'member_id': ''}]),
                              ('a known and an unknown member', [{'member_id': Saved('member')}, {'member_id': 'x'}])):
            yield Case('LeaveGroup', words, {'group_id': G, 'members': people}, [version], prepare=STATIC, then=[SEEN])
    for words, more in (('an assignment for an unknown member', {'assignments': [{'member_id': 'x', 'assignment': b'1'}]}), ('no assignment', {'assignments': []}),
                        ('another protocol', {'protocol_name': 'sticky'}), ('another protocol type', {'protocol_type': 'connect'}),
                        ('no protocol', {'protocol_name': None}), ('no protocol type', {'protocol_type': None})):
        yield Case('SyncGroup', words, sync(**more), [0, 5], prepare=FORMING)


def commits():
    for state, steps in STATES.items():
        where = f'a group {state}: '
        yield Family('OffsetCommit', {**commit(), 'retention_time_ms': -1}, prepare=steps, words=where, versions=[2, 5, 9],
                     then=[Step('OffsetFetch', 5, {'group_id': G, 'topics': None})])
        if state in ('none', 'with commits only'):
            yield Case('OffsetCommit', where + 'a member that nobody knows', commit(member='x', generation=1), [2, 6, 8, 9], prepare=steps)
            yield Case('OffsetCommit', where + 'a generation without a member', commit(generation=3), [2, 6, 8, 9], prepare=steps)
            yield Case('OffsetCommit', where + 'a member without a generation', commit(member='x'), [2, 6, 8, 9], prepare=steps)
        else:
            for generation in (-1, 0, 1, 2):
                yield Case('OffsetCommit', f'{where}generation {generation}', commit(member=Saved('member'), generation=generation), [2, 9], prepare=steps)
        one = {'group_id': G, 'topics': [{'name': 'three', 'partition_indexes': [0, 1, 2, 7, -1]}], 'member_id': None, 'member_epoch': -1}
        yield Family('OffsetFetch', {**one, 'groups': [one], 'require_stable': True}, prepare=steps, words=where, versions=[1, 2, 5, 7, 8, 9])
        yield Family('OffsetDelete', {'group_id': G, 'topics': [{'name': 'three', 'partitions': [{'partition_index': 0}]}]}, prepare=steps, words=where,
                     then=[Step('OffsetFetch', 7, {'group_id': G, 'topics': None})])
    for words, more in (('metadata of 4096 bytes', {'metadata': 'm' * 4096}), ('metadata of 4097 bytes', {'metadata': 'm' * 4097}), ('null metadata', {'metadata': None}),
                        ('a negative offset', {'offset': -1}), ('an offset of minus two', {'offset': -2}), ('the largest offset', {'offset': 2 ** 63 - 1}),
                        ('an unknown topic', {'topic': 'nobody'}), ('an illegal topic', {'topic': 'a/b'}), ('no topic', {'topics': []})):
        yield Case('OffsetCommit', words, commit(**more), [2, 6, 9], then=[Step('OffsetFetch', 5, {'group_id': G, 'topics': None})])
    yield Case('OffsetFetch', 'two groups, and one again', {'groups': [{'group_id': g, 'topics': None} for g in (G, 'nobody', G)]}, [8, 9], prepare=COMMITTED)
    yield Case('OffsetFetch', 'no group', {'groups': []}, [8, 9])
    for epoch in (-2, 0, 1):
        for member in (None, '', 'x'):
            yield Case('OffsetFetch', f'member {member!r} of epoch {epoch}', {'groups': [{'group_id': G, 'member_id': member, 'member_epoch': epoch, 'topics': None}]},
                       [9], prepare=COMMITTED)


def lookups():
    for type_ in (-1, 0, 1, 2, 3, 127):
        for words, keys in (('a name', ['some-name']), ('an empty name', ['']), ('two names', ['a', 'b']), ('a name twice', ['a', 'a']), ('no name', []),
                            ('a long name', ['n' * 300]), ('a share key', ['g:AAAAAAAAAAAAAAAAAAAAAQ:0']), ('a share key of a wrong id', ['g:x:y'])):
            yield Case('FindCoordinator', f'type {type_}: {words}', {'key': keys[0] if keys else '', 'key_type': type_, 'coordinator_keys': keys}, [0, 1, 3, 4, 6])
    yield Family('FindCoordinator', {'key': 'g', 'key_type': 0, 'coordinator_keys': ['g']})
    yield Family('DescribeGroups', {'groups': ['nobody'], 'include_authorized_operations': False}, versions=[0, 5, 6])
    yield Family('DeleteGroups', {'groups_names': ['nobody']})
    yield Case('DeleteGroups', 'a group, then the same again', {'groups_names': [G, G]}, prepare=COMMITTED)
    yield Case('DescribeGroups', 'a group twice beside an unknown one', {'groups': [G, 'nobody', G]}, [0, 6], prepare=LIVE)
    for state in ('Stable', 'stable', 'STABLE', 'Empty', 'Dead', 'PreparingRebalance', 'CompletingRebalance', 'Assigning', 'nobody', '', ' Stable '):
        yield Case('ListGroups', f'state {state!r}', {'states_filter': [state]}, [4, 5])
    for type_ in ('classic', 'Classic', 'CLASSIC', 'consumer', 'share', 'streams', 'nobody', '', 'unknown'):
        yield Case('ListGroups', f'type {type_!r}', {'types_filter': [type_]}, [5])
        yield Case('ListGroups', f'type {type_!r} and a state', {'types_filter': [type_, 'classic'], 'states_filter': ['Stable', 'nobody']}, [5])
    for version in range(6):
        yield Case('ListGroups', 'all', {}, [version])
