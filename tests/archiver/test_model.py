"""After any sends, marks, recalls, changes of members, trims and kills, every page equals a plain model."""

import asyncio
import contextlib
import random
from collections.abc import Sequence

import pytest

from tests.archiver.history import DAY, History, pages
from tests.archiver.sends import now
from tests.inbox_model.model import Model
from tests.inbox_model.terms import Filter, Item, Marking, Place, Sent, To
from tests.support.sending import eventually, notification
from tidings.protocol.rest import MarkInbox
from tidings_workers.archive import ArchivedEntry, ArchivedNotification, Claim, ClaimLost
from tidings_workers.archiver.rows import rows_of
from tidings_workers.dispatcher import Dispatcher
from tidings_workers.store import InboxItem, InboxQuery, Store
from tidings_workers.store.archiving import Batch
from tidings_workers.store.entries import id_of
from tidings_workers.store.freezing import freeze_states
from tidings_workers.store.ids import milliseconds, milliseconds_of_id
from tidings_workers.tenants import Retention, Tenant

USERS = ("ana", "bob", "eve")
GROUPS = ("team", "club")
CATEGORIES = (None, "chat", "orders.new", "law")
RULES: dict[str, Retention] = {"chat": 30, "orders.": 7, "law": None}
STATES = ("seen", "read", "unread", "unseen", "archived", "unarchived")
STEPS = 60


class Story:
    """One random series of steps on a store and on a model, which must agree after each trim."""

    def __init__(self, store: Store, history: History, seed: int) -> None:
        self.store, self.history = store, history
        self.random = random.Random(seed)
        self.model = Model(USERS)
        self.script: list[str] = []
        self.days = 8.0
        self.moment = 0
        self.archived: set[tuple[str, Place]] = set()
        self.paused: list[tuple[tuple[list[ArchivedEntry], list[ArchivedNotification]], Claim]] = []

    def _some(self, choices: Sequence[str], most: int) -> tuple[str, ...]:
        return tuple(self.random.sample(choices, self.random.randint(0, min(most, len(choices)))))

    # Steps

    async def send(self) -> None:
        """Send to users, groups, users and groups, or all."""
        users, groups = self._some(USERS, 3), self._some(GROUPS, 2)
        kind = self.random.choice(["users", "groups", "both", "all"])
        exclude = frozenset(self._some(USERS, 1)) if kind in {"both", "all"} else frozenset()
        to = To(
            users if kind in {"users", "both"} else (),
            groups if kind in {"groups", "both"} else (),
            kind == "all",
            exclude,
        )
        if not (to.users or to.groups or to.all):
            return
        category = self.random.choice(CATEGORIES)
        recipients = self.model.reached(to)
        heads = {user: self.model.own_head(user) for user in USERS}
        answer = await self.store.sends.send(
            "demo",
            [
                notification(
                    f"{len(self.script)}",
                    users=to.users,
                    groups=to.groups,
                    to_all=to.all,
                    exclude=sorted(to.exclude),
                    category=category,
                )
            ],
        )
        sent = Sent(answer.ids[0], to, category, milliseconds_of_id(answer.ids[0]), None, recipients)
        self.script.append(f"send {sent.id} {to} {category}")
        self.model.accept(sent)
        if sent.kind == "compound":
            await self._follow_copies(sent, heads)

    async def _follow_copies(self, sent: Sent, heads: dict[str, int]) -> None:
        """Wait for the copies of a send, and find their positions."""

        async def status() -> str:
            stored = await self.store.sends.notification("demo", sent.id)
            assert stored is not None
            return stored.status

        await eventually(status, "stored")
        for user in sent.recipients or ():
            log, base = self.store.keys.user("demo", user), heads[user]
            found = await self.store.logs.read(log, base, base + 10, 10)
            known = {entry.position: self.model.sent[id_of(entry.content)] for entry in found.entries}
            self.model.copied(user, base, max(known, default=base), known)

    async def member(self) -> None:
        """A user joins or leaves a group."""
        user, group = self.random.choice(USERS), self.random.choice(GROUPS)
        joins = user not in self.model.members.get(group, ())
        self.script.append(f"{user} {'joins' if joins else 'leaves'} {group}")
        await self.store.groups.change("demo", group, [user] if joins else [], [] if joins else [user])
        if joins:
            self.model.join(group, user)
        else:
            self.model.leave(group, user)

        async def is_member() -> bool:
            groups = await self.store.groups.of_user("demo", user, 10, None)
            return group in [found.id for found in groups.items]

        await eventually(is_member, joins)

    async def mark(self) -> None:
        """Mark some items, those of a category, or all; archived ones keep their state."""
        user, state = self.random.choice(USERS), self.random.choice(STATES)
        items = list(self.model.items(user))
        live = [item for item in items if (user, item.place) not in self.archived]
        self.moment += 1
        if self.random.random() < 0.7 and items:
            chosen = self.random.sample(items, min(len(items), self.random.randint(1, 4)))
            ids = tuple(item.sent.id for item in chosen)
            self.script.append(f"{user} marks {ids} {state}")
            result = await self.store.marks.mark("demo", user, MarkInbox(state=state, ids=ids))  # type: ignore[arg-type]
            marked = [item for item in chosen if item in live]
            assert set(result.unknown) == {item.sent.id for item in chosen if item not in live}, "\n".join(
                self.script
            )
        else:
            category = self.random.choice([None, "chat", "orders."])
            self.script.append(f"{user} marks all of {category} {state}")
            await self.store.marks.mark("demo", user, MarkInbox(state=state, all=True, category=category))  # type: ignore[arg-type]
            marked = [
                item
                for item in live
                if (state == "unarchived" or item.marks.archived is None)
                and (category is None or (item.sent.category or "").startswith(category))
            ]
        if marked:
            wanted = Marking(state, ids=tuple(item.sent.id for item in marked))  # type: ignore[arg-type]
            self.model.mark(user, wanted, self.moment)

    async def recall(self) -> None:
        """Recall a notification, wherever it is."""
        left = [sent for sent in self.model.sent.values() if not sent.is_removed]
        if left:
            sent = self.random.choice(left)
            self.script.append(f"recall {sent.id}")
            known = await self.store.sends.recall("demo", sent.id)
            # The tests move entries before their time, so the store takes them for young.
            await self.history.archive.remove("demo", [sent.id])
            assert known or sent.recipients == ()
            self.model.recall(sent)

    async def trim(self) -> None:
        """Move old entries, or kill the archiver at a step of a batch; lists stay the same at each moment."""
        # A log that was swept is due again an hour later, so time only goes on.
        self.days = days = self.days + (24 if self.random.random() < 0.1 else 0.1)
        kill = self.random.choice(["", "", "begun", "paused", "stored", "removed"])
        self.script.append(f"trim after {days:g} days{', killed when ' + kill if kill else ''}")
        if kill:
            await self._killed(days, kill)
            await self.agree()
        await asyncio.gather(self.history.move(days), self.agree(), self.agree())
        if self.paused and self.random.random() < 0.5:
            self.script.append("a paused archiver wakes up")
            rows, claim = self.paused.pop()
            with contextlib.suppress(ClaimLost):
                await self.history.archive.append(*rows, claim)
            await self.agree()
        self._note_archived(days)

    async def _killed(self, days: float, step: str) -> None:
        await self.history.sweep(days)
        for partition in range(self.store.partitions):
            bases = await self.store.archiving.waiting(partition)
            if bases:
                at = milliseconds() + int(days * DAY)
                claim = await self.history.archive.claim(partition)
                batch = await self.store.archiving.begin(partition, bases, "killed", now=at)
                if isinstance(batch, Batch) and batch.entries:
                    rows = await rows_of(batch.entries, self.store.sends.notification)
                    if step in {"begun", "paused"}:
                        self.paused += [(rows, claim)] if step == "paused" else []
                        continue
                    await self.history.archive.append(*rows, claim)
                    if step == "removed":
                        await self.store.archiving.remove(partition, "killed")

    def _note_archived(self, days: float) -> None:
        for user in USERS:
            for item in self.model.items(user):
                category = item.sent.category or ""
                kept = RULES.get("orders." if category.startswith("orders.") else category, 7)
                if kept is not None and kept <= days:
                    self.archived.add((user, item.place))

    async def freeze(self) -> None:
        """Save the states of a user in shared logs, and forget them in Redis."""
        user = self.random.choice(USERS)
        self.script.append(f"freeze {user}")
        await freeze_states(self.store._core, self.history.archive, self.store.keys.user("demo", user))

    # Agreement

    async def agree(self) -> None:
        """Compare some lists of a user, page by page, with the model."""
        user = self.random.choice(USERS)
        times = sorted(item.sent.accepted for item in self.model.items(user)) or [0]
        middle = times[len(times) // 2]
        by = self.random.choice(
            [
                Filter(),
                Filter(state=self.random.choice(["unseen", "seen", "unread", "read", "archived"])),
                Filter(category=self.random.choice(["chat", "orders.", "law"])),
                Filter(log=self.random.choice(self.model.logs(user))),
                Filter(after=middle),
                Filter(before=middle),
            ]
        )
        query = {name: value for name, value in by._asdict().items() if value is not None}
        items = await pages(self.store, user, limit=self.random.randint(1, 9), **query)
        self.compare(items, self.model.listed(user, by), f"{user} {by}")

    def compare(self, items: Sequence[InboxItem], expected: Sequence[Item], what: str) -> None:
        """The items, without their times of marks, are those of the model, newest first."""
        actual = [(item.log, item.position, item.state, id_of(item.content)) for item in items]
        wanted = {(item.place.log, item.place.position, item.marks.state, item.sent.id) for item in expected}
        story = "\n".join([*self.script, what])
        assert len(set(actual)) == len(actual), story
        assert set(actual) == wanted, story
        times = [milliseconds_of_id(each[3]) for each in actual]
        assert times == sorted(times, reverse=True), story


QUERY = InboxQuery(limit=1)


@pytest.mark.parametrize("seed", range(8))
async def test_every_page_equals_the_model(
    store: Store, history: History, dispatcher: Dispatcher, seed: int
) -> None:
    """No item is missing, twice, or in another state, while the archiver moves or is killed."""
    tenant = Tenant(id="demo", created_at=now(), retention_days=7, category_retention=dict(RULES))
    store.follow_policies({"demo": tenant}.get)
    story = Story(store, history, seed)
    for _ in range(STEPS):
        step = story.random.choices(
            [story.send, story.member, story.mark, story.recall, story.trim, story.freeze],
            [10, 3, 6, 1, 3, 1],
        )[0]
        await step()
    for _ in range(20):
        await story.agree()
    await story.trim()
    for _ in range(20):
        await story.agree()
