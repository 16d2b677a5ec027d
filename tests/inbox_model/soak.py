"""What takes too long for every day: deaths of gateways, and inboxes of hundreds."""

from hypothesis.stateful import precondition, rule

from tests.inbox_model.choices import gateways, users
from tests.inbox_model.machine import InboxMachine
from tests.inbox_model.terms import To

# More than a mark keeps single times for; twice that is more than a page.
MANY = 110
MANY_TIMES = 2
DEATHS = 1
# A dead gateway counts until its feeds have run out.
FEED_SECONDS = 25.0


class SoakMachine(InboxMachine):
    """The same, and what is seldom."""

    def __init__(self) -> None:
        super().__init__()
        self.many = 0
        self.deaths = 0

    @precondition(lambda self: self.many < MANY_TIMES)
    @rule(user=users)
    def send_many(self, user: str) -> None:
        """So many that marks and pages are of another kind."""
        self.many += 1
        sends = [(To(users=(user,)), "orders.new" if n % 3 else None, None) for n in range(MANY)]
        self._do(f"send {MANY} to {user}", lambda: self.sending.send(sends))

    @precondition(lambda self: self.deaths < DEATHS)
    @rule(gateway=gateways)
    def kill_gateway(self, gateway: int) -> None:
        """By SIGKILL, with everything that it holds."""
        self.deaths += 1
        self._do(
            f"gateway {gateway} dies, and another takes its place",
            lambda: self.clients.lose_gateway(gateway, lambda: self.stage.replace_gateway(gateway)),
            FEED_SECONDS,
        )
