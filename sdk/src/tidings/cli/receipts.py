"""`tidings receipts`."""

from typing import Annotated

from cyclopts import Parameter

from tidings import InvalidRequestError, UserReceipt
from tidings.cli.common import Common, note, print_json


def receipts(
    notification: Annotated[str, Parameter(name="ID", help="The notification's id.")],
    /,
    *,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Print how many users received, saw and read a notification, then each user if the server keeps them."""
    from tidings.cli.lines import in_words  # noqa: PLC0415 - loads rich

    with common.client() as client:
        record = client.get(notification)
        if record.receipts is not None:
            if common.json:
                print_json(record.receipts)
            else:
                print(f"{record.status}: {in_words(record.receipts)}")
        try:
            for receipt in client.receipts(notification):
                if common.json:
                    print_json(receipt)
                else:
                    print(_line(receipt))
        except InvalidRequestError:
            note("The server keeps no users for a notification to one group or to all, only these counts")
    return 0


def _line(receipt: UserReceipt) -> str:
    from tidings.cli.lines import local  # noqa: PLC0415 - as above

    words = ["delivered"] if receipt.delivered else []
    for name, there, at in (
        ("seen", receipt.seen, receipt.seen_at),
        ("read", receipt.read, receipt.read_at),
    ):
        if there:
            words.append(f"{name} {local(at)}" if at else name)
    return f"  {receipt.user}: {', '.join(words) or 'not delivered yet'}"
