"""Differences that stay, each with its reason. A row that no difference matches any more is stale, and fails the test.

broker/UNSUPPORTED.md says the same to users.
"""
import re


class Accepted:
    """`api`: a pattern of 'Name version'; `words`, `path`: patterns of the case and of the field; `kafka`, `ours`: of the
    values, as Python writes them."""

    def __init__(self, api, words, path, reason, kafka='', ours=''):
        self.api, self.words, self.path, self.reason, self.used = api, words, path, reason, False
        self.kafka, self.ours = kafka, ours

    def matches(self, difference):
        return re.fullmatch(self.api, f'{difference.api} {difference.version}') and re.search(self.words, difference.words) \
            and re.search(self.path, difference.path) and re.search(self.kafka, repr(difference.kafka)) \
            and re.search(self.ours, repr(difference.ours))

    def __str__(self):
        return f'{self.api} | {self.words} | {self.path} | {self.reason}'


NO_TRANSACTIONS = 'there is no transaction coordinator; clients take the code as final'
ONCE = 'a question that is asked twice is answered once, so that a small request has no endless answer'
FAULT = "a fault of Kafka's: it answers UNKNOWN_SERVER_ERROR to what it did not foresee"
REASONS = 'we say why, where Kafka gives the code only'
COMPACT_ONCE = r' #2\]'

ROWS = [
    # Every API
    Accepted(r'\w+ \d+', '', r'error_message$', REASONS, kafka="^(None|'')$", ours='a text'),
    Accepted(r'(Metadata|DescribeConfigs|DescribeGroups|FindCoordinator|DescribeProducers) \d+', 'twice|again|partition_indexes is one', COMPACT_ONCE, ONCE, ours='not there'),
    Accepted(r'IncrementalAlterConfigs \d+|AlterConfigs \d+', 'twice', COMPACT_ONCE, 'one refusal for each resource, not one for each mention', ours='not there'),
    # ApiVersions
    Accepted(r'ApiVersions \d+', '', r'api_keys\[', 'what this broker has not is not listed', ours='not there'),
    Accepted(r'ApiVersions \d+', '', r'features', 'there are no features to be switched on', ours='not there'),
    # Topics
    Accepted(r'Metadata [01]', 'topics.name is (unknown|249)|topics is (null|empty)', r'topics', 'a topic is usable in the answer that makes it; Kafka lets clients ask again'),
    Accepted(r'Metadata 1[23]', 'name is null|by neither', r'', FAULT),
    Accepted(r'DescribeTopicPartitions 0', 'name is empty', r'error_code|operations', FAULT, kafka='-1|-2147483648'),
    Accepted(r'CreateTopics 7', '', r'configs\[min.insync.replicas\].config_source', 'no dynamic defaults of the cluster; Kafka sets one itself', kafka='3'),
    Accepted(r'CreateTopics \d+', 'collide', r'', 'Kafka compares names with those that exist, not with those beside them'),
    Accepted(r'CreateTopics \d+|Metadata \d+', r'file.delete.delay.ms of one', r'', 'a config without effect here takes only the value that says so'),
    Accepted(r'CreateTopics 7', 'a value with spaces', r'value$', 'spaces around a value are not kept', kafka="' 1000 '", ours="'1000'"),
    Accepted(r'CreatePartitions \d+', 'count is highest', r'error_code', FAULT, kafka='-1'),
    Accepted(r'CreatePartitions \d+', "coordinator's topic", r'', "the coordinators' topics keep their size"),
    # Configs
    Accepted(r'DescribeConfigs \d+', '', r'configs\[min.insync.replicas\]', 'no dynamic defaults of the cluster; Kafka sets one itself', kafka='3|\'source\': 5'),
    Accepted(r'DescribeConfigs \d+', r'type (8|16|32)', r'', 'only topics and brokers have configs here'),
    Accepted(r'(Incremental)?AlterConfigs \d+', 'a (group|logger)|type (8|16|32)', r'error_code', 'only topics have configs that can be changed', ours='42'),
    Accepted(r'(Incremental)?AlterConfigs \d+', 'broker', r'error_code', 'broker configs do not change while it runs', ours='42'),
    Accepted(r'IncrementalAlterConfigs \d+', 'operation', r'error_code', FAULT, kafka='-1', ours='42'),
    Accepted(r'IncrementalAlterConfigs \d+', r'throttled.replicas', r'error_code', 'a config without effect here takes only the value that says so', ours='40'),
    Accepted(r'AlterConfigs \d+', 'its first element twice|a topic twice', r'the answer', "a fault of Kafka's: it never answers", kafka='no answer'),
    # Records
    Accepted(r'Fetch \d+', 'replica_id', r'', 'a client that says it is a replica is refused', ours="29|31|-1|\\[\\]|None|b''"),
    Accepted(r'ListOffsets \d+', 'replica_id', r'', 'a client that says it is a replica is refused', ours='29|-1'),
    Accepted(r'Fetch \d+', 'max_bytes is|isolation_level is|in no byte', r'', FAULT, kafka="-1|b''|\\[\\]|not there"),
    Accepted(r'Fetch \d+', '', r'(high_watermark|last_stable_offset|log_start_offset)$', 'an offset out of range is answered with where the log begins and ends', kafka='-1'),
    Accepted(r'Fetch \d+', 'less than they hold', r'bytes of the next', 'only whole batches are sent', ours='not there'),
    Accepted(r'Fetch \d+', 'nothing, in a session', r'session_id', 'no session of nothing', ours='0'),
    Accepted(r'Produce \d+', 'transactional_id|a transaction', r'', NO_TRANSACTIONS, ours='48|-1|a text'),
    Accepted(r'InitProducerId \d+', 'transactional_id', r'', NO_TRANSACTIONS, ours='35|-1'),
    Accepted(r'Produce \d+', 'first element twice', r'', 'a partition that is written twice in one request is refused; Kafka takes the last one', ours='42|-1|not there|a text'),
    Accepted(r'Produce \d+', 'records is null', r'the answer', "a fault of Kafka's: it never answers", kafka='no answer'),
    Accepted(r'\w+ \d+', 'a byte behind a batch|a delete horizon|LogAppendTime|a producer without an epoch', r'', 'a batch that says what no producer may say is refused'),
    Accepted(r'\w+ \d+', 'a record with a byte behind|a record without its end|header without a name|noise|that is none', r'',
             'records inside a batch are only read where they must have keys; readers find such ones'),
    Accepted(r'(Fetch|ListOffsets) \d+', 'the time minus|a largest time', r'', 'the largest time of a batch is kept as it was sent'),
    Accepted(r'Fetch \d+', 'an unknown attribute', r'records', 'attributes that nobody knows are kept'),
    Accepted(r'Produce \d+', 'unknown compression', r'error_code', FAULT, kafka='-1'),
    Accepted(r'Produce \d+', 'compacted: ', r'record_errors', 'which records are bad is told wherever they can be read'),
    Accepted(r'Produce \d+', 'compacted: a time far ahead', r'error_code', 'of two faults, that of the header is told first', ours='32'),
    Accepted(r'Produce \d+', 'the same batch again', r'log_append_time_ms', 'the time of a batch that is there already is not looked up', ours='-1'),
    # Groups
    Accepted(r'FindCoordinator \d+', r'type 1:|key_type is one', r'', NO_TRANSACTIONS, ours="53|-1|''|not there|a text"),
    Accepted(r'FindCoordinator 6', r'type 2: a share key', r'', 'there are no share groups'),
    Accepted(r'OffsetFetch \d+', 'twice|again', r'^\.groups', 'a group whose offsets are all asked for twice is refused', ours='42|not there'),
    Accepted(r'JoinGroup \d+', 'its first element twice', r'protocol_name$', "a protocol named twice counts once; Kafka's votes then miss it"),
    Accepted(r'JoinGroup \d+', 'static member with an id', r'error_code|member_id', FAULT),
    Accepted(r'JoinGroup \d+', 'a protocol twice', r'the answer', "a fault of Kafka's: it never answers", kafka='no answer'),
    Accepted(r'JoinGroup \d+', 'rebalance_timeout_ms is (minus|lowest)', r'the answer', 'no time to join again means the session time-out; Kafka removes all others'),
]


def judge(found):
    """(the differences that no row accepts, the rows that accept nothing)"""
    left = []
    for difference in found:
        rows = [row for row in ROWS if row.matches(difference)]
        for row in rows:
            row.used = True
        if not rows:
            left.append(difference)
    return left, [row for row in ROWS if not row.used]
