"""The digest of rows as `lake-format.md` defines it, a value at a time: written from the document and not from our code."""

import struct

import pyarrow
import xxhash

MODULO = 1 << 128


def digest(table):
    """The digest of the rows of a pyarrow table, as 32 hex digits."""
    columns = [(name, table.column(name).combine_chunks()) for name in table.column_names]
    total = 0
    for row in range(table.num_rows):
        cells = sum(cell(name, column.type, column[row]) for name, column in columns) % MODULO
        total += xxhash.xxh3_128_intdigest(low_first(cells))
    return f"{total % MODULO:032x}"


def cell(path, kind, value):
    if not value.is_valid:
        return 0
    seed = xxhash.xxh3_64_intdigest(path.encode())
    if pyarrow.types.is_struct(kind):
        own = xxhash.xxh3_128_intdigest(b"", seed)
        return own + sum(cell(f"{path}.{kind.field(at).name}", kind.field(at).type, value[at]) for at in range(kind.num_fields))
    return xxhash.xxh3_128_intdigest(content(path, kind, value), seed)


def content(path, kind, value):
    if pyarrow.types.is_list(kind):
        return b"".join(low_first(cell(f"{path}[]", kind.value_type, item) % MODULO) for item in value.values)
    if pyarrow.types.is_timestamp(kind):
        return struct.pack("<q", value.value)
    value = value.as_py()
    if isinstance(value, bool):
        return bytes([value])
    if isinstance(value, int):
        return struct.pack("<q", value)
    if isinstance(value, float):
        return struct.pack("<d", value)
    return value if isinstance(value, bytes) else value.encode()


def low_first(number):
    return number.to_bytes(16, "little")
