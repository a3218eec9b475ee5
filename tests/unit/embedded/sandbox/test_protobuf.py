"""Bodies in protobuf."""

from __future__ import annotations

import pytest

from fleet.embedded.sandbox.protobuf import Unreadable, _table, decode, envelope
from fleet.embedded.sandbox.shapes import builtin


def varint(number: int) -> bytes:
    found = b""
    number &= (1 << 64) - 1
    while True:
        byte, number = number & 0x7F, number >> 7
        if not number:
            return found + bytes([byte])
        found += bytes([byte | 0x80])


def field(number: int, value: bytes | int | str) -> bytes:
    """One field of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def body(version: str, kind: str, raw: bytes) -> bytes:
    words = field(1, version) + field(2, kind)
    return b"k8s\0" + field(1, words) + field(2, raw) + field(3, "") + field(4, "")


def test_envelope() -> None:
    assert envelope(body("v1", "ConfigMap", b"raw")) == ("v1", "ConfigMap", b"raw")


@pytest.mark.parametrize("raw", [b"", b"{}", b"k8s\0\x0b"])
def test_what_is_no_such_body(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        envelope(raw)


def test_what_ends_too_early() -> None:
    with pytest.raises(Unreadable):
        decode(b"\x0a\x05a", builtin("V1ConfigMap"))


def test_a_model_that_is_not_known() -> None:
    with pytest.raises(Unreadable, match="V1JSONSchemaProps is not read"):
        decode(b"", builtin("V1JSONSchemaProps"))


def test_maps_bytes_and_metadata() -> None:
    metadata = field(1, "one") + field(3, "shop") + field(11, field(1, "app") + field(2, "web"))
    raw = field(1, metadata) + field(2, field(1, "a") + field(2, b"\x00\xff")) + field(3, "Opaque")
    assert decode(raw, builtin("V1Secret")) == {
        "metadata": {"name": "one", "namespace": "shop", "labels": {"app": "web"}},
        "data": {"a": "AP8="},
        "type": "Opaque",
    }


def test_inlined_messages_lists_and_numbers() -> None:
    """A volume's source is a message of its own; negative numbers have ten bytes."""
    empty = field(1, "tmp") + field(2, field(2, field(1, "Memory")))
    spec = field(1, empty) + field(4, -1) + field(11, 1)
    found = decode(spec, builtin("V1PodSpec"))
    assert found["volumes"] == [{"name": "tmp", "emptyDir": {"medium": "Memory"}}]
    assert found["terminationGracePeriodSeconds"] == -1
    assert found["hostNetwork"] is True


@pytest.mark.parametrize(
    ("raw", "port"),
    [(field(1, 0) + field(2, 80) + field(3, ""), 80), (field(1, 1) + field(3, "http"), "http")],
)
def test_a_port_is_a_number_or_a_name(raw: bytes, port: int | str) -> None:
    found = decode(field(3, 80) + field(4, raw), builtin("V1ServicePort"))
    assert found == {"port": 80, "targetPort": port}


def test_times_and_quantities() -> None:
    metadata = field(8, field(1, 1_767_225_600) + field(2, 0))
    quota = field(2, field(1, field(1, "cpu") + field(2, field(1, "500m"))))
    found = decode(field(1, metadata) + quota, builtin("V1ResourceQuota"))
    assert found["metadata"] == {"creationTimestamp": "2026-01-01T00:00:00Z"}
    assert found["spec"] == {"hard": {"cpu": "500m"}}
    assert decode(field(1, field(8, b"")), builtin("V1ConfigMap")) == {"metadata": {}}


def test_every_field_of_the_table_is_one_of_its_model() -> None:
    for model, line in _table().items():
        words = line.replace("(", " ").replace(")", " ").split()
        unknown = {it for it in words if it != "-"} - set(builtin(model).fields)
        assert unknown == set(), model
