"""What patch() asks the SDK is asked of a copy of its code: nobody sees it, nobody is in its way.

Each test has a process of its own, because the answers are kept for as long as one lasts. That imports the
SDK and asks all probes, and a loaded machine takes more than 5 s for it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def started(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)


def run(program: str, *options: str) -> str:
    done = started([sys.executable, *options, "-c", program])
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


WRAP_ALL = """
import functools, logging, sys, types
import openai

SEEN = []

def wrap(owner, name, function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        SEEN.append(f"{owner.__name__}.{name}")
        return function(*args, **kwargs)
    setattr(owner, name, wrapper)

CODE = ("openai._base_client", "openai._client", "openai._streaming", "openai._resource", "openai._response",
        "openai._legacy_response", "openai.resources", "openai.lib", "openai.pagination")
SENDS = ("send", "request", "stream", "_send_single_request", "handle_request", "handle_async_request")

def classes():
    for module in list(sys.modules.values()):
        name = getattr(module, "__name__", "")
        for owner in vars(module).values() if name.startswith(CODE) else ():
            if issubclass(type(owner), type) and (owner.__module__ + " ").startswith(("openai ", *CODE)):
                # no errors, and Timeout is httpx's class
                if owner.__name__ != "Timeout" and not issubclass(owner, Exception):
                    yield owner, None
        if name in ("httpx", "httpx2"):
            yield module.Client, SENDS
            yield module.AsyncClient, SENDS

def wrap_all():
    for owner, only in classes():
        for method, function in list(vars(owner).items()):
            wanted = method in only if only else method == "__init__" or not method.startswith("__")
            if wanted and isinstance(function, types.FunctionType):
                wrap(owner, method, function)
"""


@pytest.mark.parametrize("made", ["OpenAI", "AsyncOpenAI", "AzureOpenAI"])
def test_no_probe_passes_a_wrapper_on_the_sdk_or_its_transport(made: str) -> None:
    azure = ", azure_endpoint='http://nowhere.invalid', azure_deployment='d', api_version='v'"
    program = f"""{WRAP_ALL}
client = openai.{made}(api_key="k"{azure if "Azure" in made else ""})
client.beta.threads.runs.steps, client.beta.threads.messages, client.beta.assistants
stores = getattr(client, "vector_stores", None) or getattr(client.beta, "vector_stores", None)
stores and (stores.files, stores.file_batches)
records = []
logging.basicConfig(level=logging.DEBUG, handlers=[logging.Handler()])
logging.root.handlers[0].emit = records.append
wrap_all()
assert SEEN == []
import streaming_assistants as sa
sa.capabilities(client)
print(sorted(set(SEEN)), [r.getMessage() for r in records if r.name.startswith(("openai", "http"))])
"""
    assert run(program) == "[] []\n"


PACKED = """
import sys
from importlib.machinery import ModuleSpec, PathFinder
import httpx

class Loader:
    def __init__(self, loader):
        self._loader = loader
        if HAS_CODE:
            self.get_code = loader.get_code
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        exec(self._loader.get_code(module.__name__), vars(module))

class Finder:
    paths = {"openai": None}
    def find_spec(self, name, path=None, target=None):
        parent = name.rpartition(".")[0] or name
        found = PathFinder.find_spec(name, self.paths[parent]) if parent in self.paths else None
        if found is None or found.loader is None:
            return found
        made = ModuleSpec(name, Loader(found.loader))
        if found.submodule_search_locations is not None:
            self.paths[name] = found.submodule_search_locations
            made.submodule_search_locations = ["/nowhere/" + name]
        return made

sys.meta_path.insert(0, Finder())
import openai
import streaming_assistants
"""


@pytest.mark.parametrize("has_code", [True, False], ids=["packed", "compiled"])
def test_a_program_without_files_can_patch(has_code: bool) -> None:
    program = f"HAS_CODE = {has_code}\n{PACKED}client = openai.OpenAI(api_key='k')\n{SHOWS}"
    found = run(program)
    assert found.partition(" ")[0] == "streaming_assistants"
    if has_code:
        assert found == run(
            f"import openai, streaming_assistants\nclient = openai.OpenAI(api_key='k')\n{SHOWS}"
        )


SHOWS = """
from streaming_assistants import capabilities, patch
table = capabilities(patch(client))
print(table.provider("beta.threads.runs.stream()"), sorted(table))
"""

WRAPPED_INIT = """
import openai
before = openai.OpenAI.__init__
def __init__(self, *args, **kwargs):
    before(self, *args, **kwargs)
    import streaming_assistants
    streaming_assistants.patch(self)
openai.OpenAI.__init__ = __init__
"""

PATCHING_SUBCLASS = """
import openai
class Patching(openai.OpenAI):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        import streaming_assistants
        streaming_assistants.patch(self)
Bare, openai.OpenAI = openai.OpenAI, Patching
"""

ASKS = """
client = openai.OpenAI(api_key="k", base_url="http://nowhere.invalid")
print(streaming_assistants.capabilities(client).provider("beta.threads.runs.stream()"))
"""


@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.parametrize("program", [WRAPPED_INIT, PATCHING_SUBCLASS], ids=["init", "subclass"])
def test_a_client_that_patches_itself_does_so_once(program: str, first: str) -> None:
    ours = "import streaming_assistants\n"
    asked = (ours + program if first == "ours" else program + ours) + ASKS
    assert run(asked) == "streaming_assistants\n"


def test_a_client_of_the_sdks_own_class_is_one_beside_a_class_put_in_its_place() -> None:
    asks = "print(streaming_assistants.patch(Bare(api_key='k')).beta.threads.runs.stream.__name__)"
    assert run(f"{PATCHING_SUBCLASS}\nimport streaming_assistants\n{asks}") == "stream\n"


def test_threads_that_patch_first_leave_the_warnings_alone() -> None:
    program = """
import sys, threading, warnings
import openai, streaming_assistants
clients = [openai.OpenAI(api_key="k", base_url="http://nowhere.invalid") for _ in range(6)]
entered, before = [], list(warnings.filters)
kept = warnings.catch_warnings.__enter__
def enter(self):
    if sys._getframe(1).f_globals["__name__"].startswith("streaming_assistants"):
        entered.append(1)
    return kept(self)
warnings.catch_warnings.__enter__ = enter
barrier = threading.Barrier(len(clients))
def go(client):
    barrier.wait()
    streaming_assistants.patch(client)
threads = [threading.Thread(target=go, args=(client,)) for client in clients]
sys.setswitchinterval(1e-5)
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(entered), warnings.filters == before)
"""
    assert run(program) == "0 True\n"


def test_the_first_example_of_the_readme_warns_of_nothing(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = text.partition("```python\n")[2].partition("```")[0]
    assert 'backend="echo"' in example
    assert run(example, "-W", "error").strip() == "Word by word, please."
    test = tmp_path / "test_example.py"
    test.write_text("def test_it():\n    " + example.replace("\n", "\n    "), encoding="utf-8")
    pytest_again = "import pytest, sys; sys.exit(pytest.main(sys.argv[1:]))"
    done = started(
        [sys.executable, "-c", pytest_again, "-q", "-W", "error", "-p", "no:cacheprovider", str(test)]
    )
    assert done.returncode == 0, done.stdout
