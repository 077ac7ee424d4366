"""The C++ side of schema types: type names, defaults, and conditions on versions."""
CPP = {'bool': 'bool', 'int8': 'int8_t', 'int16': 'int16_t', 'uint16': 'uint16_t', 'int32': 'int32_t',
       'uint32': 'uint32_t', 'int64': 'int64_t', 'float64': 'double', 'uuid': 'Uuid', 'string': 'std::string',
       'bytes': 'Bytes', 'records': 'Records'}
CALL = {'bool': 'boolean', 'int8': 'i8', 'int16': 'i16', 'uint16': 'u16', 'int32': 'i32', 'uint32': 'u32',
        'int64': 'i64', 'float64': 'f64', 'uuid': 'uuid'}


def value_type(field):
    base = CPP.get(field.base) or field.struct.name
    return f'std::vector<{base}>' if field.array else base


def cpp_type(field):
    return f'std::optional<{value_type(field)}>' if field.optional else value_type(field)


def initial(field):
    """The C++ default, as an initializer expression; '' where default construction is it."""
    if field.optional:
        return '' if field.default == 'null' else f'{value_type(field)}()'
    if field.array or field.base in ('string', 'bytes', 'records', 'uuid') or field.struct:
        if field.default not in (None, '""', 'null'):
            return f'"{field.default}"'
        return ''
    if field.base == 'bool':
        return field.default or 'false'
    value = int(field.default or 0)
    if field.base == 'int64' and value == -2**63:
        return 'INT64_MIN'
    return 'INT32_MIN' if value == -2**31 else str(value) + ('LL' if abs(value) > 2**31 else '')


def is_default(field, expr):
    """A C++ condition: the field has its default."""
    if field.optional:
        return f'!{expr}' if field.default == 'null' else f'({expr} && {expr}->empty())'
    if field.base == 'records':
        return f'{expr}.is_null()'
    if field.array or field.base == 'bytes':
        return f'{expr}.empty()'
    if field.base == 'string':
        return f'{expr}.empty()' if not initial(field) else f'{expr} == {initial(field)}'
    if field.base == 'uuid':
        return f'{expr}.is_zero()'
    if field.struct:
        return f'{expr} == {field.struct.name}()'
    if field.base == 'bool':
        return f'!{expr}' if initial(field) == 'false' else expr
    return f'{expr} == {initial(field)}'


def when(versions, outer, lines):
    """`lines`, run only in these versions."""
    conditions = []
    if versions[0] > outer[0]:
        conditions.append(f'version >= {versions[0]}')
    if versions[1] < outer[1]:
        conditions.append(f'version <= {versions[1]}')
    if not conditions:
        return lines
    return [f'if ({" && ".join(conditions)}) {{', *('  ' + line for line in lines), '}']


def in_versions(versions, outer):
    """A C++ expression: the version is one of these."""
    if versions is None:
        return 'false'
    conditions = []
    if versions[0] > outer[0]:
        conditions.append(f'version >= {versions[0]}')
    if versions[1] < outer[1]:
        conditions.append(f'version <= {versions[1]}')
    return ' && '.join(conditions) or 'true'
