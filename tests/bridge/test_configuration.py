"""The file of the bridge, and its faults. Without a broker."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.support import sink_table, table
from tests.operations.support import tidings_server
from tests.support.ports import free_port
from tests.support.tree import ROOT
from tidings.protocol.events import EVENT_TYPES
from tidings_workers.bridge import brokers
from tidings_workers.bridge.configuration import KafkaSink, KafkaSource, RabbitmqSink, RabbitmqSource
from tidings_workers.bridge.file import parse, read_file
from tidings_workers.config_checks import ConfigurationError

RABBITMQ = {"name": "a", "type": "rabbitmq", "url": "amqp://u:p@host/", "queue": "q"}
KAFKA = {"name": "k", "type": "kafka", "servers": ["host:9092"], "topics": ["t"], "group": "g"}
RABBITMQ_SINK = {"name": "x", "type": "rabbitmq", "url": "amqp://u:p@host/", "exchange": "e", "events": ["*"]}
KAFKA_SINK = {"name": "y", "type": "kafka", "servers": ["host:1"], "topic": "t", "events": ["*"]}
STOMP = {"name": "s", "type": "stomp", "url": "stomp://host", "destination": "/queue/q"}


def faults(*tables: str, **environ: str) -> list[tuple[int, str]]:
    """The faults of a file with these tables."""
    return [(each.line, each.detail) for each in parse("\n".join(tables).encode(), environ)[1]]


def test_every_key_is_read(tmp_path: Path) -> None:
    """The keys of the contract are read, with their defaults, and variables are put into texts."""
    path = tmp_path / "bridge.toml"
    path.write_text(
        table(**RABBITMQ | {"url": "amqp://u:${SECRET}@host/"})
        + table(**KAFKA | {"servers": "one:1", "format": "data", "prefetch": 1, "dead_letter": "d"})
        + table(**STOMP, login="l", passcode="p", scope="send")
        + sink_table(**RABBITMQ_SINK | {"name": "a", "events": ["user.*", "notification.read"]})
        + sink_table(**KAFKA_SINK)
    )
    first, second, third, fourth, fifth = read_file(path, {"SECRET": "x"})
    assert isinstance(first, RabbitmqSource)
    assert (first.url, first.format, first.prefetch, first.dead_letter) == (
        "amqp://u:x@host/",
        "notification",
        100,
        None,
    )
    assert isinstance(second, KafkaSource)
    assert (second.servers, second.format, second.prefetch, second.dead_letter) == ("one:1", "data", 1, "d")
    assert third.type == "stomp"
    assert isinstance(fourth, RabbitmqSink)
    assert (fourth.name, fourth.exchange) == ("a", "e")
    assert fourth.types == {"user.online", "user.offline", "notification.read"}
    assert isinstance(fifth, KafkaSink)
    assert (fifth.servers, fifth.topic, fifth.types) == (("host:1",), "t", frozenset(EVENT_TYPES))


@pytest.mark.parametrize(
    ("keys", "line", "says"),
    [
        (RABBITMQ | {"tenant": "Shop"}, 2, "1 to 40 of a-z 0-9 -"),
        (RABBITMQ | {"name": "a b"}, 3, "name has 1 to 64"),
        (RABBITMQ | {"prefetch": 0}, 7, "prefetch: it must be 1 or more"),
        (RABBITMQ | {"prefetch": "many"}, 7, "must be a whole number"),
        (RABBITMQ | {"queu": "q"}, 7, "Did you mean queue?"),
        (RABBITMQ | {"url": "http://host"}, 5, "amqp://user:password@host:5672/"),
        (RABBITMQ | {"url": "amqp://u:secret@[x/"}, 5, "write it as"),
        (RABBITMQ | {"dead_letter": "q"}, 7, "name another one"),
        (RABBITMQ | {"scope": "read"}, 7, "send"),
        (RABBITMQ | {"format": "xml"}, 7, "one of"),
        (RABBITMQ | {"queue": "${NOT_SET}"}, 6, "NOT_SET, which is not set"),
        ({"name": "a", "type": "rabbitmq", "url": "amqp://host/"}, 1, "the field queue is required"),
        ({"name": "a", "type": "nats"}, 4, "one of rabbitmq, kafka, stomp"),
        ({"name": "a"}, 1, "one of rabbitmq, kafka, stomp"),
        (KAFKA | {"topics": []}, 6, "topics"),
        (KAFKA | {"user": "u"}, 8, "give both or none"),
        (KAFKA | {"dead_letter": "t"}, 8, "name another topic"),
        (STOMP | {"url": "tcp://host"}, 5, "stomp://host:61613"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_has_its_line(keys: dict[str, Any], line: int, says: str) -> None:
    """Each fault names the line of its key, or of its table, and says what to write; it has no password."""
    (found,) = faults(table(**keys))
    assert found[0] == line
    assert says.lower() in found[1].lower()
    assert "secret" not in found[1]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[[source]]\nname = ", 2, "this is not TOML"),
        ("x = 1\n", 1, "x has no meaning here"),
        ("[source]\nname = 3\n", 1, "one of rabbitmq"),
        ("source = 3\n", 1, "a source is a table"),
        ("", 1, "there is no source and no sink"),
        ("[[sink]]\n", 1, "one of rabbitmq, kafka"),
        (sink_table(**STOMP), 4, "one of rabbitmq, kafka"),
        (sink_table(**RABBITMQ_SINK | {"events": []}), 7, "events"),
        (sink_table(**RABBITMQ_SINK | {"events": ["user.*", "users.*"]}), 7, "'users.*' is no event"),
        (sink_table(**RABBITMQ_SINK | {"url": "http://host"}), 5, "amqp://user:password@host:5672/"),
        (sink_table(**KAFKA_SINK | {"user": "u"}), 8, "give both or none"),
        (sink_table(**KAFKA_SINK | {"prefetch": 1}), 8, "prefetch"),
        (sink_table(**KAFKA_SINK) + sink_table(**KAFKA_SINK), 10, "is the name of the sink in line 3, too"),
    ],
)
def test_a_file_of_another_form(text: str, line: int, says: str) -> None:
    """A file that is not TOML, or has other tables, is refused with a line."""
    found = faults(text)
    assert [fault for fault in found if fault[0] == line and says in fault[1]], found


def test_the_files_of_deploy_and_docs_have_no_fault() -> None:
    """The file of deploy/ and the example of docs/brokers.md are valid."""
    document = (ROOT / "docs" / "brokers.md").read_text()
    example = document.split("```toml\n")[1].split("```")[0]
    assert faults((ROOT / "deploy" / "bridge.toml").read_text()) == []
    assert faults(example, RABBITMQ_PASSWORD="a", ACTIVEMQ_PASSWORD="b") == []


def test_two_sources_of_one_name() -> None:
    """The second source with a name is refused, because metrics and reports have one name each."""
    assert faults(table(**RABBITMQ), table(**RABBITMQ)) == [
        (10, "a is the name of the source in line 3, too")
    ]


def test_all_faults_are_shown_by_check(tmp_path: Path) -> None:
    """`--check` shows all faults of a file, each with its line, and its exit code is 1."""
    (tmp_path / "b.toml").write_text(table(**RABBITMQ | {"prefetch": 0, "x": 1}) + "[[sink]]\n")
    done = tidings_server("bridge", "--check", "b.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert [line.split(" ")[0] for line in done.stdout.splitlines()] == [
        "b.toml:7:",
        "b.toml:8:",
        "b.toml:9:",
    ]
    shown = json.loads(tidings_server("bridge", "--check", "b.toml", "--json", cwd=tmp_path).stdout)
    assert [each["line"] for each in shown["results"]] == [7, 8, 9]
    started = tidings_server(
        "bridge", "b.toml", cwd=tmp_path, environment={"REDIS_URL": "redis://127.0.0.1:1"}
    )
    assert (started.returncode, started.stdout) == (78, "")
    assert (
        "b.toml:7: prefetch: it must be 1 or more. (2 more: tidings-server bridge --check" in started.stderr
    )


def test_a_broker_that_is_away_is_found_by_check(tmp_path: Path) -> None:
    """`--check` tries each connection, and names the broker that does not answer, without its password."""
    port = free_port()
    (tmp_path / "b.toml").write_text(
        table(**RABBITMQ | {"url": f"amqp://u:secret@127.0.0.1:{port}/"})
        + table(**KAFKA | {"servers": f"127.0.0.1:{port}"})
        + table(**STOMP | {"url": f"stomp://127.0.0.1:{port}"})
    )
    done = tidings_server("bridge", "--check", "b.toml", cwd=tmp_path)
    assert (done.returncode, done.stdout.count("WRONG"), done.stdout.count("can't be reached")) == (1, 3, 3)
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "extra"),
    [
        (table(**RABBITMQ), "rabbitmq"),
        (table(**KAFKA), "kafka"),
        (sink_table(**RABBITMQ_SINK), "rabbitmq"),
        (sink_table(**KAFKA_SINK), "kafka"),
    ],
    ids=["rabbitmq", "kafka", "rabbitmq sink", "kafka sink"],
)
def test_a_missing_extra_names_its_command(text: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source or sink whose library is not installed is an error with the command that installs it."""
    (found,), _ = parse(text.encode(), {})
    monkeypatch.setattr(brokers, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=rf"pip install 'tidings-server\[{extra}\]'"):
        brokers.check_extra(found)


def test_no_library_is_loaded_without_a_source_of_its_type(tmp_path: Path) -> None:
    """A file with sources of STOMP alone loads no library of another broker."""
    (tmp_path / "b.toml").write_text(table(**STOMP | {"url": f"stomp://127.0.0.1:{free_port()}"}))
    code = (
        "import sys; from tidings_api.cli.command_line import run; run(['bridge', '--check', 'b.toml']);"
        "sys.exit(any(name in sys.modules for name in ('aio_pika', 'aiokafka')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0


def test_dev_refuses_a_file_with_faults(tmp_path: Path) -> None:
    """`dev --bridge` starts nothing when the file has a fault."""
    (tmp_path / "b.toml").write_text(table(**RABBITMQ | {"prefetch": 0}))
    done = tidings_server("dev", "--bridge", "b.toml", "--data", "data", cwd=tmp_path)
    assert done.returncode == 78
    assert "b.toml:7: prefetch" in done.stderr
    assert not (tmp_path / "data").exists()
