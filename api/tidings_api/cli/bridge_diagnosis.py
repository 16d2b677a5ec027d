"""The checks of `doctor` for bridges: one finding per source and sink."""

import time
from typing import Any, Final, cast

from redis.asyncio import Redis, RedisCluster

from tidings_api.cli.findings import Finding, ok, warning, wrong
from tidings_workers.config import Settings
from tidings_workers.store.bridges import Report, decode_reports
from tidings_workers.store.keys import BRIDGES

# A bridge reports every 5 s.
SILENT_SECONDS: Final = 30.0


async def bridge_findings(client: Redis | RedisCluster, settings: Settings) -> list[Finding]:
    """How each source and sink works, as the bridges reported it. Raises the errors of redis-py."""
    reports = decode_reports(await cast("Any", client).hgetall(BRIDGES))
    if not reports and settings.bridge_file is not None:
        return [
            warning(
                "bridge",
                f"TIDINGS_BRIDGE_FILE is {settings.bridge_file}, but no bridge is running",
                "start `tidings-server bridge`",
            )
        ]
    return [_finding(report) for report in reports]


def _finding(report: Report) -> Finding:
    check = f"bridge, {report.kind} {report.name}"
    counts = f"{report.accepted:,} accepted, {report.dead:,} dead"
    if report.lag is not None:
        counts += f", {report.lag:,} wait"
    silent = time.time() - report.at / 1000
    if silent > SILENT_SECONDS:
        return warning(
            check,
            f"its bridge {report.bridge} has been silent for {silent:.0f} s",
            "start `tidings-server bridge` again, or see its log",
        )
    if report.paused and report.paused != "starting":
        fault, _, cure = report.last_error.rpartition(": ")
        return wrong(
            check, f"paused ({report.paused}): {fault or cure}; {counts}", cure if fault else "see its log"
        )
    return ok(check, f"{report.type} works: {counts}")
