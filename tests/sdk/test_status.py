"""The counts and the versions of state that a live inbox keeps over its connections."""

import json
from typing import Any

import pytest

from tests.sdk.test_session import frame, welcome
from tidings import Changed, Resume
from tidings._listen.session import Session
from tidings.protocol.frames import Mark


def counts(version: int) -> dict[str, int]:
    return {"unseen": version, "unread": version, "version": version}


def stated(version: int, **fields: Any) -> str:
    return frame("state", counts=counts(version), state_version=version, **({"changes": []} | fields))


def welcomed(version: int, **options: Any) -> str:
    return json.dumps(json.loads(welcome({"user": 0}, **options)) | {"state_version": version})


def resumed_version(session: Session) -> int | None:
    """The version that a new connection resumes from."""
    found: int | None = json.loads(session.connect())["resume"].get("state_version")
    return found


def take(session: Session, *messages: str) -> None:
    """Handle all outputs in order, as the application does."""
    for message in messages:
        for output in session.receive(message):
            session.handled(output, session.epoch)


@pytest.fixture
def session() -> Session:
    """A session that received five changes of state."""
    session = Session()
    session.connect()
    session.receive(welcomed(5))
    return session


def test_a_new_connection_resumes_from_the_last_change_received(session: Session) -> None:
    """A new connection resumes from the version of the last change that arrived."""
    take(session, stated(6), stated(7))
    assert resumed_version(session) == 7


def test_a_resume_that_breaks_before_catching_up_is_repeated(session: Session) -> None:
    """If a connection breaks between the welcome and the missed changes, the next one resumes from before."""
    assert resumed_version(session) == 5
    session.receive(welcomed(9, resume="complete"))
    assert resumed_version(session) == 5


def test_an_early_answer_hides_no_missed_change(session: Session) -> None:
    """The answer to a mark before the connection has caught up does not advance the received version."""
    assert resumed_version(session) == 5
    take(session, welcomed(9, resume="complete"), stated(10))
    assert resumed_version(session) == 5
    take(session, welcomed(10, resume="complete"), frame("caught_up", positions={}), stated(6), stated(10))
    assert resumed_version(session) == 10


def test_a_later_process_resumes_from_the_handled_changes(session: Session) -> None:
    """A resume point has the last change that the application handled, not the last that arrived."""
    (changed,) = session.receive(stated(6))
    session.receive(stated(7))
    session.handled(changed, "e1")
    assert session.resume_point() == Resume("e1", {"user": 0}, 6)
    later = Session(resume=session.resume_point())
    assert resumed_version(later) == 6
    later.receive(welcomed(8, resume="complete"))
    assert later.resume_point() == Resume("e1", {"user": 0}, 6)


def test_another_epoch_counts_its_own_changes(session: Session) -> None:
    """In another epoch counts and versions are replaced, though they are lower."""
    session.receive(stated(7))
    session.connect()
    session.receive(welcomed(2, epoch="e2", resume="gap"))
    assert session.counts is not None
    assert session.counts.version == 1
    assert resumed_version(session) == 2


def test_counts_are_the_newest_that_arrived(session: Session) -> None:
    """The counts with the highest version are kept, in whatever order frames arrive."""
    session.receive(stated(6))
    session.receive(frame("recalled", id="n", log="user", position=1, counts=counts(8)))
    session.receive(stated(7))
    assert session.counts is not None
    assert (session.counts.version, session.counts.unread) == (8, 8)


def test_changes_say_whether_they_are_own(session: Session) -> None:
    """A change with the ref of an own mark is `mine`, also after the mark was forgotten."""
    ref, _ = session.ask(Mark(state="read", all=True))
    session.forget(ref)
    (own,) = session.receive(stated(6, ref=ref, state="read", all=True, changes=None))
    (other,) = session.receive(stated(7))
    assert isinstance(own, Changed)
    assert isinstance(other, Changed)
    assert (own.mine, own.all, own.state) == (True, True, "read")
    assert (other.mine, other.changes) == (False, ())
