"""Compares two comparable answers. A difference is (path, Kafka's value, ours); the path names fields and elements."""

# What tells an element of a list from its neighbours; the order of elements is no difference.
IDENTITY = ('name', 'topic', 'topic_name', 'topic_id', 'partition_index', 'partition', 'index', 'group_id', 'key', 'resource_type',
            'resource_name', 'api_key', 'member_id', 'producer_id', 'node_id', 'broker_id')


def identity(element):
    if not isinstance(element, dict):
        return str(element)
    named = any(element.get(field) for field in ('name', 'topic'))
    return ','.join(str(element[field]) for field in IDENTITY if field in element and not (named and field == 'topic_id'))


def differences(kafka, ours, path=''):
    if isinstance(kafka, dict) and isinstance(ours, dict):
        for field in {**kafka, **ours}:
            if field not in kafka or field not in ours:
                yield f'{path}.{field}', kafka.get(field, 'not there'), ours.get(field, 'not there')
            else:
                yield from differences(kafka[field], ours[field], f'{path}.{field}')
    elif isinstance(kafka, list) and isinstance(ours, list):
        left, right = by_identity(kafka), by_identity(ours)
        for key in {**left, **right}:
            if key not in left or key not in right:
                yield f'{path}[{key}]', left.get(key, 'not there'), right.get(key, 'not there')
            elif isinstance(left[key], (dict, list)):
                yield from differences(left[key], right[key], f'{path}[{key}]')
    elif kafka != ours:
        yield path or 'the answer', kafka, ours


def by_identity(elements):
    """Equal identities are numbered."""
    out = {}
    for element in elements:
        key, n = identity(element), 1
        while (key if n == 1 else f'{key} #{n}') in out:
            n += 1
        out[key if n == 1 else f'{key} #{n}'] = element
    return out
