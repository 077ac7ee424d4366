#!/usr/bin/env python3
"""seeds.py FRAMES BATCHES OUT: the first inputs of the fuzz targets, made of the golden bytes of real clients.

The targets' inputs begin with bytes of their own (which message, which version); the rest is what came over the wire.
"""
import pathlib
import re
import struct
import sys


def frames(path):
    for line in path.read_text().splitlines():
        words = line.split()
        if len(words) == 4 and words[0].isdigit():
            yield int(words[0]), int(words[1]), words[2] == 'Q', bytes.fromhex(words[3])


def batches(path):
    """(name, codec, bytes) of each golden segment."""
    for name, codec, text in re.findall(r'\{"([\w-]+)", "(\w+)",((?:\s*"[0-9a-f]+")+)', path.read_text()):
        yield name, codec, bytes.fromhex(''.join(re.findall(r'"([0-9a-f]+)"', text)))


def cut(segment):
    """The single batches of a segment."""
    at = 0
    while at + 12 <= len(segment):
        size = 12 + struct.unpack_from('>i', segment, at + 8)[0]
        yield segment[at:at + size]
        at += size


def main():
    frame_file, batch_file, out = (pathlib.Path(a) for a in sys.argv[1:4])
    wanted = {}

    def seed(target, name, data):
        wanted[out / target / name] = data

    for number, (key, version, request, data) in enumerate(frames(frame_file)):
        name = f'{key}-{version}-{"request" if request else "response"}-{number}'
        if request:
            seed('proto_kafka_frame', name, data)
            seed('broker_requests', name, struct.pack('>H', len(data)) + data)
            body = after_request_header(data)
            seed('proto_kafka_messages', name + '-a', bytes([key & 255, version, 1]) + body)
            seed('proto_kafka_messages', name + '-b', bytes([key & 255, version, 1]) + body[1:])
        else:
            # Its header is a correlation id, with a tag count in flexible versions (but for ApiVersions).
            seed('proto_kafka_messages', name + '-a', bytes([key & 255, version, 0]) + data[4:])
            seed('proto_kafka_messages', name + '-b', bytes([key & 255, version, 0]) + data[5:])
            if key == 1:
                seed('proto_kafka_fetch_stream', name + '-a', bytes([version - 4, 255]) + data[4:])
                seed('proto_kafka_fetch_stream', name + '-b', bytes([version - 4, 255]) + data[5:])
    codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
    for name, codec, segment in batches(batch_file):
        seed('proto_batch', name, b'\xff' + segment)
        first = next(cut(segment))
        seed('proto_batch', name + '-first', b'\x20' + first)
        seed('proto_compressed', name, bytes([codecs.index(codec), first[60]]) + first[61:])
    for target, text in TEXTS:
        seed(target, str(sum(1 for p in wanted if p.parent.name == target)), text)

    for path, data in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)
    for path in out.glob('*/*'):
        if path not in wanted:
            path.unlink()


def after_request_header(data):
    """What follows key, version, correlation id and client id; a flexible header has a tag count more."""
    length, = struct.unpack_from('>h', data, 8)
    return data[10 + max(length, 0):]


UUID = 'AAAAAAAAAAAAAAAAAAAAAQ'
FILTERS = '["orders*","!orders-test"]'
LINK = ('{"v":1,"name":"east-to-west","id":"%s","epoch":4,"state":"PAUSED","state_reason":"by hand","created_ms":12,'
        '"paused_topics":["east.orders-eu"],"source":"east-1:9092,east-2:9092","target":"west-1:9092",'
        '"source_cluster_id":"e","target_cluster_id":"w","mode":"mirror","topics":%s,"groups":["*"],"topic_prefix":"east.",'
        '"group_sync":true,"group_sync_interval_ms":1000,"topic_sync_interval_ms":5000,"config_include":["retention.ms"],'
        '"on_divergence":"stop"}' % (UUID, FILTERS)).encode()
MIRROR = ('{"link":"%s","link_epoch":7,"source_cluster_id":"east","source_topic":"orders-east","source_topic_id":"%s",'
          '"state":"STOPPED","reason":"promoted","provenance":["north","east"],"promotion":{"kind":"failover","wall_ms":12,'
          '"link":"%s","source_cluster_id":"east","source_topic_id":"%s","partitions":[{"partition":1,"failover_offset":95,'
          '"last_epoch":7,"new_epoch":65536,"source_high_watermark":100,"lost_at_least_records":5,"lost_at_least_ms":3,'
          '"blind_window_ms":3}]}}' % (UUID, UUID, UUID, UUID))
TOPIC = ('{"v":1,"id":"%s","partitions":2,"configs":{"retention.ms":"1"},"internal":false,"read_only":true,"mirror":%s}'
         % (UUID, MIRROR)).encode()
TEXTS = [
    ('proto_link_stored_link', b'\x00' + LINK),
    ('proto_link_stored_link', b'\x01east-1:9092,[::1]:9092'),
    ('proto_link_stored_link', b'\x02topics=orders*,!orders-test'),
    ('proto_link_stored_link', b'\x02group.sync.interval.ms=200'),
    ('linker_gateway_config', b'\x00# links\ntarget: [west-1:9092, "west-2:9092"]\nhttp: 0.0.0.0:9871\nfetch:\n  max.wait.ms: 7\n'
                              b'  max: {bytes: 1048576}\ncrc.verify: false\n'),
    ('linker_gateway_config', b"\x00? target\n: &t 'west:9092'\ntarget.cluster.id: !!str \"w\\u0031\"\ndata: |\n  /a\n  b\n...\n"),
    ('linker_gateway_config', b'\x01target=[::1]:9092'),
    ('broker_metadata', b'\x00{"v":1,"cluster_id":"east","incarnation":"AAAAAAAAAAAAAAAAAAAAAQ","salt":7}'),
    ('broker_metadata', b'\x01{"v":1,"advertised":"east-1:9092","rack":"a"}'),
    ('broker_metadata', b'\x02{"v":1,"next_counter":1000}'),
    ('broker_metadata', b'\x03{"v":1,"leadership_epoch":65536,"leader":1,"replicas":[1,2],"isr":[1]}'),
    ('broker_metadata', b'\x04' + TOPIC),
    ('broker_metadata', b'\x05partition/AAAAAAAAAAAAAAAAAAAAAQ/3'),
    ('broker_group_records', bytes.fromhex('000c' '0001000167' '000174' '00000003') +
     bytes.fromhex('0004000000000000002a00000007026d00000000000003e800')),
    ('broker_log_files', b'\x00' + bytes.fromhex('0000000100000000' '0000000900000400')),
    ('broker_log_files', b'\x01' + bytes.fromhex('000001a208370bed00000001' '000001a208370bff00000009')),
    ('broker_log_files', b'\x02' + bytes.fromhex('0000' '0000000000000007' '0000000000000001' '0000000000000004'
                                                 '0000000000000005')),
    ('broker_log_files', b'\x030\n2\n1 0\n5 6\n'),
    ('broker_log_files', b'\x05reset 42\n'),
    ('broker_log_recovery', bytes(range(1, 120))),
    ('broker_log_recovery', bytes([0, 1, 2, 3, 0, 0, 0, 8, 20, 40, 60, 9, 7, 0, 0, 7, 1, 1])),
    ('base_config', b'num.partitions=3\n# comment\nlog.dirs = /data\n'),
]

if __name__ == '__main__':
    main()
