"""Reading and decoding of bodies, without a server."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidings.protocol.notifications import CreateNotification
from tidings_api.bodies import read_body
from tidings_workers.refused import Refused
from tidings_workers.strict_json import BodyDecoder

_scalar = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_anything = st.recursive(
    _scalar,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
_fields = st.sampled_from(["to", "users", "title", "data", "actions", "expires_in", "link", "x"])
_decoder = BodyDecoder(CreateNotification)


def outcome(text: bytes) -> str:
    try:
        _decoder.decode(text)
    except Refused as error:
        return error.code
    return "decoded"


@given(st.one_of(st.dictionaries(_fields, _anything), _anything), st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_body_is_decoded_or_refused(body: Any, draw: st.DataObject) -> None:
    """A whole, cut or changed text is decoded or refused, and never makes the decoder fail in another way."""
    text = bytearray(json.dumps(body).encode())
    if draw.draw(st.booleans()):
        text[draw.draw(st.integers(0, len(text) - 1))] = draw.draw(st.integers(0, 255))
    assert outcome(bytes(text)) in {"decoded", "malformed_json", "invalid_request"}


async def test_a_slow_body_is_a_408(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is not complete in time gets a 408, even while bytes still arrive."""
    monkeypatch.setattr("tidings_api.bodies.limits.BODY_TIMEOUT_SECONDS", 0.05)

    async def drip() -> Any:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    with pytest.raises(Refused) as caught:
        await read_body(drip, {b"content-length": [b"1000"]}, 1000)
    assert caught.value.code == "body_timeout"
