"""`tidings-server doctor`: says what is wrong with an installation, and how to mend it."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from tidings_api.cli.diagnosis import Finding, host_findings, port_findings
from tidings_api.cli.output import DataOption, JsonOption, answer
from tidings_api.cli.store_diagnosis import store_findings
from tidings_api.cli.stores import store_settings

_MARKS: Final = {"ok": "ok     ", "warning": "warning", "wrong": "WRONG  "}


def doctor(
    *,
    ports: Annotated[
        bool,
        Parameter(
            negative="--no-ports",
            help="Also ask the API and the gateway at the addresses of this environment's settings; "
            "--no-ports leaves them out, on a machine that runs neither.",
        ),
    ] = True,
    data: DataOption = None,
    json: JsonOption = False,
) -> int:
    """Check an installation: its store, its parts, this machine. Exit code 1 when something is wrong.

    Run it with the environment of a part. Nothing is changed. A warning is no failure.
    """
    findings = asyncio.run(_examine(data, ports=ports))
    healthy = all(finding.level != "wrong" for finding in findings)
    answer({"healthy": healthy, "findings": findings}, _text(findings), as_json=json)
    return 0 if healthy else 1


async def _examine(data: Path | None, *, ports: bool) -> list[Finding]:
    async with store_settings(data) as settings:
        return [
            *host_findings(settings),
            *await store_findings(settings),
            *(await port_findings(settings) if ports else ()),
        ]


def _text(findings: list[Finding]) -> str:
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.level]}  {finding.check}: {finding.detail}")
        if finding.cure:
            lines.append(f"         -> {finding.cure}")
    counts = Counter(finding.level for finding in findings)
    lines.append(f"{counts['wrong']} wrong, {counts['warning']} to look at, {counts['ok']} ok")
    return "\n".join(lines)
