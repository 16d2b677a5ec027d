"""The parts that keys in Redis are made of. `keys` builds keys of them, and docs/redis.md explains each."""

from typing import Literal

# The first part of a base: the log of a user, group, topic or of all; the sends of a tenant (in `due` only).
Kind = Literal["u", "g", "t", "a", "s"]

# The parts of keys, those that only scripts build included. The letters begin a claim (i) and a record (n).
PartitionPart = Literal[
    "accepted",
    "applied",
    "archivable",
    "archived",
    "archiver",
    "archiving",
    "closing",
    "connections",
    "contents",
    "counted",
    "due",
    "event-log",
    "feed",
    "groups",
    "i",
    "ingress",
    "interest",
    "lease",
    "n",
    "partition",
    "poisoned",
    "probe",
    "returning",
    "sent",
    "sink",
    "ticket",
    "tickets",
    "topics",
    "unfinished",
    "wishes",
    "webhook",
    "webhook-bodies",
    "webhook-deliveries",
    "webhook-failed",
    "webhook-pending",
    "webhook-succeeded",
]

# The parts behind the key of a log.
LogPart = Literal[
    "acknowledged",
    "categories",
    "connections",
    "copies",
    "deleted",
    "delivered",
    "departed",
    "devices",
    "ended",
    "erased",
    "erased-ids",
    "excludes",
    "expiring",
    "gone",
    "groups",
    "hidden",
    "holes",
    "in",
    "left",
    "log",
    "marks",
    "members",
    "parted",
    "receipts",
    "retired",
    "snoozed",
    "state",
    "stays",
    "subscribers",
    "swept",
    "times",
    "used",
]

# The parts behind the key of a record, and behind that of a tenant's sends.
RecordPart = Literal["part", "plan", "progress", "receipts"]
SentPart = Literal["swept"]

# The parts behind the key of a tenant's events.
EventsPart = Literal["facts", "held", "once", "taken"]
