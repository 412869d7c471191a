"""Programs that are run with nothing changed in them, and the processes that they start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the backend needs streaming_assistants[backend]")

PROGRAM = """
import multiprocessing, subprocess, sys, threading
{first}

def seen(name):
    client = OpenAI(api_key="unused")
    if name == "main":
        client.beta.assistants.create(model="echo", name="kept")
    print(name, [each.name for each in client.beta.assistants.list()], flush=True)

if __name__ == "__main__":
    if sys.argv[1:] == ["child"]:
        seen("child")
    else:
        seen("main")
        subprocess.run([sys.executable, __file__, "child"], check=True)
        for method in [each for each in multiprocessing.get_all_start_methods() if each != "forkserver"]:
            process = multiprocessing.get_context(method).Process(target=seen, args=(method,))
            process.start()
            process.join()
            assert process.exitcode == 0, method
"""


def run(*command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMING_ASSISTANTS_")}
    return subprocess.run(
        [sys.executable, "-W", "ignore", *command],
        cwd=folder,
        env={**kept, "PYTHONWARNINGS": "ignore", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def through_run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("-m", "streaming_assistants", "run", *arguments, folder=folder, **environment)


def written(folder: Path, text: str, name: str = "program.py") -> str:
    (folder / name).write_text(text)
    return name


def test_a_program_and_the_processes_that_it_starts(tmp_path: Path) -> None:
    program = written(tmp_path, PROGRAM.format(first="from openai import OpenAI"))
    done = through_run("--backend", "echo", "--store", "sqlite:///a.db", program, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert said.keys() >= {"main", "child", "spawn"}
    assert set(said.values()) == {"['kept']"}


def test_a_module_and_the_library_imported_first(tmp_path: Path) -> None:
    first = "import streaming_assistants\nfrom openai import OpenAI"
    written(tmp_path, PROGRAM.format(first=first), "package.py")
    done = through_run("--backend", "echo", "-m", "package", "child", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "child []\n"), done.stderr


def test_a_sitecustomize_of_the_users_still_runs(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    written(theirs, "import sys\nsys.theirs = __file__", "sitecustomize.py")
    program = written(
        tmp_path,
        "import sitecustomize, sys\nprint(sys.theirs == sitecustomize.__file__, 'openai' in sys.modules)",
    )
    done = through_run(
        "--backend", "echo", "--", sys.executable, program, folder=tmp_path, PYTHONPATH=str(theirs)
    )
    # A program that imports no SDK has none imported for it.
    assert (done.returncode, done.stdout) == (0, "True False\n"), done.stderr


@pytest.mark.parametrize("where", ["main", "thread"])
def test_a_failure_to_install_stops_the_program_with_one_sentence(where: str, tmp_path: Path) -> None:
    site = Path(__file__).parents[2] / "streaming_assistants" / "_activation" / "site"
    if not site.exists():
        pytest.skip("the package is tested from where it is installed")
    threaded = "thread = threading.Thread(target=use); thread.start(); time.sleep(30); print('went on')"
    program = written(
        tmp_path,
        "import threading, time\ndef use():\n    import openai\n"
        + ("use()" if where == "main" else threaded),
    )
    done = run(program, folder=tmp_path, PYTHONPATH=str(site), STREAMING_ASSISTANTS_BACKEND="nobody")
    assert done.returncode != 0
    assert done.stdout == ""
    sentence = "streaming_assistants could not be installed into this program: There is no upstream 'nobody'"
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("Traceback") <= (where == "thread")  # of the main thread, if it heeds Ctrl-C


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "there is no program to run"),
        (["--store", "a.db", "x.py"], 2, "no backend is named"),
        (["--backend", "nobody", "x.py"], 2, "invalid choice"),
        (["--backend", "echo", "--model", "a", "x.py"], 2, "'a' is no OLD=NEW pair"),
        (["--", "no-such-program"], 127, "There is no program no-such-program."),
    ],
)
def test_what_makes_no_sense(arguments: list[str], code: int, said: str, capsys: Any) -> None:
    from streaming_assistants.cli import main

    try:
        answered = main(["run", *arguments])
    except SystemExit as exit:
        answered = exit.code  # type: ignore[assignment]
    assert answered == code
    assert said in capsys.readouterr().err


def test_the_exit_code_is_the_programs(tmp_path: Path) -> None:
    program = written(tmp_path, "import sys; sys.exit(int(sys.argv[1]))")
    assert through_run(program, "7", folder=tmp_path).returncode == 7


def test_auto(tmp_path: Path) -> None:
    program = written(
        tmp_path,
        "import streaming_assistants.auto\nfrom openai import OpenAI\n"
        "print(OpenAI(api_key='unused').beta.assistants.list().data)",
    )
    done = run(program, folder=tmp_path, STREAMING_ASSISTANTS_BACKEND="echo")
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
