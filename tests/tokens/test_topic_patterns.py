"""Patterns of topics: they allow what they say and nothing else, in time that is linear in their length."""

import time

import pytest

from tidings.protocol import limits
from tidings.protocol.names import is_topic, is_topic_pattern
from tidings_workers.topic_patterns import allows, fault, within

ALLOWED = [
    ("news", "news"),
    ("news/sport", "news/sport"),
    ("*", "news"),
    ("news/*", "news/sport"),
    ("*/sport", "news/sport"),
    ("news/*/log", "news/sport/log"),
    ("**", "news"),
    ("**", "news/sport/log"),
    ("news/**", "news/sport"),
    ("news/**", "news/sport/log"),
    ("*/**", "news/sport/log"),
    ("user/{sub}", "user/ana"),
    ("user-{sub}/**", "user-ana/x"),
    ("{sub}", "ana"),
    ("{sub}/{sub}", "ana/ana"),
]

REFUSED = [
    # Another name, or another number of segments.
    ("news", "News"),
    ("news", "news/sport"),
    ("news", "newss"),
    ("news", "new"),
    ("news/*", "news"),
    ("news/*", "news/sport/log"),
    ("*", "news/sport"),
    ("news/**", "news"),
    ("*/**", "news"),
    ("*/sport", "sport"),
    ("user/{sub}", "user/bob"),
    ("user/{sub}", "user/{sub}"),
    ("user/{sub}", "user/ana/x"),
    ("user/{sub}", "user/ana2"),
    # Names that are no topics match nothing, whatever the pattern is.
    ("**", ""),
    ("**", "/"),
    ("**", "/news"),
    ("**", "news/"),
    ("**", "news//sport"),
    ("**", "."),
    ("**", ".."),
    ("**", "news/../admin"),
    ("**", "news/./sport"),
    ("**", "news/.."),
    ("**", "../news"),
    ("**", "news%2Fsport"),
    ("**", "news%2fsport"),
    ("**", "%2e%2e/admin"),
    ("**", "news\\sport"),
    ("**", "news\u2215sport"),  # DIVISION SLASH
    ("**", "news\uff0fsport"),  # FULLWIDTH SOLIDUS
    ("**", "n\u0435ws"),  # CYRILLIC SMALL LETTER IE
    ("**", "ne\u200bws"),
    ("**", "ne\u0301ws"),
    ("**", "news\x00"),
    ("**", "news\n"),
    ("**", "news "),
    ("**", "*"),
    ("**", "**"),
    ("**", "news/*"),
    ("**", "{sub}"),
    ("**", "news?x"),
    ("**", "news#x"),
    ("**", "a" * 201),
    ("**", "a/" * 100 + "a"),
]

PATTERNS = ["a", "a/b", "*", "**", "a/*/b", "a/**", "*/**", "{sub}", "x-{sub}-y/*", "a" * 200]
NO_PATTERNS = [
    "", "/", "a/", "/a", "a//b", ".", "..", "a/..", "**/a", "a/**/b", "***", "a*", "*a", "a/b*", "{sub",
    "{user}", "{{sub}}", "a b", "a%2Fb", "a\n", "é", "a\u2215b", "a" * 201, "[a]", "a,b", "^a$", "a/***",
]  # fmt: skip

# The characters that ids may have beside letters and digits.
SPECIAL = ["a.b", "a_b", "a-b", "a:b", "a@b.example", "a+b", "auth0|1", "a=b", "a~b", "...", "topic:x", "*"]


@pytest.mark.parametrize(("pattern", "topic"), ALLOWED)
def test_allowed(pattern: str, topic: str) -> None:
    """A pattern allows the topics that it names."""
    assert allows([pattern], topic, "ana")


@pytest.mark.parametrize(("pattern", "topic"), REFUSED)
def test_refused(pattern: str, topic: str) -> None:
    """A pattern allows no other topic, and no text that is not a topic."""
    assert not allows([pattern], topic, "ana")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(pattern: str) -> None:
    """These are patterns."""
    assert is_topic_pattern(pattern)
    assert fault([pattern]) is None


@pytest.mark.parametrize("pattern", NO_PATTERNS)
def test_no_patterns(pattern: str) -> None:
    """These are no patterns, and a list with one is refused."""
    assert not is_topic_pattern(pattern)
    assert fault(["a", pattern]) is not None


@pytest.mark.parametrize("user", SPECIAL[:-1])
def test_users_with_special_characters(user: str) -> None:
    """The user in a pattern is text: its characters have no meaning there."""
    assert allows(["user/{sub}"], f"user/{user}", user)
    for other in SPECIAL:
        assert allows(["user/{sub}"], f"user/{other}", user) is (other == user)
    assert not allows(["{sub}"], "ab", user)


def test_no_pattern_allows_nothing() -> None:
    """Without patterns nothing is allowed, and one of several is enough."""
    assert not allows([], "news", "ana")
    assert allows(["talk", "news"], "news", "ana")


def test_at_most_fifty() -> None:
    """A list has at most fifty patterns."""
    assert fault(["a"] * 50) is None
    assert "50" in (fault(["a"] * 51) or "")


@pytest.mark.parametrize(
    ("wanted", "allowed", "refused"),
    [
        (["news", "news/sport"], ["news", "news/*"], []),
        (["news/**"], ["**"], []),
        (["**"], ["news/**"], [0]),
        (["**"], ["*"], [0]),
        (["**"], ["*/**"], [0]),
        (["news/**"], ["news/*"], [0]),
        (["news/*"], ["news/**"], []),
        (["news/*/**"], ["news/**"], []),
        (["*"], ["news"], [0]),
        (["news"], ["*"], []),
        (["a", "b", "c"], ["b"], [0, 2]),
        # The user of the new token is bob; the one who gives it is ana.
        (["user/{sub}"], ["user/{sub}"], [0]),
        (["user/{sub}"], ["user/bob"], []),
        (["user/ana"], ["user/{sub}"], []),
        (["user/{sub}"], ["user/*"], []),
        ([], [], []),
        (["news"], [], [0]),
    ],
)
def test_a_token_gives_no_more_than_its_own(
    wanted: list[str], allowed: list[str], refused: list[int]
) -> None:
    """A pattern is granted if everything that it allows is allowed to the one who grants it."""
    assert within(wanted, "bob", allowed, "ana") == refused


def test_granting_agrees_with_matching() -> None:
    """Whatever a granted pattern allows, the granting patterns allow."""
    patterns = ["a", "b", "*", "**", "a/*", "a/**", "*/b", "*/**", "a/b", "{sub}", "a/{sub}"]
    topics = ["a", "b", "ana", "bob", "a/b", "a/ana", "a/bob", "a/b/c", "b/b", "c/b", "a/b/b/b"]
    for wanted in patterns:
        for allowed in patterns:
            if not within([wanted], "bob", [allowed], "ana"):
                for topic in topics:
                    assert not allows([wanted], topic, "bob") or allows([allowed], topic, "ana")


def test_the_cost_is_linear() -> None:
    """Fifty long patterns take about fifty times as long as one."""
    topic = "/".join(["a"] * 100)
    hostile = ["/".join(["*"] * 99 + ["b"]), "/".join(["*"] * 98 + ["**"]), "a/" * 97 + "{sub}"]
    assert all(is_topic_pattern(each) for each in hostile)

    def seconds(patterns: list[str]) -> float:
        start = time.process_time()
        for _ in range(200):
            allows(patterns, topic, "b")
        return time.process_time() - start

    assert not allows([hostile[0]], topic, "b")
    one = min(seconds([hostile[0]]) for _ in range(3))
    assert seconds([hostile[0]] * limits.TOPIC_PATTERNS) < 200 * one
    assert is_topic(topic)
