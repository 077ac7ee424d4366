"""An end of the comparison: one cluster of one broker, asked in raw requests. Answers are made comparable here."""
import pathlib
import re
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from wire import Wire  # noqa: E402

CLOSED = 'the connection is closed'
SILENT = 'no answer'
ANSWER_SECONDS = 5
NOT_OURS_MS = 1_750_000_000_000  # the records that the cases send are older
LOG_APPEND_TIME = 8
NEW_MEMBER = re.compile('-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')


class IdOf:
    """In a request: the id of the topic with this name, which differs between the ends."""

    def __init__(self, topic):
        self.topic = topic


class Saved:
    """In a request: what an earlier answer of this end said (see Case.save)."""

    def __init__(self, key):
        self.key = key


class Fresh:
    """In a request: a name that only this case uses."""

    def __init__(self, prefix):
        self.prefix = prefix

    def __add__(self, more):
        made = Fresh(self.prefix)
        made.suffix = more
        return made

    suffix = ''


class End:
    def __init__(self, name, address, apis):
        self.name, self.address, self.apis = name, address, apis
        self.host, self.port = address.rsplit(':', 1)
        self.port = int(self.port)
        self.saved, self.topic_names, self.wire = {}, {}, None
        self.private = {}  # values that differ between the ends -> what stands for them

    def send(self, api, version, request, serial):
        if self.wire is None:
            self.wire = Wire(self.address)
            self.wire.socket.settimeout(ANSWER_SECONDS)
        frame = api.frame(version, api.encode(version, self.resolve(request, serial)))
        self.wire.send(struct.pack('>i', len(frame)) + frame)

    def receive(self, api, version):
        try:
            data = self.wire.answer()
        except socket.timeout:
            data = None
            self.drop()
            return SILENT
        if data is None:
            self.drop()
            return CLOSED
        return api.decode(version, data[4:])

    def drop(self):
        self.wire.socket.close()
        self.wire = None

    def ask(self, name, version, request, serial=0):
        api = self.apis[name]
        self.send(api, version, request, serial)
        return self.receive(api, version)

    def resolve(self, value, serial):
        if isinstance(value, dict):
            return {k: self.resolve(v, serial) for k, v in value.items()}
        if isinstance(value, list):
            return [self.resolve(v, serial) for v in value]
        if isinstance(value, IdOf):
            return self.id_of(self.resolve(value.topic, serial))
        if isinstance(value, Saved):
            return self.saved[value.key]
        if isinstance(value, Fresh):
            return f'{value.prefix}-{serial}{value.suffix}'
        return value

    def learn_topics(self):
        answer = self.ask('Metadata', 12, {'topics': None, 'allow_auto_topic_creation': False})
        for topic in answer['topics']:
            self.topic_names[topic['topic_id']] = topic['name']

    def id_of(self, topic):
        ids = {name: id_ for id_, name in self.topic_names.items()}
        if topic not in ids:
            self.learn_topics()
            ids = {name: id_ for id_, name in self.topic_names.items()}
        return ids.get(topic, bytes(range(1, 17)))  # not shown yet, or an illegal name

    def comparable(self, value, name=''):
        if isinstance(value, dict):
            return {k: self.comparable(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self.comparable(v, name) for v in value]
        if name == 'records':
            return comparable_records(value)
        if isinstance(value, bytes):
            return self.uuid(value) if name == 'topic_id' else self.stand_in(value.hex())
        if name == 'host' and value == self.host or name == 'port' and value == self.port:
            return 'of this end'
        if name in ('log_dir', 'total_bytes', 'usable_bytes'):
            return 'of this end' if value else value
        if name == 'cluster_id':
            return 'of this end' if value else value
        if name in ('error_message', 'batch_index_error_message'):
            return 'a text' if value else value
        if name == 'producer_id' and not 1000 < value < 100_000 and value >= 0:  # none that a case has chosen
            return 'an id'
        if name == 'session_id' and value > 0:
            return 'a session'
        if name in ('log_append_time_ms', 'last_timestamp', 'timestamp') and value > NOT_OURS_MS:
            return 'a time'
        if name == 'client_host':
            return value.lstrip('/')
        return self.stand_in(value) if isinstance(value, str) else value

    def stand_in(self, value):
        for private, words in self.private.items():
            if value == private:
                return words
            if isinstance(value, str) and isinstance(private, str) and private in value:
                value = value.replace(private, words)
        return NEW_MEMBER.sub('-a new id', value)

    def uuid(self, value):
        if value == bytes(16):
            return 'no id'
        for _ in range(8):  # Apache Kafka shows a topic a moment after it was made
            if value in self.topic_names:
                break
            self.learn_topics()
            time.sleep(0.03)
        return 'id of ' + self.topic_names.get(value, 'nobody')


def comparable_records(data):
    """The batches of a Fetch answer without the leader's epoch, which a broker writes into them."""
    if not data:
        return data
    out, at = [], 0
    while at + 61 <= len(data):
        offset, length = struct.unpack_from('>qi', data, at)
        batch = data[at:at + 12 + length]
        if len(batch) > 61 and batch[22] & LOG_APPEND_TIME:
            batch = batch[:17] + b'crc.' + batch[21:35] + b'the time' + batch[43:]
        out.append(f'offset {offset}: ' + batch[8:12].hex() + batch[16:].hex())
        at += 12 + length
    return out + ([f'{len(data) - at} bytes of the next'] if at < len(data) else [])
