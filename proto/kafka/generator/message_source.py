"""Writes the C++ sources of messages: encode, decode, read and write of each struct, and the table of APIs."""
from generator.cpp import CALL, CPP, in_versions, is_default, when
from generator.schema import SIZES


def read_value(field, struct, target):
    """Statements that read `field` into `target`, in a version that has it."""
    flexible = 'false' if field.rigid or struct.message.flexible is None else 'flexible'
    nullable = in_versions(field.nullable, field.versions) if field.nullable else None
    if field.array:
        value = f'{target}.emplace()' if field.optional else target
        wire = f'{field.struct.name}::kWireBytesMin' if field.struct else \
            {'string': '1', 'bytes': '1'}.get(field.base) or str(SIZES[field.base])
        element = field.struct.name if field.struct else CPP[field.base]
        count = f'reader.{"array" if nullable == "true" else "required_array"}({flexible}, {wire}, sizeof({element}))'
        if nullable and nullable != 'true':
            count = f'{nullable} ? reader.array({flexible}, {wire}, sizeof({element}))\n' \
                    f'          : reader.required_array({flexible}, {wire}, sizeof({element}))'
        if field.struct:
            push = 'items.emplace_back().read(reader, version);'
        elif field.base in ('string', 'bytes'):
            push = f'items.push_back(reader.{field.base}({flexible}));'
        else:
            push = f'items.push_back(reader.{CALL[field.base]}());'
        fill = [f'auto& items = {value};', 'items.reserve(static_cast<size_t>(count));',
                'for (int32_t i = 0; i < count && reader.ok(); ++i) ' + push]
        if not field.optional:
            return [f'const int32_t count = {count};', *fill]
        return [f'const int32_t count = {count};', f'if (count < 0) {{', f'  {target}.reset();', '} else {',
                *('  ' + line for line in fill), '}']
    if field.struct:
        if not field.nullable:
            return [f'{target}.read(reader, version);']
        return ['if (reader.i8() < 0) {', f'  {target}.reset();', '} else {', f'  {target}.emplace().read(reader, version);', '}']
    if field.base == 'records':
        return [f'{target} = reader.records({flexible});']
    if field.base in ('string', 'bytes'):
        if not field.nullable:
            return [f'{target} = reader.{field.base}({flexible});']
        if nullable == 'true':
            return [f'{target} = reader.nullable_{field.base}({flexible});']
        return [f'{target} = {nullable} ? reader.nullable_{field.base}({flexible})',
                f'    : std::optional(reader.{field.base}({flexible}));']
    return [f'{target} = reader.{CALL[field.base]}();']


def write_value(field, struct):
    flexible = 'false' if field.rigid or struct.message.flexible is None else 'flexible'
    name, nullable = field.name, in_versions(field.nullable, field.versions) if field.nullable else 'false'
    label = f'"{struct.message.name}.{field.name}"'
    if field.array:
        items = f'*{name}' if field.optional else name
        if field.struct:
            item = 'item.write(writer, version);'
        elif field.base in ('string', 'bytes'):
            item = f'writer.{field.base}({flexible}, item);'
        else:
            item = f'writer.{CALL[field.base]}(item);'
        lines = [f'writer.array({flexible}, {items.replace("*", "") + ("->" if field.optional else ".")}size());',
                 f'for (const auto& item : {items}) {item}']
        if not field.optional:
            return lines
        return [f'if (!{name}) {{', f'  writer.null_array({flexible}, {nullable}, {label});', '} else {',
                *('  ' + line for line in lines), '}']
    if field.struct:
        if not field.nullable:
            return [f'{name}.write(writer, version);']
        return [f'writer.i8({name} ? 1 : -1);', f'if ({name}) {name}->write(writer, version);']
    if field.base == 'records' or (field.base in ('string', 'bytes') and field.nullable):
        prefix = '' if field.base == 'records' else 'nullable_'
        return [f'writer.{prefix}{field.base}({flexible}, {name}, {nullable}, {label});']
    if field.base in ('string', 'bytes'):
        return [f'writer.{field.base}({flexible}, {name});']
    return [f'writer.{CALL[field.base]}({name});']


def braces(lines):
    """A scope of its own, where a statement list declares names."""
    return lines if len(lines) == 1 or not lines[0].startswith('const ') else ['{', *('  ' + l for l in lines), '}']


def read_body(struct):
    out, versions = [], struct.versions
    flexible = struct.message.flexible
    if flexible is not None and flexible <= versions[1]:
        out.append(f'[[maybe_unused]] const bool flexible = version >= {flexible};')
    elif flexible is not None:
        out.append('[[maybe_unused]] const bool flexible = false;')
    for field in struct.fields:
        if not field.tagged:
            out += when(field.versions, versions, braces(read_value(field, struct, field.name)))
    if flexible is None or flexible > versions[1]:
        return out
    tagged = [f for f in struct.fields if f.tagged]
    if not tagged:
        return out + ['if (flexible) reader.skip_tagged_fields();']
    out += ['if (flexible) {', '  int64_t previous = -1;',
            '  for (uint32_t n = reader.tag_count(); n > 0 && reader.ok(); --n) {',
            '    const Reader::Tag tag = reader.begin_tag(previous);', '    previous = tag.number;']
    for index, field in enumerate(tagged):
        guard = in_versions(field.versions, (max(versions[0], flexible), versions[1]))
        guard = '' if guard == 'true' else f' && {guard}'
        out.append(f'    {"if" if index == 0 else "} else if"} (tag.number == {field.tag}{guard}) {{')
        out += ['      ' + line for line in read_value(field, struct, field.name)]
    return out + ['    } else {', '      reader.skip_tag();', '    }', '    reader.end_tag(tag);', '  }', '}']


def write_body(struct):
    out, versions = [], struct.versions
    flexible = struct.message.flexible
    if flexible is not None:
        out.append(f'[[maybe_unused]] const bool flexible = {f"version >= {flexible}" if flexible <= versions[1] else "false"};')
    for field in struct.fields:
        label = f'"{struct.message.name}.{field.name}"'
        has = in_versions(field.versions, versions)
        if has != 'true' and not field.ignorable:
            out.append(f'if (!({has}) && !({is_default(field, field.name)})) writer.fail_absent({label}, version);')
        if not field.tagged:
            out += when(field.versions, versions, write_value(field, struct))
    if flexible is None or flexible > versions[1]:
        return out
    tagged = sorted((f for f in struct.fields if f.tagged), key=lambda f: f.tag)
    if not tagged:
        return out + ['if (flexible) writer.tag_count(0);']
    out += ['if (flexible) {']
    for field in tagged:
        has = in_versions(field.versions, (max(versions[0], flexible), versions[1]))
        has = '' if has == 'true' else f'{has} && '
        out.append(f'  const bool has_{field.name} = {has}!({is_default(field, field.name)});')
    out.append('  writer.tag_count(' + ' + '.join(f'uint32_t{{has_{f.name}}}' for f in tagged) + ');')
    for field in tagged:
        out += [f'  if (has_{field.name}) {{', f'    writer.begin_tag({field.tag});',
                *('    ' + line for line in write_value(field, struct)), '    writer.end_tag();', '  }']
    return out + ['}']


def source(messages):
    out = []

    def method(signature, body):
        uses = any('version' in line for line in body)
        out.append(signature.replace('int16_t version', 'int16_t version' if uses else 'int16_t') + ' {')
        out.extend('  ' + line for line in body)
        out.append('}\n')

    for message in messages:
        name, (low, high) = message.name, message.versions
        for struct in message.structs:
            scope = f'{name}::{struct.name}'
            method(f'void {scope}::read([[maybe_unused]] Reader& reader, int16_t version)', read_body(struct))
            method(f'void {scope}::write([[maybe_unused]] Writer& writer, int16_t version) const', write_body(struct))
        outside = f'version < {low} || version > {high}'
        method(f'void {name}::encode(Writer& writer, int16_t version) const',
               [f'if ({outside}) return writer.fail(farshore::ErrorCode::kUnsupported, version_text(kName, version));',
                *write_body(message.body)])
        method(f'void {name}::read([[maybe_unused]] Reader& reader, int16_t version)', read_body(message.body))
        method(f'Result<{name}> {name}::decode(Reader& reader, int16_t version)',
               [f'if ({outside}) return Error(farshore::ErrorCode::kUnsupported, version_text(kName, version));',
                f'{name} message;', 'message.read(reader, version);',
                'if (auto status = reader.status(); !status) return std::move(status).error().in(kName);',
                'return message;'])
    return out


def unit(sources, messages):
    out = ['// Generated by proto/kafka/generate.py; do not edit.']
    out += [f'#include "proto/kafka/messages/{name}.h"' for name in sources]
    out += ['#include "proto/kafka/wire.h"\n', 'namespace farshore::kafka {\n', 'namespace {\n',
            'std::string version_text(std::string_view name, int16_t version) {',
            '  return std::string(name) + " has no version " + std::to_string(version);', '}\n', '}  // namespace\n']
    return '\n'.join(out + source(messages) + ['}  // namespace farshore::kafka']) + '\n'


def api_table(apis):
    out = ['// Generated by proto/kafka/generate.py; do not edit.', '#include "proto/kafka/api_table.h"\n',
           'namespace farshore::kafka {\n', 'namespace {\n', 'constexpr ApiInfo kApis[] = {',
           '    // key, name, min, max, advertised min, flexible from (-1: never), private']
    for api in sorted(apis, key=lambda a: a.key):
        low, high = api.versions
        advertised = low if api.advertised is None else api.advertised
        flexible = -1 if api.flexible is None else api.flexible
        out.append(f'    {{{api.key}, "{api.name}", {low}, {high}, {advertised}, {flexible}, '
                   f'{"true" if api.private else "false"}}},')
    out += ['};\n', '}  // namespace\n', 'std::span<const ApiInfo> apis() { return kApis; }\n',
            '}  // namespace farshore::kafka']
    return '\n'.join(out) + '\n'
