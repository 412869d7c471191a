"""nginx before two servers of one store, as ``deploy/nginx.conf`` sets it up."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.clients import Colour

from .conftest import Api
from .databases import File
from .served import ROOT, Command, connected

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.any_sdk,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed"),
]

CONFIG = (ROOT / "deploy" / "nginx.conf").read_text()
AROUND = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {config}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, config: str) -> Iterator[str]:
    """The address that nginx listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir()
    path = folder / "nginx.conf"
    path.write_text(
        AROUND.format(folder=folder, config=config.replace("listen 8080", f"listen 127.0.0.1:{port}"))
    )
    url = f"http://127.0.0.1:{port}/v1"
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", str(path)]) as process:
        try:
            while process.poll() is None:
                with contextlib.suppress(ConnectionRefusedError), connected(url):
                    break
            assert process.poll() is None
            yield url
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses of two, by those that the file has in their place."""
    options = ("--upstream", "echo", "--store", File(tmp_path_factory.mktemp("store") / "assistants.db").url)
    with Command(*options) as one, Command(*options) as other:
        yield {"127.0.0.1:8000": one.url.split("/")[2], "127.0.0.1:8001": other.url.split("/")[2]}


@pytest.fixture(scope="module", params=["as it is", "with nginx's own buffering"])
def url(
    request: pytest.FixtureRequest, servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    config = CONFIG if request.param == "as it is" else CONFIG.replace("proxy_buffering off;", "")
    for written, address in servers.items():
        config = config.replace(written, address)
    with nginx(tmp_path_factory.mktemp("nginx") / "run", config) as address:
        yield address


@pytest.fixture
def api(url: str, colour: Colour) -> Api:
    return Api(colour.sdk_client(api_key="sk-not-a-key", base_url=url), None)


async def test_an_event_comes_while_the_run_goes_on(api: Api) -> None:
    assistant_id, thread_id = await api.assistant(), await api.thread("echo:stall 30\nhello")
    stream = await api.open(f"/threads/{thread_id}/runs", {"assistant_id": assistant_id})
    while (event := await stream.next()) is not None and event[0] != "thread.run.in_progress":
        run_id = event[1]["id"]
    await api.post(f"/threads/{thread_id}/runs/{run_id}/cancel")
    assert [name for name, _ in await stream.rest()][-2:] == ["thread.run.cancelled", "done"]


def test_a_file_goes_both_ways(url: str) -> None:
    content = bytes(range(256)) * 20_000  # 5 MB
    with openai.OpenAI(api_key="unused", base_url=url) as client:
        made = client.files.create(file=("data.bin", content), purpose="assistants")
        assert client.files.content(made.id).content == content
