"""Keys, tokens and deleted tenants, by the operator's commands."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from redis.asyncio import Redis

from tests.operations.support import tidings_server
from tests.support.stack import clean_environment
from tidings_workers.registry import Registry


@pytest.fixture
async def store(redis_url: str) -> dict[str, str]:
    """A tenant `acme` with a key k1 of all scopes and a newer key k2 with fewer scopes."""
    async with Redis.from_url(redis_url) as redis:
        registry = Registry(redis)
        await registry.create_tenant("acme")
        await registry.create_key("acme", name="everything")
        await registry.create_key("acme", ["send", "read"], name="the shop")
    return {"REDIS_URL": redis_url}


def kid_of(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


def test_a_token_is_signed_by_a_key_that_allows_it(tmp_path: Path, store: dict[str, str]) -> None:
    """The newest key that allows the scopes signs, also when a newer key allows fewer."""
    words = ("token", "--tenant", "acme", "--user", "ana")
    for more, kid in (((), "k1"), (("--scope", "send"), "k2"), (("--scope", "send", "--kid", "k1"), "k1")):
        ended = tidings_server(*words, *more, cwd=tmp_path, environment=store)
        assert ended.returncode == 0, ended.stderr
        assert kid_of(ended.stdout.strip()) == kid


def test_a_missing_key_is_explained(tmp_path: Path, store: dict[str, str]) -> None:
    """When no key, or not the chosen one, allows the scopes, the error lists the keys."""
    words = ("token", "--tenant", "acme", "--user", "ana")
    chosen = tidings_server(*words, "--kid", "k2", cwd=tmp_path, environment=store)
    assert (chosen.returncode, chosen.stdout) == (1, "")
    assert "key k2 does not allow inbox (k1 allows send" in chosen.stderr
    assert "k2 allows send read" in chosen.stderr
    unknown = tidings_server(*words, "--kid", "k9", cwd=tmp_path, environment=store)
    assert "no valid HS256 key k9" in unknown.stderr
    tidings_server("keys", "revoke", "k1", "--tenant", "acme", cwd=tmp_path, environment=store)
    none = tidings_server(*words, cwd=tmp_path, environment=store)
    assert none.returncode == 1
    assert "no key allows inbox (k2 allows send read)" in none.stderr
    assert "keys create --tenant acme" in none.stderr


def test_a_key_s_name_is_listed(tmp_path: Path, store: dict[str, str]) -> None:
    """`keys list` shows the name of each key, as text and as JSON."""
    words = ("keys", "list", "--tenant", "acme")
    assert "the shop" in tidings_server(*words, cwd=tmp_path, environment=store).stdout
    keys = json.loads(tidings_server(*words, "--json", cwd=tmp_path, environment=store).stdout)["keys"]
    assert [key["name"] for key in keys] == ["everything", "the shop"]


def test_a_deleted_tenant_s_name_is_refused(tmp_path: Path, store: dict[str, str]) -> None:
    """Deleting lists the kept data, and a new tenant can't have that name."""
    refused = tidings_server("tenants", "delete", "acme", cwd=tmp_path, environment=store)
    assert refused.returncode == 2
    deleted = tidings_server("tenants", "delete", "acme", "--yes", cwd=tmp_path, environment=store)
    assert deleted.returncode == 0
    assert "kept in the store: its notifications" in deleted.stdout
    again = tidings_server("tenants", "create", "acme", cwd=tmp_path, environment=store)
    assert (again.returncode, again.stdout) == (1, "")
    assert "keeps data of an earlier tenant" in again.stderr
    assert "choose another name" in again.stderr


@pytest.mark.parametrize(("typed", "code"), [("acme", 0), ("acmee", 1), ("", 1)])
def test_deleting_at_a_terminal_asks_for_the_name(
    tmp_path: Path, store: dict[str, str], typed: str, code: int
) -> None:
    """At a terminal the tenant's id must be typed; any other input deletes nothing."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{typed}\n".encode())
        ended = subprocess.run(
            [sys.executable, "-m", "tidings_api.cli", "tenants", "delete", "acme"],
            cwd=tmp_path,
            env=clean_environment(**store),
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert ended.returncode == code
    left = json.loads(tidings_server("tenants", "list", "--json", cwd=tmp_path, environment=store).stdout)
    assert [each["id"] for each in left["tenants"]] == ([] if code == 0 else ["acme"])


def test_times_in_json_are_those_of_the_api(tmp_path: Path, store: dict[str, str]) -> None:
    """JSON of commands has times in UTC with three digits of milliseconds, as in REST and frames."""
    for words in (("keys", "list", "--tenant", "acme"), ("tenants", "list")):
        text = tidings_server(*words, "--json", cwd=tmp_path, environment=store).stdout
        times = re.findall(r'_at":"([^"]+)"', text)
        assert times
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times), text
