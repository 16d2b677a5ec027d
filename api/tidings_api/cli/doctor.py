"""`tidings-server doctor`: finds the faults of an installation, and says what to do."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from tidings_api.cli.archive_diagnosis import archive_findings
from tidings_api.cli.diagnosis import host_findings, port_findings
from tidings_api.cli.errors import CommandFailed
from tidings_api.cli.findings import Finding, wrong
from tidings_api.cli.output import DataOption, JsonOption, answer
from tidings_api.cli.store_diagnosis import examine_store
from tidings_api.cli.stores import store_settings
from tidings_workers import logs
from tidings_workers.config import Settings
from tidings_workers.data_directory import DataDirectoryInUse
from tidings_workers.data_state import DataDirectoryUnusable
from tidings_workers.embedded import EmbeddedStartFailed

_MARKS: Final = {"ok": "ok     ", "warning": "warning", "wrong": "WRONG  "}


def doctor(
    *,
    ports: Annotated[
        bool,
        Parameter(
            negative="--no-ports",
            help="Also check the API and the gateway: for an embedded store at the addresses of its `dev`, "
            "else at those of this environment's settings. --no-ports skips this.",
        ),
    ] = True,
    data: DataOption = None,
    json: JsonOption = False,
) -> int:
    """Check an installation: its store, its parts, this machine. Exit code 1 when something is wrong.

    Run it with the environment of a part. It changes nothing. A warning is not a failure.
    """
    findings = asyncio.run(_examine(data, ports=ports))
    healthy = all(finding.level != "wrong" for finding in findings)
    answer({"healthy": healthy, "findings": findings}, _text(findings), as_json=json)
    return 0 if healthy else 1


async def _examine(data: Path | None, *, ports: bool) -> list[Finding]:
    settings = Settings.from_environment()
    logs.configure("doctor", format=settings.log_format, level="error")
    try:
        async with store_settings(data) as settings:
            embedded = Settings.from_environment().redis_url is None or data is not None
            report = await examine_store(settings, embedded=embedded)
            of_ports = await port_findings(settings, report.identity) if ports else []
            of_archive = await archive_findings(settings)
            return [*host_findings(settings), *report.findings, *of_archive, *of_ports]
    except (CommandFailed, DataDirectoryInUse, DataDirectoryUnusable) as error:
        # Their text is the fault, a colon, and the cure.
        detail, _, cure = str(error).partition(": ")
        found = wrong("store", detail, cure)
    except EmbeddedStartFailed as error:
        log = settings.data.absolute() / "valkey.log"
        found = wrong("store", str(error), f"see {log}, and restore a backup if the data are damaged")
    return [*host_findings(settings), found]


def _text(findings: list[Finding]) -> str:
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.level]}  {finding.check}: {finding.detail}")
        if finding.cure:
            lines.append(f"         -> {finding.cure}")
    counts = Counter(finding.level for finding in findings)
    lines.append(f"wrong: {counts['wrong']}, warnings: {counts['warning']}, ok: {counts['ok']}")
    return "\n".join(lines)
