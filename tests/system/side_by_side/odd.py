"""Odd requests made from one that is right: each field in turn gets each odd value of its type."""
from .messages import default_of, fields_at, may_be_null

LONGEST_NAME = 249  # characters of a topic's name
ODD_TEXTS = {'empty': '', 'unknown': 'nobody-knows-it', 'a dot': '.', 'two dots': '..', 'a slash': 'a/b', 'a space': 'a b',
             'an umlaut': 'ä', '249 characters': 'n' * LONGEST_NAME, '250 characters': 'n' * (LONGEST_NAME + 1)}
ODD_SMALL = {'minus one': -1, 'zero': 0, 'one': 1, 'two': 2, 'minus two': -2}
ODD_RANGES = {'int8': 1 << 7, 'int16': 1 << 15, 'int32': 1 << 31, 'int64': 1 << 63}
WAITS = ('timeout_ms', 'max_wait_ms', 'rebalance_timeout_ms')  # a large one changes nothing but the test's time
TIMES = {f'minus {n}': -n for n in range(1, 8)}
UNKNOWN_ID = bytes(range(16))


def odd_scalars(field):
    if field.base == 'string':
        return ODD_TEXTS
    if field.base == 'bool':
        return {'false': False, 'true': True}
    if field.base == 'uuid':
        return {'zero': bytes(16), 'unknown': UNKNOWN_ID}
    if field.base == 'bytes':
        return {'empty': b'', 'odd': b'\xff\xff\xff'}
    if field.base not in ODD_RANGES:
        return {}
    limit = ODD_RANGES[field.base]
    out = dict(ODD_SMALL, lowest=-limit)
    if field.name == 'timestamp':
        out.update(TIMES)
    if field.name not in WAITS:
        out['highest'] = limit - 1
    return out


def odd_field(field, version, value, skip):
    if field.array:
        yield ' is empty', []
        yield ' is null', None
        if value:
            yield ' has its first element twice', value + value[:1]
            for words, one in odd_element(field, version, value[0], skip):
                yield words, [one] + value[1:]
        return
    yield from odd_element(field, version, value, skip)


def odd_element(field, version, value, skip):
    if may_be_null(field, version) and not field.array:
        yield ' is null', None
    if field.struct:
        for words, one in odd_structs(field.struct, version, value or {}, skip):
            yield '.' + words, one
        return
    for words, one in odd_scalars(field).items():
        if type(one) is not type(value) or one != value:
            yield f' is {words}', one


def odd_structs(struct_, version, value, skip=()):
    """(words, request) with one field changed in each. `skip`: names of fields that stay as they are."""
    for field in fields_at(struct_, version):
        if field.name in skip or field.tagged and field.name not in value:
            continue
        now = value.get(field.name, default_of(field, version))
        for words, one in odd_field(field, version, now, skip):
            yield field.name + words, {**value, field.name: one}
