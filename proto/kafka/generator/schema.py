"""Parses schema/*.schema (the language is described in ../README.md) into Api, Message, Struct and Field objects."""
import sys

SIZES = {'bool': 1, 'int8': 1, 'int16': 2, 'uint16': 2, 'int32': 4, 'uint32': 4, 'int64': 8, 'float64': 8, 'uuid': 16}
PRIMITIVES = {*SIZES, 'string', 'bytes', 'records'}


class SchemaError(Exception):
    pass


def parse_range(text, outer):
    if text.endswith('+'):
        low, high = int(text[:-1]), outer[1]
    else:
        low, _, last = text.partition('-')
        low, high = int(low), int(last or low)
    if not outer[0] <= low <= high <= outer[1]:
        raise SchemaError(f'versions {text} are not inside {outer[0]}-{outer[1]}')
    return low, high


class Field:
    """One line: name, type, then any of: versions V, nullable [V], tag N [V], default X, ignorable, rigid."""

    def __init__(self, name, type_, words, outer):
        self.name, self.children = name, []
        self.array = type_.startswith('[]')
        self.base = type_.removeprefix('[]')
        self.struct = None  # Struct, where base is none of the primitive types
        self.nullable = self.tagged = self.tag = self.default = None
        self.ignorable = self.rigid = False
        self.versions = outer
        words = list(words)

        def is_range(word):
            return word[0].isdigit() and word.strip('0123456789+-') == ''

        while words:
            word = words.pop(0)
            if word == 'versions':
                self.versions = parse_range(words.pop(0), outer)
            elif word == 'nullable':
                self.nullable = parse_range(words.pop(0), self.versions) if words and is_range(words[0]) else self.versions
            elif word == 'tag':
                self.tag = int(words.pop(0))
                self.tagged = parse_range(words.pop(0), self.versions) if words and is_range(words[0]) else self.versions
            elif word == 'default':
                self.default = words.pop(0)
            elif word == 'ignorable':
                self.ignorable = True
            elif word == 'rigid':
                self.rigid = True
            else:
                raise SchemaError(f'unknown word {word!r}')
        if self.tagged and self.tagged != self.versions:
            raise SchemaError('a field that is tagged only in some of its versions is not supported')
        if self.base == 'records' and (self.tagged or self.array):
            raise SchemaError('records are neither tagged nor in arrays')

    @property
    def optional(self):
        return self.nullable is not None and self.base != 'records'


class Struct:
    def __init__(self, name, versions, message):
        self.name, self.versions, self.message, self.fields = name, versions, message, []

    def flexible_at(self, version):
        return self.message.flexible is not None and version >= self.message.flexible

    def wire_bytes_min(self):
        low, high = self.versions
        return min(sum(self._field_min(f, v) for f in self.fields if not f.tagged and f.versions[0] <= v <= f.versions[1])
                   + (1 if self.flexible_at(v) else 0) for v in range(low, high + 1))

    def _field_min(self, field, version):
        compact = self.flexible_at(version) and not field.rigid
        if field.array or field.base in ('bytes', 'records'):
            return 1 if compact else 4
        if field.base == 'string':
            return 1 if compact else 2
        if field.struct:
            return 1 if field.nullable else field.struct.wire_bytes_min()
        return SIZES[field.base]


class Message:
    def __init__(self, name, versions, flexible):
        self.name, self.versions, self.flexible = name, versions, flexible
        self.structs = []  # nested ones, inner before outer
        self.body = Struct(name, versions, self)
        self.key = self.record = self.response = None
        self.private = False  # data of ours, in no Kafka


class Api:
    def __init__(self, key, name, words):
        self.key, self.name, self.private, self.advertised, self.flexible = key, name, False, None, None
        while words:
            word = words.pop(0)
            if word == 'versions':
                low, _, high = words.pop(0).partition('-')
                self.versions = int(low), int(high or low)
            elif word == 'flexible':
                self.flexible = int(words.pop(0).rstrip('+'))
            elif word == 'advertised':
                self.advertised = int(words.pop(0))
            elif word == 'private':
                self.private = True
            elif word == 'record':
                self.record = int(words.pop(0))
            else:
                raise SchemaError(f'unknown word {word!r}')


def parse_file(path):
    """Returns (apis, messages) of one schema file."""
    apis, messages, api, message = [], [], None, None
    stack = []  # (indentation, Struct) of the open structs
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        line = raw.split('#')[0].rstrip()
        if not line:
            continue
        words, indent = line.split(), len(line) - len(line.lstrip())
        try:
            if indent == 0:
                message = None
                if words[0] == 'api':
                    api = Api(int(words[1]), words[2], words[3:])
                    apis.append(api)
                    continue
                if words[0] == 'data':
                    data = Api(-1, words[1], words[2:])
                    message = Message(data.name, data.versions, data.flexible)
                    message.record = getattr(data, 'record', None)
                    message.private = data.private
                elif words[0] in ('request', 'response'):
                    message = Message(api.name + words[0].capitalize(), api.versions, api.flexible)
                    message.key = api.key
                    if words[0] == 'request':
                        message.response = api.name + 'Response'
                else:
                    raise SchemaError(f'unknown word {words[0]!r}')
                messages.append(message)
                stack = [(2, message.body)]
                continue
            while stack and indent < stack[-1][0]:
                stack.pop()
            if not stack:
                raise SchemaError('bad indentation')
            if indent > stack[-1][0]:  # the first field of the struct that the line above names
                field = stack[-1][1].fields[-1]
                if field.base in PRIMITIVES or field.struct:
                    raise SchemaError(f'{field.name} cannot have fields')
                field.struct = Struct(field.base, field.versions, message)
                stack.append((indent, field.struct))
            struct = stack[-1][1]
            field = Field(words[0], words[1], words[2:], struct.versions)
            field.line = number
            if field.base not in PRIMITIVES:
                field.struct = next((s for s in message.structs if s.name == field.base), None)
            struct.fields.append(field)
        except (SchemaError, IndexError, ValueError) as error:
            sys.exit(f'{path}:{number}: {error}')
        # A struct is listed once its first field is there, after those inside it (reversed at the end).
        if struct is not message.body and struct not in message.structs:
            message.structs.append(struct)
    for message in messages:
        order = []

        def visit(struct):
            for field in struct.fields:
                if field.base not in PRIMITIVES and field.struct is None:
                    sys.exit(f'{path}:{field.line}: type {field.base} is not defined')
                if field.struct and field.struct not in order:
                    visit(field.struct)
            order.append(struct)

        visit(message.body)
        message.structs = order[:-1]
    return apis, messages
