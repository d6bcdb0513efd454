"""The watcher that starts a container's command anew after an edit: run as it is run in a container."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared import reload

PRINTS_AND_WAITS = "import time, greeting\nprint(greeting.TEXT, flush=True)\ntime.sleep(60)\n"
# As in an image, but that both directories are the test's own.
MAIN = "import sys; from pathlib import Path; from shared import reload\n\
reload.IMAGE, reload.COPY = Path(sys.argv[1]), Path(sys.argv[2]); sys.exit(reload.main(sys.argv[3:]))"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    source = tmp_path / "image" / "src"
    source.mkdir(parents=True)
    (source / "program.py").write_text(PRINTS_AND_WAITS)
    (source / "greeting.py").write_text("TEXT = 'before'\n")
    return source.parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy"


@pytest.fixture
def output(image: Path, copy: Path, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Run the program under the watcher; returns what was printed so far."""
    printed = tmp_path / "output"
    environment = os.environ | {
        "PYTHONPATH": f"{image / 'src'}{os.pathsep}{Path(reload.__file__).parents[1]}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", MAIN, str(image), str(copy), sys.executable, "-m", "program"]
    with printed.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
    yield printed.read_text
    process.terminate()
    assert process.wait(20) == 128 + signal.SIGTERM, "the command is told to end, and its exit status handed on"


def wait_for(text: str, output: Callable[[], str]) -> None:
    deadline = time.monotonic() + 15
    while text not in output():
        assert time.monotonic() < deadline, f"{text!r} was not printed: {output()!r}"
        time.sleep(0.05)


def test_an_edited_file_starts_the_command_anew_with_the_new_code(output: Callable[[], str], copy: Path) -> None:
    wait_for("before", output)
    (copy / "src" / "greeting.py").write_text("TEXT = 'after'\n")
    wait_for("after", output)
    assert f"edited: {copy / 'src' / 'greeting.py'}" in output()


def test_code_that_does_not_run_waits_for_the_edit_that_mends_it(output: Callable[[], str], copy: Path) -> None:
    wait_for("before", output)
    (copy / "src" / "greeting.py").write_text("TEXT = \n")
    wait_for("the command ended with status 1", output)
    (copy / "src" / "greeting.py").write_text("TEXT = 'mended'\n")
    wait_for("mended", output)


def test_the_image_itself_is_never_written(output: Callable[[], str], image: Path, copy: Path) -> None:
    before = {path: path.read_bytes() for path in image.rglob("*") if path.is_file()}
    wait_for("before", output)
    (copy / "src" / "new.py").write_text("")
    wait_for("new.py", output)
    assert {path: path.read_bytes() for path in image.rglob("*") if path.is_file()} == before


def test_a_copy_that_exists_keeps_what_was_edited(image: Path, copy: Path) -> None:
    reload.prepare(image, copy)
    (copy / "src" / "greeting.py").write_text("TEXT = 'mine'\n")
    reload.prepare(image, copy)
    assert "mine" in (copy / "src" / "greeting.py").read_text()


def test_only_import_paths_of_the_image_are_moved() -> None:
    environment = {"PYTHONPATH": "/app/src:/app:/opt/other", "HOME": "/tmp"}
    moved = reload.moved(environment, Path("/app"), Path("/tmp/app"))
    assert moved == {"PYTHONPATH": "/tmp/app/src:/tmp/app:/opt/other", "HOME": "/tmp"}


def test_a_watcher_without_a_command_says_how_to_call_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert reload.main([]) == 2
    assert "python -m shared.reload COMMAND" in capsys.readouterr().err
