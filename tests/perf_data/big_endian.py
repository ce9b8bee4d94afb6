"""A recording as a big-endian machine would have written it: every number of it turned round.

Only what the fixture `chains` holds is known: its records, and the features that are read.
"""

import struct
from collections.abc import Iterator

HEADER, ATTRIBUTE = 104, 128
# type of record -> numbers behind the header, the rest is text (and the id fields)
LAYOUTS = {1: "IIQQQ", 3: "II", 4: "IIIIQ", 7: "IIIIQ", 10: "IIQQQIIQQII", 13: "Q", 17: "QIHH",
           18: "HHI8s"}  # fmt: skip
TEXT_BEHIND = (1, 3, 10, 17)
TAILS = "IIQII"  # TID TIME CPU: what sample_type says


def turned(layout: str, raw: bytes) -> bytes:
    return struct.pack(f">{layout}", *struct.unpack(f"<{layout}", raw))


def words(raw: bytes) -> bytes:
    return turned(f"{len(raw) // 8}Q", raw)


def bits_turned(flags: int) -> int:
    return int(f"{flags:064b}"[::-1], 2)


def attribute(raw: bytes) -> bytes:
    fields = list(struct.unpack("<IIQQQQQIIQQQQIiQIHHIIQ", raw[:128]))
    fields[6] = bits_turned(fields[6])
    return struct.pack(">IIQQQQQIIQQQQIiQIHHIIQ", *fields)


def sample(raw: bytes) -> bytes:
    """IP TID TIME CPU PERIOD and the chain."""
    return turned("QIIQIIQ", raw[:40]) + words(raw[40:])


def record(raw: bytes) -> bytes:
    kind, misc, size = struct.unpack_from("<IHH", raw)
    head, body = struct.pack(">IHH", kind, misc, size), raw[8:]
    if kind == 9:
        return head + sample(body)
    if kind >= 64:  # perf's own: nobody looks into those of this fixture
        return head + body
    layout = LAYOUTS[kind]
    count = struct.calcsize(f"<{layout}")
    tail = struct.calcsize(f"<{TAILS}")
    middle = body[count : len(body) - tail]
    if kind not in TEXT_BEHIND:
        middle = words(middle)
    end = turned(TAILS, body[len(body) - tail :])
    return head + turned(layout, body[:count]) + middle + end


def records(raw: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(raw):
        size = struct.unpack_from("<H", raw, at + 6)[0]
        yield record(raw[at : at + size])
        at += size


def strings(raw: bytes, at: int, count: int) -> bytes:
    made = b""
    for _ in range(count):
        (length,) = struct.unpack_from("<I", raw, at)
        made += struct.pack(">I", length) + raw[at + 4 : at + 4 + length]
        at += 4 + length
    return made


def feature(number: int, raw: bytes) -> bytes:
    if number in (3, 4, 5, 6):
        return strings(raw, 0, 1)
    if number == 11:
        return turned("I", raw[:4]) + strings(raw, 4, struct.unpack_from("<I", raw)[0])
    if number == 7:
        return turned("II", raw)
    if number == 21:
        return words(raw)
    if number == 12:
        return events(raw)
    if number == 2:
        return build_ids(raw)
    return pmus(raw) if number == 16 else b""


def pmus(raw: bytes) -> bytes:
    made, at = turned("I", raw[:4]), 4
    for _ in range(struct.unpack_from("<I", raw)[0]):
        made += turned("I", raw[at : at + 4]) + (name := strings(raw, at + 4, 1))
        at += 4 + len(name)
    return made


def events(raw: bytes) -> bytes:
    count, size = struct.unpack_from("<II", raw)
    made, at = struct.pack(">II", count, size), 8
    for _ in range(count):
        made += attribute(raw[at : at + size])
        ids, length = struct.unpack_from("<II", raw, at + size)
        name = raw[at + size + 8 : at + size + 8 + length]
        at += size + 8 + length
        made += struct.pack(">II", ids, length) + name + words(raw[at : at + 8 * ids])
        at += 8 * ids
    return made


def build_ids(raw: bytes) -> bytes:
    made, at = b"", 0
    while at < len(raw):
        size = struct.unpack_from("<H", raw, at + 6)[0]
        made += turned("IHHi", raw[at : at + 12]) + raw[at + 12 : at + size]
        at += size
    return made


def big_endian(raw: bytes) -> bytes:
    """The whole file, with everything where it was."""
    head = struct.unpack_from("<13Q", raw)
    attributes_at, attributes_size, data_at, data_size, bits = *head[3:7], head[9]
    made = bytearray(raw)
    made[:HEADER] = words(raw[:HEADER])
    for at in range(attributes_at, attributes_at + attributes_size, ATTRIBUTE + 16):
        made[at : at + ATTRIBUTE] = attribute(raw[at : at + ATTRIBUTE])
        end = at + ATTRIBUTE
        made[end : end + 16] = words(raw[end : end + 16])
        ids_at, ids_size = struct.unpack_from("<QQ", raw, end)
        made[ids_at : ids_at + ids_size] = words(raw[ids_at : ids_at + ids_size])
    made[data_at : data_at + data_size] = b"".join(records(raw[data_at : data_at + data_size]))
    table = data_at + data_size
    for place, number in enumerate(bit for bit in range(64) if bits >> bit & 1):
        at = table + 16 * place
        offset, size = struct.unpack_from("<QQ", raw, at)
        made[at : at + 16] = words(raw[at : at + 16])
        turned_round = feature(number, raw[offset : offset + size])
        made[offset : offset + len(turned_round)] = turned_round
    return bytes(made)
