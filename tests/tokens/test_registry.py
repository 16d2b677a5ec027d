"""Tenants and keys: the operator's changes, and the view of them in every process."""

import asyncio
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis, RedisCluster

from tests.support.costly import MOST_PER_BYTE, cost_per_byte
from tests.support.valkey import Valkey
from tidings_workers.registry import SCOPES, NameKeepsData, Registry, RegistryView, TenantExists
from tidings_workers.retention_rules import Rules, rules_of
from tidings_workers.store.keys import REGISTRY_VERSION, TENANTS
from tidings_workers.tenants import RegistryError, Tenant, TenantSettings


async def test_a_key_is_one_string_of_three_parts(registry: Registry) -> None:
    """A new key has the form `<tenant>.<kid>.<secret>`, and by default every scope."""
    await registry.create_tenant("demo")
    tenant, kid, secret = (await registry.create_key("demo")).split(".")
    (info,) = await registry.list_keys("demo")
    assert (tenant, kid, len(secret), info.scopes) == ("demo", "k1", 43, SCOPES)


async def test_the_name_of_a_deleted_tenant_is_not_reused(registry: Registry) -> None:
    """The registry refuses the name of a deleted tenant, because its data are still stored."""
    await registry.create_tenant("demo")
    await registry.create_key("demo")
    await registry.delete_tenant("demo")
    with pytest.raises(NameKeepsData, match=r"keeps data of an earlier tenant 'demo': choose another name"):
        await registry.create_tenant("demo")
    assert await registry.list_tenants() == []


async def test_the_name_of_a_tenant_without_keys_can_be_reused(registry: Registry) -> None:
    """The name of a deleted tenant that never had a key can be used again, because it stored nothing."""
    await registry.create_tenant("demo")
    await registry.delete_tenant("demo")
    await registry.create_tenant("demo")
    assert (await registry.create_key("demo")).split(".")[1] == "k1"


async def test_the_key_that_signs_is_one_that_allows_the_scopes(registry: Registry) -> None:
    """The newest key that has all the scopes signs, and not a later one with fewer scopes."""
    await registry.create_tenant("demo")
    for name, scopes in (("first", None), ("second", None), ("narrow", ["send", "read"])):
        await registry.create_key("demo", scopes, name=name)
    for wanted, name in (({"inbox"}, "second"), ({"send"}, "narrow"), ({"send", "tenant"}, "second")):
        key = await registry.signing_key("demo", wanted)
        assert key is not None
        assert key.name == name
    assert [info.name for info in await registry.list_keys("demo")] == ["first", "second", "narrow"]


@pytest.mark.parametrize("name", ["a" * 101, "two\nlines", "\x1b[31m"])
async def test_a_key_s_name_is_one_printable_line(registry: Registry, name: str) -> None:
    """The registry refuses a name of a key that has control characters or several lines."""
    await registry.create_tenant("demo")
    with pytest.raises(RegistryError, match="one line"):
        await registry.create_key("demo", name=name)


@pytest.mark.parametrize("tenant", ["", "Demo", "a" * 41, "a.b", "a\n", "ä"])
async def test_a_tenant_id_outside_its_alphabet_is_refused(registry: Registry, tenant: str) -> None:
    """The registry refuses a tenant id with a character outside the alphabet."""
    with pytest.raises(RegistryError):
        await registry.create_tenant(tenant)


async def test_a_tenant_is_made_once(registry: Registry) -> None:
    """Creating a tenant again raises an error and changes nothing."""
    await registry.create_tenant("demo", origins=["https://shop.example"])
    with pytest.raises(TenantExists):
        await registry.create_tenant("demo")
    (tenant,) = await registry.list_tenants()
    assert tenant.origins == ("https://shop.example",)


async def test_an_unknown_tenant_or_key_is_named(registry: Registry) -> None:
    """A change of an unknown tenant or key raises an error that names it."""
    for change in (
        registry.update_tenant("nobody", origins=()),
        registry.delete_tenant("nobody"),
        registry.create_key("nobody"),
        registry.list_keys("nobody"),
        registry.revoke_key("nobody", "k1"),
    ):
        with pytest.raises(RegistryError, match="nobody"):
            await change


@pytest.mark.parametrize("scopes", [[], ["send", "root"], [""]])
async def test_unknown_scopes_are_refused(registry: Registry, scopes: list[str]) -> None:
    """The registry refuses a key without a scope or with an unknown one."""
    await registry.create_tenant("demo")
    with pytest.raises(RegistryError, match="scopes"):
        await registry.create_key("demo", scopes=scopes)


async def test_origins_are_kept_as_browsers_send_them(registry: Registry) -> None:
    """An origin is stored in lower case, without default port and trailing slash."""
    await registry.create_tenant("demo")
    tenant = await registry.update_tenant("demo", origins=["HTTPS://Shop.Example:443/", "http://[::1]:3000"])
    assert tenant.origins == ("https://shop.example", "http://[::1]:3000")


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "shop.example",
            "ftp://a",
            "https://a/b",
            "https://u@a",
            "https://a:x",
            "*",
            "",
            "https://",
            "file:///",
        ),
        *("https://*", "https://*.com", "https://a.*.example", "https://*a.example", "https://**.a.example"),
        *(
            "capacitor://*.local.host",
            "https://*.0.0.1",
            "https://a,https://b",
            "https://a b",
            "https://a_.-",
        ),
        *("htps://a", "wss://a.example", "https://straße.example", "https://a..example", "javascript://a"),
    ],
)
async def test_an_invalid_origin_is_refused(registry: Registry, origin: str) -> None:
    """The registry refuses an origin that a browser would never send."""
    with pytest.raises(RegistryError, match="origin"):
        await registry.create_tenant("demo", origins=[origin])


@pytest.mark.parametrize(
    ("listed", "kept", "admitted", "refused"),
    [
        ("https://*.Shop.example/", "https://*.shop.example",
         ["https://a.shop.example", "https://b.a.shop.example", "https://A.Shop.Example"],
         ["https://shop.example", "https://ashop.example", "http://a.shop.example", "https://a.shop.example:8443",
          "https://a.shop.example.evil.example", "https://*.evil.example", "null", ""]),
        ("http://*.localhost:3000", "http://*.localhost:3000",
         ["http://a.localhost:3000"], ["http://a.localhost", "http://localhost:3000"]),
        ("https://München.example", "https://xn--mnchen-3ya.example",
         ["https://xn--mnchen-3ya.example"], ["https://munchen.example"]),
        ("https://*.münchen.example", "https://*.xn--mnchen-3ya.example",
         ["https://a.xn--mnchen-3ya.example"], ["https://xn--mnchen-3ya.example"]),
        ("capacitor://localhost", "capacitor://localhost", ["capacitor://localhost"], ["http://localhost"]),
        ("ionic://localhost", "ionic://localhost", ["ionic://localhost"], ["capacitor://localhost"]),
        ("tauri://localhost", "tauri://localhost", ["tauri://localhost"], ["https://tauri.localhost"]),
        ("chrome-extension://abcdefghijklmnopabcdefghijklmnop", "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
         ["chrome-extension://abcdefghijklmnopabcdefghijklmnop"], ["chrome-extension://bbcdefghijklmnopabcdefghijklmnop"]),
        ("moz-extension://4C1B-9f", "moz-extension://4c1b-9f", ["moz-extension://4c1b-9f"], ["moz-extension://x"]),
        ("null", "null", ["null"], ["https://null", "file://", ""]),
        ("https://shop.example", "https://shop.example", ["https://shop.example"], ["null", "https://a.shop.example"]),
    ],
)  # fmt: skip
async def test_a_listed_origin_admits_the_pages_it_means(
    registry: Registry, view: RegistryView, listed: str, kept: str, admitted: list[str], refused: list[str]
) -> None:
    """A listed origin is stored as browsers write it, and admits exactly its pages."""
    tenant = await registry.create_tenant("demo", origins=[listed])
    assert tenant.origins == (kept,)
    await view.load()
    for name in ("demo", None):
        assert [origin for origin in admitted if not view.admits(origin, name)] == []
        assert [origin for origin in refused if view.admits(origin, name)] == []


@pytest.mark.parametrize("origin", ["https://" + "a." * 30_000, "https://" + "a" * 60_000, "." * 60_000])
async def test_a_long_origin_is_checked_cheaply(registry: Registry, origin: str) -> None:
    """The check of an origin takes CPU time in proportion to its length."""
    tenant = await registry.create_tenant("demo", origins=["https://*.shop.example"])
    assert not tenant.admits(origin)
    assert cost_per_byte(lambda: tenant.admits(origin), len(origin)) < MOST_PER_BYTE


async def test_the_view_follows_every_change(registry: Registry, view: RegistryView) -> None:
    """The view has new tenants, keys and revocations within 2 s, and calls its listeners."""
    changed, stop = asyncio.Event(), asyncio.Event()
    view.on_change(changed.set)

    async def seen() -> None:
        async with asyncio.timeout(2):
            await changed.wait()
        changed.clear()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(view.run(stop))
        await seen()
        await registry.create_tenant("demo")
        await registry.create_key("demo", scopes=["send"])
        while view.key("demo", "k1") is None:
            await seen()
        assert view.tenant("demo") is not None
        await registry.revoke_key("demo", "k1")
        await seen()
        assert view.key("demo", "k1") is None
        stop.set()


async def test_a_refresh_finds_a_new_key_at_once(registry: Registry, view: RegistryView) -> None:
    """After a refresh a new key is in the view before the next poll."""
    await view.load()
    await registry.create_tenant("demo")
    await registry.create_key("demo")
    await asyncio.gather(*(view.refresh() for _ in range(50)))
    assert view.key("demo", "k1") is not None


async def test_the_view_works_during_an_outage(valkey: Valkey) -> None:
    """During an outage of the store the view keeps the last state, and later changes follow after it."""
    async with Redis.from_url(valkey.url, socket_timeout=0.2, socket_connect_timeout=0.2) as redis:
        registry, view, stop = Registry(redis), RegistryView(redis), asyncio.Event()
        await registry.create_tenant("demo")
        await registry.create_key("demo")
        await view.load()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(view.run(stop))
            valkey.kill()
            await view.refresh()
            assert view.key("demo", "k1") is not None
            changed = asyncio.Event()
            view.on_change(changed.set)
            valkey.start()
            await registry.create_tenant("later")
            async with asyncio.timeout(5):
                while view.tenant("later") is None:
                    await changed.wait()
                    changed.clear()
            stop.set()


async def test_a_change_after_a_loss_is_loaded(valkey: Valkey) -> None:
    """A store that lost its last changes gives no version again: the next change reaches every view."""
    async with Redis.from_url(valkey.url) as redis:
        registry, view = Registry(redis), RegistryView(redis)
        await registry.create_tenant("demo")
        kept = await redis.get(REGISTRY_VERSION)
        await registry.create_tenant("lost")
        await view.load()
        assert kept is not None
        await redis.set(REGISTRY_VERSION, kept)
        await redis.hdel(TENANTS, "lost")
        await registry.create_tenant("later")
        await view.load()
        assert (view.tenant("lost"), view.tenant("later") is not None) == (None, True)


async def test_the_registry_works_on_a_cluster(cluster_url: str) -> None:
    """All keys of the registry are in one slot, so its scripts run on a cluster."""
    redis = RedisCluster.from_url(cluster_url.removeprefix("redis+cluster://").join(("redis://", "")))
    try:
        registry, view = Registry(redis), RegistryView(redis)
        await registry.create_tenant("demo")
        await registry.create_tenant("other")
        await registry.create_key("demo")
        await registry.create_key("other")
        await registry.revoke_key("other", "k1")
        await view.load()
        assert view.key("demo", "k1") is not None
        assert view.key("other", "k1") is None
        await registry.delete_tenant("demo")
        assert [tenant.id for tenant in await registry.list_tenants()] == ["other"]
    finally:
        await redis.aclose()


async def test_a_change_affects_only_the_named_settings(registry: Registry, view: RegistryView) -> None:
    """A change keeps the settings that it does not name, merges categories, and reaches every process."""
    await registry.create_tenant("demo", origins=["https://shop.example"])
    (made,) = await registry.list_tenants()
    assert (made.retention_days, made.sessions, made.connections_per_user) == ("default", "many", None)
    await registry.update_tenant("demo", retention_days=None, category_retention={"orders.": 365, "chat": 7})
    await registry.update_tenant("demo", sessions="replace", category_retention={"chat": "default"})
    await view.load()
    seen = view.tenant("demo")
    assert seen is not None
    assert (seen.origins, seen.retention_days) == (("https://shop.example",), None)
    assert (seen.category_retention, seen.connections_per_user) == ({"orders.": 365}, 1)
    await registry.update_tenant("demo", retention_days="default", session_limit=3)
    assert (await registry.list_tenants())[0].connections_per_user == 3


@pytest.mark.parametrize(
    "settings",
    [
        {"retention_days": 8},
        {"retention_days": "forever"},
        {"category_retention": {"": 7}},
        {"category_retention": {"orders.": 0}},
        {"all_lookback": 60},
        {"sessions": "one"},
        {"session_limit": 0},
    ],
)
async def test_settings_out_of_range_are_refused(registry: Registry, settings: TenantSettings) -> None:
    """The registry refuses a setting out of range, and the tenant keeps the old one."""
    before = await registry.create_tenant("demo")
    with pytest.raises(RegistryError):
        await registry.update_tenant("demo", **settings)
    assert await registry.list_tenants() == [before]


async def test_a_tenant_of_an_earlier_version_has_default_settings(registry: Registry, redis: Redis) -> None:
    """A tenant that was stored by a version without settings has the defaults."""
    await redis.hset(
        "{tidings}/tenants", "demo", '{"id":"demo","origins":[],"created_at":"2026-11-22T07:00:00Z"}'
    )
    (tenant,) = await registry.list_tenants()
    assert rules_of(tenant, 5) == Rules(5)
    assert (await registry.update_tenant("demo", retention_days=7)).retention_days == 7


def test_the_longest_matching_category_decides() -> None:
    """The retention of a category is its own rule, else that of the longest prefix, else the tenant's."""
    day = 86_400_000
    tenant = Tenant(
        id="demo",
        created_at=datetime.now(UTC),
        retention_days=30,
        category_retention={"orders.": 365, "orders.draft.": 7, "orders.draft.vip": None, "chat": 7},
        all_lookback=10 * 86_400,
    )
    rules = rules_of(tenant, 90 * day)
    kept = {
        name: rules.keep(name)
        for name in ("orders.paid", "orders", "orders.draft.x", "orders.draft.vip", "chat", "chat.x")
    }
    assert kept == {
        "orders.paid": 365 * day,
        "orders": 30 * day,
        "orders.draft.x": 7 * day,
        "orders.draft.vip": None,
        "chat": 7 * day,
        "chat.x": 30 * day,
    }
    assert (rules.keep(None), rules.longest) == (30 * day, None)
    seen = [rules.of_all().keep(name) for name in (None, "chat", "orders.draft.vip")]
    assert seen == [10 * day, 7 * day, 10 * day]
