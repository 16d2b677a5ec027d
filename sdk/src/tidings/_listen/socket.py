"""Opens the socket of one connection, and turns failures into errors of the SDK."""

from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from tidings._errors import ConfigurationError, ConnectionFailedError, RequestInfo, TimedOutError
from tidings._listen.access import Access
from tidings._problems import error_of_answer
from tidings._reasons import reason_of, timed_out
from tidings._retries import parse_retry_after
from tidings._wire import Wire, user_agent
from tidings.protocol.frames import SUBPROTOCOL

# A welcome names every log of the user: a thousand groups take about 100 KB.
MESSAGE_BYTES: Final = 16 * 1024 * 1024
CLOSE_SECONDS: Final = 2.0


async def open_socket(access: Access, wire: Wire, *, now: float) -> ClientConnection:
    """Open a connection within the timeout of `wire`, with the token in its handshake.

    Raises APIError if the server refuses the handshake, ConnectionFailedError if no answer arrives, and
    ConfigurationError if the URL or the proxy cannot be used.
    """
    request = RequestInfo("GET", access.realtime_url)
    try:
        return await connect(
            access.realtime_url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            additional_headers={"Authorization": f"Bearer {access.token}"},
            user_agent_header=user_agent(),
            ssl=wire.ssl_context if access.realtime_url.startswith("wss:") else None,
            proxy=wire.proxy,
            open_timeout=wire.timeout,
            close_timeout=CLOSE_SECONDS,
            max_size=MESSAGE_BYTES,
        )
    except InvalidStatus as refused:
        response = refused.response
        raise error_of_answer(
            response.status_code,
            bytes(response.body or b""),
            request=request,
            request_id=response.headers.get("X-Request-Id"),
            retry_after=parse_retry_after(response.headers.get("Retry-After"), now),
        ) from None
    except (InvalidProxy, ImportError) as error:
        raise ConfigurationError(f"The proxy cannot be used: {error}") from error
    except InvalidURI as error:
        raise ConfigurationError(f"The realtime URL cannot be used: {error}") from None
    except TimeoutError:
        raise TimedOutError(timed_out("connect", wire.timeout), request=request) from None
    except (OSError, InvalidHandshake, EOFError) as error:
        raise ConnectionFailedError(reason_of(error), request=request) from error
