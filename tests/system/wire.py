"""Kafka's protocol by hand, as far as bad input needs it: frames, a few old non-flexible requests, a v2 record batch."""
import socket
import struct
import time

PRODUCE, FETCH, LIST_OFFSETS, METADATA, CREATE_TOPICS, DELETE_TOPICS = 0, 1, 2, 3, 19, 20
OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR = 8, 9, 10
DESCRIBE_CONFIGS, CREATE_PARTITIONS, INCREMENTAL_ALTER_CONFIGS = 32, 37, 44

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ 0x82f63b78 if n & 1 else n >> 1
    TABLE.append(n)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xff] ^ crc >> 8
    return crc ^ 0xffffffff


def text(value):
    return struct.pack('>h', len(value)) + value.encode()


def batch(value, count=1, said_count=None, said_length=None, crc_off=0):
    """A batch of `count` equal records without keys; `said_*` and `crc_off` make it lie."""
    records = b''
    for n in range(count):
        body = b'\0\0' + bytes([2 * n]) + b'\1' + bytes([2 * len(value)]) + value + b'\0'
        records += bytes([2 * len(body)]) + body
    tail = struct.pack('>hiqqqhii', 0, count - 1, 0, 0, -1, -1, -1, count if said_count is None else said_count) + records
    length = 9 + len(tail) if said_length is None else said_length
    return struct.pack('>qiibI', 0, length, -1, 2, crc32c(tail) + crc_off & 0xffffffff) + tail


class Wire:
    """One connection. ask() returns the body of the answer, or None if the broker ended the connection."""

    def __init__(self, address):
        host, port = address.rsplit(':', 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, count):
        data = b''
        while len(data) < count:
            try:
                part = self.socket.recv(count - len(data))
            except ConnectionResetError:
                part = b''
            if not part:
                return None
            data += part
        return data

    def answer(self):
        head = self.receive(4)
        return self.receive(struct.unpack('>i', head)[0]) if head else None

    def ask(self, key, version, body):
        frame = struct.pack('>hhi', key, version, 7) + text('by hand') + body
        self.send(struct.pack('>i', len(frame)) + frame)
        found = self.answer()
        return found[4:] if found else None

    def produce(self, topic, partition, records):
        """The error code; acks=all."""
        body = struct.pack('>hhii', -1, -1, 10000, 1) + text(topic) + struct.pack('>iii', 1, partition, len(records)) + records
        found = self.ask(PRODUCE, 3, body)
        return struct.unpack_from('>h', found, 4 + 2 + len(topic) + 4 + 4)[0]

    def fetch(self, topic, partition, offset):
        """(error code, high watermark)"""
        body = struct.pack('>iiiibi', -1, 0, 1, 1 << 20, 0, 1) + text(topic) + struct.pack('>iiqi', 1, partition, offset, 1 << 20)
        found = self.ask(FETCH, 4, body)
        return struct.unpack_from('>hq', found, 4 + 4 + 2 + len(topic) + 4 + 4)

    def list_offset(self, topic, partition, timestamp):
        """(error code, offset)"""
        body = struct.pack('>ii', -1, 1) + text(topic) + struct.pack('>iiq', 1, partition, timestamp)
        found = self.ask(LIST_OFFSETS, 1, body)
        code, _, offset = struct.unpack_from('>hqq', found, 4 + 2 + len(topic) + 4 + 4)
        return code, offset

    def create_topic(self, topic, configs=()):
        """(error code, message)"""
        body = struct.pack('>i', 1) + text(topic) + struct.pack('>ihii', 1, 1, 0, len(configs))
        for name, value in configs:
            body += text(name) + text(value)
        found = self.ask(CREATE_TOPICS, 2, body + struct.pack('>i?', 10000, False))
        at = 4 + 4 + 2 + len(topic)  # throttle time, count, name
        code, length = struct.unpack_from('>hh', found, at)
        return code, found[at + 4:at + 4 + length].decode() if length > 0 else ''


class Admin(Wire):
    """What an administrator does to topics, at a broker that leads everything and controls everything: a single node."""

    def check(self, what, code, message=''):
        if code != 0:
            raise SystemExit(f'{what}: error {code} {message}')

    def make(self, topic, partitions, **configs):
        """Names of configs with _ for . """
        body = struct.pack('>i', 1) + text(topic) + struct.pack('>ihii', partitions, 1, 0, len(configs))
        for name, value in configs.items():
            body += text(name.replace('_', '.')) + text(str(value))
        found = self.ask(CREATE_TOPICS, 2, body + struct.pack('>i?', 10000, False))
        self.check(f'making {topic}', struct.unpack_from('>h', found, 4 + 4 + 2 + len(topic))[0])

    def delete(self, topic):
        found = self.ask(DELETE_TOPICS, 1, struct.pack('>i', 1) + text(topic) + struct.pack('>i', 10000))
        self.check(f'deleting {topic}', struct.unpack_from('>h', found, 4 + 4 + 2 + len(topic))[0])

    def grow(self, topic, partitions):
        body = struct.pack('>i', 1) + text(topic) + struct.pack('>ii', partitions, -1) + struct.pack('>i?', 10000, False)
        found = self.ask(CREATE_PARTITIONS, 0, body)
        self.check(f'growing {topic}', struct.unpack_from('>h', found, 4 + 4 + 2 + len(topic))[0])

    def configure(self, topic, **configs):
        body = struct.pack('>ib', 1, 2) + text(topic) + struct.pack('>i', len(configs))
        for name, value in configs.items():
            body += text(name.replace('_', '.')) + b'\0' + text(str(value))
        found = self.ask(INCREMENTAL_ALTER_CONFIGS, 0, body + struct.pack('>?', False))
        self.check(f'configuring {topic}', struct.unpack_from('>h', found, 4 + 4)[0])

    def commit(self, group, topic, offset):
        """Commits `offset` of partition 0, as a consumer without a group's membership does; waits for the coordinator."""
        body = text(group) + struct.pack('>i', -1) + text('') + struct.pack('>qi', -1, 1) + text(topic)
        body += struct.pack('>iiq', 1, 0, offset) + text('')
        for _ in range(100):
            found = self.ask(OFFSET_COMMIT, 2, body)
            code = struct.unpack_from('>h', found, 4 + 2 + len(topic) + 4 + 4)[0]
            if code not in (14, 15, 16):  # it loads, or is not there yet
                break
            self.ask(FIND_COORDINATOR, 0, text(group))
            time.sleep(0.1)
        self.check(f'a commit of {group}', code)

    def committed(self, group, topic):
        """The offset of partition 0; -1: none."""
        found = self.ask(OFFSET_FETCH, 1, text(group) + struct.pack('>i', 1) + text(topic) + struct.pack('>ii', 1, 0))
        return struct.unpack_from('>q', found, 4 + 2 + len(topic) + 4 + 4)[0]

    def config(self, topic, name):
        """Its effective value."""
        body = struct.pack('>ib', 1, 2) + text(topic) + struct.pack('>i', 1) + text(name) + struct.pack('>?', False)
        found = self.ask(DESCRIBE_CONFIGS, 1, body)
        at = 4 + 4
        code, length = struct.unpack_from('>hh', found, at)
        self.check(f'configs of {topic}', code)
        at += 4 + max(length, 0) + 1 + 2 + len(topic) + 4  # message, type, name, count
        length = struct.unpack_from('>h', found, at)[0]
        at += 2 + length
        length = struct.unpack_from('>h', found, at)[0]
        return found[at + 2:at + 2 + length].decode()
