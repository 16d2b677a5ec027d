"""Rules for long runs only: kills of gateways, and inboxes of hundreds."""

from hypothesis.stateful import precondition, rule

from tests.inbox_model.choices import gateways, users
from tests.inbox_model.snoozing import SnoozingMachine
from tests.inbox_model.terms import To

# More than the number of single times that a state keeps; twice that is more than a page.
MANY = 110
MANY_TIMES = 2
KILLS = 1
# A dead gateway counts as running until its feeds have expired.
FEED_SECONDS = 25.0


class SoakMachine(SnoozingMachine):
    """The machine with further, slow rules."""

    def __init__(self) -> None:
        super().__init__()
        self.many = 0
        self.kills = 0

    @precondition(lambda self: self.many < MANY_TIMES)
    @rule(user=users)
    def send_many(self, user: str) -> None:
        """Send so many that marks and pages take their other forms."""
        self.many += 1
        sends = [(To(users=(user,)), "orders.new" if n % 3 else None, None) for n in range(MANY)]
        self._do(f"send {MANY} to {user}", lambda: self.sending.send(sends))

    @precondition(lambda self: self.kills < KILLS)
    @rule(gateway=gateways)
    def kill_gateway(self, gateway: int) -> None:
        """Kill a gateway with SIGKILL."""
        self.kills += 1
        self._do(
            f"gateway {gateway} dies, and another takes its place",
            lambda: self.clients.lose_gateway(gateway, lambda: self.stage.replace_gateway(gateway)),
            FEED_SECONDS,
        )
