"""The conversion of keywords to the body of a send."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tidings import Action, InvalidArgumentError
from tidings._messages import compose


def body(**message: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(compose(message)))
    return decoded


def test_the_body_has_the_given_keywords_and_nothing_else() -> None:
    """Each keyword has its field in the body, and a keyword that was left out has none."""
    assert body(to_users=["ana"], title="Hi") == {"to": {"users": ["ana"]}, "title": "Hi"}
    assert body(
        to_users={"ana"},
        to_groups=("team",),
        to_all=True,
        exclude=["bob"],
        category="orders",
        title="t",
        body="b",
        data={"n": 10**30, "f": 0.5, "nested": [{"x": None}]},
        link="https://shop.example/o",
        icon="/p.png",
        actions=[Action("a", "A"), {"id": "b", "label": "B", "link": "/b"}],
        priority="high",
        expires_in=timedelta(minutes=1.5),
    ) == {
        "to": {"users": ["ana"], "groups": ["team"], "all": True, "exclude": ["bob"]},
        "category": "orders",
        "title": "t",
        "body": "b",
        "data": {"n": 10**30, "f": 0.5, "nested": [{"x": None}]},
        "link": "https://shop.example/o",
        "icon": "/p.png",
        "actions": [{"id": "a", "label": "A"}, {"id": "b", "label": "B", "link": "/b"}],
        "priority": "high",
        "expires_in": 90,
    }


def test_a_lone_string_names_one_user() -> None:
    """A single string names one user, not one per letter."""
    assert body(to_users="ana", exclude="bob", title="Hi")["to"] == {"users": ["ana"], "exclude": ["bob"]}


@pytest.mark.parametrize(
    "message",
    [
        {"title": "no target"},
        {"to_users": [], "to_all": False, "title": "no target"},
        {"to_users": ["ana"]},
        {"to_users": ["ana"], "link": "/no-content"},
        {"to_users": ["a/b"], "title": "illegal id"},
        {"to_users": [f"u{n}" for n in range(1001)], "title": "too many"},
        {"to_users": ["ana"], "title": "t", "link": "javascript:alert(1)"},
        {"to_users": ["ana"], "title": "t", "priority": "shouting"},
        {"to_users": ["ana"], "title": "t", "expires_in": 0},
        {"to_users": ["ana"], "title": "t", "expires_in": 1.5},
        {"to_users": ["ana"], "title": "\ud800"},
        {"to_users": ["ana"], "data": {"x": float("nan")}},
        {"to_users": ["ana"], "data": {"x": [{"y": float("inf")}]}},
        {"to_users": ["ana"], "data": {"x": object()}},
        {"to_users": ["ana"], "data": [1]},
        {"to_users": ["ana"], "title": "t", "colour": "red"},
        {"to_users": 3, "title": "t"},
        {"to_users": ["ana"], "title": "t", "actions": 3},
        {"to_users": ["ana"], "title": 3},
    ],
)
def test_an_invalid_message_is_refused_before_sending(message: dict[str, Any]) -> None:
    """Each mistake raises an InvalidArgumentError, and nothing is sent."""
    with pytest.raises(InvalidArgumentError, match=r"\w"):
        compose(message)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"priority": "critical"}, "priority: This must be one of low, normal, high, urgent"),
        ({"expires_in": "1d"}, "expires_in: This must be a whole number, not a string"),
        ({"expires_in": 0}, "expires_in: It must be 1 or more"),
        ({"title": 3}, "title: This must be a string, not a whole number"),
        ({"to_all": "yes"}, "to_all: This must be true or false, not a string"),
        ({"to_users": ["u"] * 1001}, "to_users: It must not be longer than 1000"),
        ({"actions": [{"label": "x"}]}, "actions[0].id: The field id is required"),
        ({"actions": ["x"]}, "actions[0]: This must be an object, not a string"),
        (
            {"actions": {"id": "a", "label": "A"}},
            "actions must be a list of actions, such as [{'id': 'track', 'label': 'Track'}]",
        ),
        (
            {"link": "shop.example"},
            (
                "link: A link begins with http://, https://, mailto: or a single /, and has no spaces and at "
                "most 2048 characters"
            ),
        ),
        (
            {"priority": "x", "expires_in": -1},
            "priority: This must be one of low, normal, high, urgent; expires_in: It must be 1 or more",
        ),
        ({"data": [1]}, "data must be a dict, not list"),
        (
            {"data": {"x": float("nan")}},
            "data has a value that JSON cannot represent: nan is not a number of JSON",
        ),
    ],
)
def test_a_mistake_is_named_by_its_keyword_in_plain_words(wrong: dict[str, Any], says: str) -> None:
    """The error has all faults, each with its keyword and rule, without words of the decoder."""
    with pytest.raises(InvalidArgumentError) as caught:
        compose({"to_users": ["ana"], "title": "t", **wrong})
    assert str(caught.value) == f"The notification is not valid: {says}"


def test_data_that_contains_itself_is_refused() -> None:
    """Data that contains itself raises the error of data that JSON cannot represent."""
    data: dict[str, Any] = {}
    data["data"] = data
    with pytest.raises(InvalidArgumentError):
        compose({"to_users": ["ana"], "data": data})
