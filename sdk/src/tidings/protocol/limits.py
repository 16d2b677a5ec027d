"""Every limit of the public contract, in one place.

Sizes are in bytes, times in seconds and lengths in characters, unless the name has another unit. The server
enforces them, the SDK checks some of them before it sends, and the generated schemas quote them. So a limit
is changed here and nowhere else.
"""

from typing import Final

# Sending
NOTIFICATION_BYTES: Final = 32 * 1024
NESTING: Final = 100  # levels of arrays and objects in a body: JSON parsers of all clients can read that many
BATCH_BYTES: Final = 4 * 1024 * 1024
BATCH_NOTIFICATIONS: Final = 1_000
BODY_TIMEOUT_SECONDS: Final = 10
TARGET_USERS: Final = 1_000
TARGET_GROUPS: Final = 100
TARGET_EXCLUDES: Final = 1_000
TARGET_TOPICS: Final = 100
ACTIONS: Final = 10
LABEL_LENGTH: Final = 200
LINK_LENGTH: Final = 2_048
CATEGORY_LENGTH: Final = 128
GROUP_KEY_LENGTH: Final = 100
EXPIRES_IN_SECONDS: Final = 31_536_000
IDEMPOTENCY_KEY_LENGTH: Final = 255
IDEMPOTENCY_KEPT_SECONDS: Final = 24 * 3600

# Messages and the upstream
MESSAGE_BYTES: Final = 32 * 1024
UPSTREAM_SECONDS: Final = 5
UPSTREAM_ANSWER_BYTES: Final = 256 * 1024

# Webhooks
WEBHOOKS: Final = 50  # endpoints of a tenant
WEBHOOK_EVENTS: Final = 50  # patterns of an endpoint

# Events
EVENTS_PAGE: Final = 500
EVENTS_MAXIMUM: Final = 1_000
EVENTS_WAIT_SECONDS: Final = 20
EVENTS_WAIT_MAXIMUM: Final = 60
EVENTS_HELD_SECONDS: Final = 60
CONSUMER_LENGTH: Final = 64

# Names
ID_LENGTH: Final = 128
DEVICE_LENGTH: Final = 64
TENANT_LENGTH: Final = 40
TOPIC_LENGTH: Final = 200
EVENT_LENGTH: Final = 100

# Groups and lists
GROUP_CHANGES: Final = 10_000
PAGE_DEFAULT: Final = 50
PAGE_MAXIMUM: Final = 200
MARK_IDS: Final = 1_000
SNOOZE_SECONDS: Final = 366 * 24 * 3600

# Tokens
TOKEN_SECONDS: Final = 24 * 3600
TOKEN_LEEWAY_SECONDS: Final = 5
TOKEN_BYTES: Final = 8 * 1024
TOPIC_PATTERNS: Final = 50
TICKET_SECONDS: Final = 30

# Realtime
CONNECT_SECONDS: Final = 5
FRAME_BYTES: Final = 64 * 1024
FRAMES_PER_SECOND: Final = 100
FRAMES_BURST: Final = 200
REWIND: Final = 200
TOPICS_PER_CONNECTION: Final = 100
DEVICES_PER_USER: Final = 20
DEVICE_KEPT_SECONDS: Final = 90 * 24 * 3600
HEARTBEAT_SECONDS: Final = 25

# Storage
RETENTION_SECONDS: Final = 90 * 24 * 3600
TOPIC_RETENTION_SECONDS: Final = 24 * 3600
TOPIC_RETENTION_MAXIMUM: Final = 31_536_000
