"""Record batches by hand: of any magic, with any header field, right or wrong."""
import struct
import sys
import pathlib
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from wire import crc32c  # noqa: E402

TIME = 1_700_000_000_000  # ms; the topics of the comparison keep their records for ever


def zigzag(value):
    value = value << 1 ^ value >> 63
    out = b''
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def sized(data):
    return zigzag(-1) if data is None else zigzag(len(data)) + data


def record(n, key, value, time_delta=0, headers=(), delta=None):
    body = b'\0' + zigzag(time_delta) + zigzag(n if delta is None else delta) + sized(key) + sized(value) + zigzag(len(headers))
    for name, content in headers:
        body += sized(name) + sized(content)
    return zigzag(len(body)) + body


def batch(*values, key=None, time=TIME, max_time=None, attributes=0, producer=-1, epoch=-1, sequence=-1, magic=2, base=0,
          last_delta=None, count=None, crc_off=0, length_off=0, leader_epoch=-1, records=None):
    values = values or (b'value',)
    if records is None:
        records = b''.join(record(n, key, value, n) for n, value in enumerate(values))
    n = len(values)
    tail = struct.pack('>hiqqqhii', attributes, n - 1 if last_delta is None else last_delta, time,
                       time + n - 1 if max_time is None else max_time, producer, epoch, sequence, n if count is None else count)
    tail += records
    head = struct.pack('>ibI', leader_epoch, magic, crc32c(tail) + crc_off & 0xffffffff)
    return struct.pack('>qi', base, len(head) + len(tail) + length_off) + head + tail


def old_message(value, magic, key=None, time=TIME, base=0):
    """A message set of one message, of magic 0 or 1."""
    body = struct.pack('>bb', magic, 0) + (struct.pack('>q', time) if magic else b'')
    for data in (key, value):
        body += struct.pack('>i', -1 if data is None else len(data)) + (data or b'')
    body = struct.pack('>I', zlib.crc32(body)) + body
    return struct.pack('>qi', base, len(body)) + body
