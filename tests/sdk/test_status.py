"""What a listener keeps of its inbox's state over connections: counts, and how far it was told of marks."""

import json
from typing import Any

import pytest

from tests.sdk.test_session import frame, welcome
from tidings import Changed, Resume
from tidings._listen.session import Session
from tidings.protocol.rest import MarkInbox


def counts(version: int) -> dict[str, int]:
    return {"unseen": version, "unread": version, "version": version}


def stated(version: int, **fields: Any) -> str:
    return frame("state", counts=counts(version), state_version=version, **({"changes": []} | fields))


def welcomed(version: int, **options: Any) -> str:
    return json.dumps(json.loads(welcome({"user": 0}, **options)) | {"state_version": version})


def asked(session: Session) -> int | None:
    """The version that a new connection resumes from."""
    found: int | None = json.loads(session.connect())["resume"].get("state_version")
    return found


def take(session: Session, *messages: str) -> None:
    """The application takes all of it, one after another."""
    for message in messages:
        for output in session.receive(message):
            session.handled(output, session.epoch)


@pytest.fixture
def session() -> Session:
    """A listener that was told of five changes."""
    session = Session()
    session.connect()
    session.receive(welcomed(5))
    return session


def test_a_new_connection_resumes_from_the_last_change_told(session: Session) -> None:
    """The server is asked for what was marked since the last change that arrived."""
    take(session, stated(6), stated(7))
    assert asked(session) == 7


def test_a_resume_that_breaks_before_it_caught_up_is_made_again(session: Session) -> None:
    """A welcome tells nothing of what was missed: what it was to be followed by is asked for again."""
    assert asked(session) == 5
    session.receive(welcomed(9, resume="complete"))
    assert asked(session) == 5


def test_an_answer_ahead_of_what_was_missed_hides_nothing(session: Session) -> None:
    """A mark that is answered before the connection caught up does not count as told."""
    assert asked(session) == 5
    take(session, welcomed(9, resume="complete"), stated(10))
    assert asked(session) == 5
    take(session, welcomed(10, resume="complete"), frame("caught_up", positions={}), stated(6), stated(10))
    assert asked(session) == 10


def test_a_later_process_resumes_from_what_was_handled(session: Session) -> None:
    """A resume point has the last change that the application is done with, not the last that came."""
    (changed,) = session.receive(stated(6))
    session.receive(stated(7))
    session.handled(changed, "e1")
    assert session.resume_point() == Resume("e1", {"user": 0}, 6)
    later = Session(resume=session.resume_point())
    assert asked(later) == 6
    later.receive(welcomed(8, resume="complete"))
    assert later.resume_point() == Resume("e1", {"user": 0}, 6)


def test_another_epoch_counts_its_own_changes(session: Session) -> None:
    """Where data was lost, counts and versions start anew, though they are lower."""
    session.receive(stated(7))
    session.connect()
    session.receive(welcomed(2, epoch="e2", resume="gap"))
    assert session.counts is not None
    assert session.counts.version == 1
    assert asked(session) == 2


def test_counts_are_the_newest_that_came(session: Session) -> None:
    """Of welcome, state and recalled the highest version wins, whatever comes late."""
    session.receive(stated(6))
    session.receive(frame("recalled", id="n", log="user", position=1, counts=counts(8)))
    session.receive(stated(7))
    assert session.counts is not None
    assert (session.counts.version, session.counts.unread) == (8, 8)


def test_changes_say_whose_they_are(session: Session) -> None:
    """A frame with the ref of an own mark is mine, also when nobody waits for it any more."""
    ref, _ = session.mark(MarkInbox(state="read", all=True))
    session.forget(ref)
    (own,) = session.receive(stated(6, ref=ref, state="read", all=True, changes=None))
    (other,) = session.receive(stated(7))
    assert isinstance(own, Changed)
    assert isinstance(other, Changed)
    assert (own.mine, own.all, own.state) == (True, True, "read")
    assert (other.mine, other.changes) == (False, ())
