"""Kafka's messages as Python values: dictionaries of the names in proto/kafka/schema, in any version that is there.

A field that a request leaves out has its default. An answer is decoded to its last byte, or it is an error.
"""
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / 'proto' / 'kafka'))
sys.dont_write_bytecode = True
from generator import schema  # noqa: E402  the parser of our schemas

INTEGERS = {'bool': '>?', 'int8': '>b', 'int16': '>h', 'uint16': '>H', 'int32': '>i', 'uint32': '>I', 'int64': '>q', 'float64': '>d'}
API_VERSIONS = 18  # its answer has the oldest header, for clients that do not know what the broker speaks


def varint(value):
    out = b''
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


def fields_at(struct_, version):
    return [f for f in struct_.fields if f.versions[0] <= version <= f.versions[1]]


def may_be_null(field, version):
    return field.nullable is not None and field.nullable[0] <= version <= field.nullable[1]


def default_of(field, version):
    if field.array:
        return []
    if field.default == 'null':
        return None if may_be_null(field, version) else ''
    if field.base in ('string', 'bytes', 'records'):
        return field.default or ('' if field.base == 'string' else b'')
    if field.base == 'uuid':
        return bytes(16)
    if field.base == 'bool':
        return field.default == 'true'
    return int(field.default or 0) if field.struct is None else {}


class Encoder:
    def __init__(self, version):
        self.version = version

    def length(self, count, compact, wide):
        """The length of a text or list; None: null."""
        if compact:
            return varint(0 if count is None else count + 1)
        return struct.pack('>i' if wide else '>h', -1 if count is None else count)

    def scalar(self, field, value, compact):
        if field.struct:
            mark = b''
            if may_be_null(field, self.version) and not field.array:
                mark = b'\xff' if value is None else b'\1'
            return mark + (self.struct(field.struct, value) if value is not None else b'')
        if field.base in INTEGERS:
            return struct.pack(INTEGERS[field.base], value)
        if field.base == 'uuid':
            return value
        data = value.encode() if isinstance(value, str) else value
        return self.length(None if data is None else len(data), compact, field.base != 'string') + (data or b'')

    def field(self, field, value, flexible):
        compact = flexible and not field.rigid
        if not field.array:
            return self.scalar(field, value, compact)
        head = self.length(None if value is None else len(value), compact, True)
        return head + b''.join(self.scalar(field, one, compact) for one in value or [])

    def struct(self, struct_, value):
        flexible = struct_.flexible_at(self.version)
        unknown = set(value) - {f.name for f in struct_.fields}
        if unknown:
            raise KeyError(f'{struct_.name} has no field {unknown}')
        out, tagged = b'', []
        for field in fields_at(struct_, self.version):
            default = default_of(field, self.version)
            one = value.get(field.name, default)
            if not field.tagged:
                out += self.field(field, one, flexible)
            elif field.name in value:
                tagged.append((field.tag, self.field(field, one, True)))
        if flexible:
            out += varint(len(tagged))
            for tag, data in sorted(tagged):
                out += varint(tag) + varint(len(data)) + data
        return out


class Decoder:
    def __init__(self, data, version):
        self.data, self.version, self.at = data, version, 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise ValueError(f'an answer of {len(self.data)} bytes ends before byte {self.at + count}')
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                return value
            shift += 7

    def length(self, compact, wide):
        if compact:
            count = self.varint() - 1
        else:
            count = self.number('>i' if wide else '>h')
        return None if count < 0 else count

    def scalar(self, field, compact):
        if field.struct:
            if may_be_null(field, self.version) and not field.array and self.number('>b') < 0:
                return None
            return self.struct(field.struct)
        if field.base in INTEGERS:
            return self.number(INTEGERS[field.base])
        if field.base == 'uuid':
            return self.take(16)
        count = self.length(compact, field.base != 'string')
        if count is None:
            return None
        data = self.take(count)
        return data.decode() if field.base == 'string' else data

    def field(self, field, flexible):
        compact = flexible and not field.rigid
        if not field.array:
            return self.scalar(field, compact)
        count = self.length(compact, True)
        return None if count is None else [self.scalar(field, compact) for _ in range(count)]

    def struct(self, struct_):
        flexible = struct_.flexible_at(self.version)
        fields = fields_at(struct_, self.version)
        out = {f.name: default_of(f, self.version) if f.tagged else self.field(f, flexible) for f in fields if not f.tagged}
        if flexible:
            tagged = {f.tag: f for f in fields if f.tagged}
            for _ in range(self.varint()):
                tag, size = self.varint(), self.varint()
                end = self.at + size
                if tag in tagged:
                    out[tagged[tag].name] = self.field(tagged[tag], True)
                    if self.at != end:
                        raise ValueError(f'tagged field {tagged[tag].name} ends at byte {self.at}, not {end}')
                else:
                    out[f'tag {tag}'] = self.take(size)
        return out


class Api:
    def __init__(self, api, request, response):
        self.key, self.name = api.key, api.name
        self.versions = api.versions
        self.request, self.response = request, response

    def encode(self, version, value):
        return Encoder(version).struct(self.request.body, value)

    def flexible(self, version):
        return self.request.flexible is not None and version >= self.request.flexible

    def decode(self, version, data):
        decoder = Decoder(data, version)
        if self.flexible(version) and self.key != API_VERSIONS:
            for _ in range(decoder.varint()):
                decoder.varint()
                decoder.take(decoder.varint())
        value = decoder.struct(self.response.body)
        if decoder.at != len(data):
            raise ValueError(f'{self.name} {version}: {len(data) - decoder.at} bytes after the end of the answer')
        return value

    def frame(self, version, body):
        head = struct.pack('>hhi', self.key, version, 7) + struct.pack('>h', 12) + b'side-by-side'
        return head + (b'\0' if self.flexible(version) else b'') + body


def all_apis():
    """By name."""
    found = {}
    folder = pathlib.Path(__file__).resolve().parents[3] / 'proto' / 'kafka' / 'schema'
    for path in sorted(folder.glob('*.schema')):
        apis, messages = schema.parse_file(path)
        by_name = {m.name: m for m in messages}
        for api in apis:
            if not api.private and api.name + 'Request' in by_name:
                found[api.name] = Api(api, by_name[api.name + 'Request'], by_name[api.name + 'Response'])
    return found
