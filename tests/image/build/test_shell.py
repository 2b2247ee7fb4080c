"""A command through the shell that stays ends and prints as one of `docker exec` does."""

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread

import docker
import pytest
from docker.errors import APIError, NotFound

from pipeline import image
from pipeline.server import container, removal
from pipeline.server.execute import STDERR, execute
from pipeline.server.shell import Shell
from tests.image.support.trial import Trial

COMMANDS = [
    ["true"],
    ["cat", "/etc/hostname"],
    ["bash", "-c", "printf 'no line end\\0'; exit 3"],
    ["bash", "-c", "echo error >&2; exit 255"],
    ["printf", "%s|", "", " a  b ", "*", "$HOME", "'\"\\", "two\nlines", "ümlaut"],
    ["bash", "-c", "printf '\\xff\\xfe'; head -c 300000 /dev/zero"],
    ["cat"],  # from a standard input with nothing in it
    ["bash", "-c", "kill -SEGV $$"],
    ["bash", "-c", "env | sort; pwd; id; ls -l /proc/self/fd | wc -l"],
]


@pytest.fixture
def shell(idle: Trial) -> Iterator[Shell]:
    made = Shell(idle.container)
    yield made
    made.close()


def test_what_comes_of_a_command_is_what_comes_of_docker_exec(idle: Trial, shell: Shell) -> None:
    for command in COMMANDS * 2:
        assert shell.execute(command) == execute(idle.container, command), command


def test_a_process_with_many_files_open_has_one_too(shell: Shell) -> None:
    """Its descriptor is above 1023, of which select() knows nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    try:
        with ExitStack() as opened:
            for _ in range(1100):
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
            for _ in range(2):  # the second finds the first one's stream
                assert shell.execute(["echo", "there"]) == (0, b"there\n")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_variables_and_one_stream_alone(idle: Trial, shell: Shell) -> None:
    command = ["bash", "-c", 'echo out; echo "$A" >&2; exit 4']
    given = {"A": "two\nlines ", "B": ""}
    for only, output in ((STDERR, b"two\nlines \n"), (None, b"out\ntwo\nlines \n")):
        assert shell.execute(command, only, given) == (4, output)
    assert execute(idle.container, command, STDERR, environment=given) == (4, b"two\nlines \n")
    assert shell.execute(["printenv", "A"]) == (1, b"")


def test_a_second_command_at_the_same_time_waits_for_none(shell: Shell) -> None:
    endless = Thread(
        target=shell.execute, args=(["bash", "-c", "until [[ -e /tmp/end ]]; do sleep 0.1; done"],)
    )
    endless.start()
    assert shell.execute(["touch", "/tmp/end"]).exit_code == 0
    endless.join()


def test_a_container_that_ends_and_starts_again(client: docker.DockerClient, built: image.Image) -> None:
    with container(client, built.name, entrypoint=["sleep", "infinity"], init=True) as made:
        shell = Shell(made)
        assert shell.execute(["echo", "a"]) == (0, b"a\n")
        made.restart(timeout=0)
        assert shell.execute(["echo", "b"]) == (0, b"b\n")
        assert shell.execute(["bash", "-c", "echo c; kill -TERM 1; sleep 60"]) == (137, b"c\n")
        made.wait(timeout=30)
        with pytest.raises(APIError, match="is not running"):
            shell.execute(["echo", "d"])


def test_containers_that_are_removed_together_end_at_once(
    client: docker.DockerClient, built: image.Image
) -> None:
    removal.sweep()
    with container(client, built.name, entrypoint=["sleep", "infinity"]) as made:
        pass
    made.reload()
    assert made.status == "exited"
    removal.sweep()
    with pytest.raises(NotFound):
        made.reload()
