"""The descriptions of the fields of webhooks, for the document of the API."""

from typing import Final

_WEBHOOK: Final = {
    "id": "The id of the webhook.",
    "url": "The URL that gets the events.",
    "events": "The types of events, or patterns of them.",
    "description": "A note for people.",
    "enabled": "Whether it gets events.",
    "created_at": "The time of its creation.",
    "disabled": "Why the service disabled it; null when it did not.",
}

WEBHOOK_FIELDS: Final[dict[str, dict[str, str]]] = {
    "CreateWebhook": {
        "url": "The URL that gets the events.",
        "events": "The types of events.",
        "description": "A note for people.",
        "enabled": "False for an endpoint that gets no events yet.",
    },
    "UpdateWebhook": {
        "url": "The URL that gets the events.",
        "events": "The types of events.",
        "description": "A note for people.",
        "enabled": "Whether it gets events.",
    },
    "DisabledWebhook": {
        "reason": "`gone`: it answered 410; `failing`: its tries failed for five days.",
        "at": "The time when the service disabled it.",
    },
    "Webhook": _WEBHOOK,
    "WebhookWithSecret": {
        **_WEBHOOK,
        "secret": "The secret that signs the requests; keep it, no other answer has it.",
    },
    "WebhookAttempt": {
        "at": "The time of the answer.",
        "status": "The status of the answer; null when there was none.",
        "error": "The reason of a failure; null after a success.",
        "seconds": "How long it took.",
    },
    "WebhookDelivery": {
        "id": "The id of the event.",
        "type": "The type of the event.",
        "status": "pending, succeeded or failed.",
        "timestamp": "The time of the event.",
        "next_try_at": "The time of the next try; null unless it is pending.",
        "attempts": "The requests so far, the oldest first.",
    },
    "ReplayWebhook": {
        "since": "The time of the first event.",
        "until": "The time of the last event; null for now.",
    },
    "WebhookTest": {
        "succeeded": "Whether the status of the answer is from 200 to 299.",
        "status": "The status of the answer; null when there was none.",
        "error": "The reason of a failure; null after a success.",
        "seconds": "How long it took.",
    },
}
