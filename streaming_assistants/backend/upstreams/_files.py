"""Files on their way between the model's world and the thread's: images in, results out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import mimetypes
import re
from collections.abc import Generator
from urllib.parse import quote

from .._engine.port import Call, FileContent, Json, Piece, UpstreamError
from ._members import Fault, member

logger = logging.getLogger("streaming_assistants")

_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_CONTAINER_URL = re.compile(r"/containers/([^/?#]+)/files/([^/?#]+)/content(?:[?#]|\Z)")


def image_type(content: bytes) -> str | None:
    """The media type of an image that models take, by its first bytes; None for anything else."""
    for signature, media_type in _SIGNATURES.items():
        if content.startswith(signature):
            return media_type
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None


def data_url(file_id: str) -> Generator[Piece, Json, str]:
    """Fetches an uploaded image and returns it as a data URL, for an upstream that knows no file ids."""
    try:
        content = yield Call("GET", f"/files/{quote(file_id, safe='')}/content", raw=True)
    except UpstreamError as error:
        raise Fault(
            f"The image_file {file_id} could not be read from this server's /files ({error.message}). Send "
            'the image as image_url with a data URL, or use upstream="responses", which takes file ids.',
            "rate_limit_exceeded" if error.status == 429 else "server_error",
        ) from error
    media_type = image_type(content)
    if media_type is None:
        raise Fault(
            f"The image_file {file_id} is no PNG, JPEG, GIF or WebP image. Please make sure your image has "
            "of one the following formats: ['png', 'jpeg', 'gif', 'webp'].",
            "invalid_prompt",
        )
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


class Results:
    """Brings files that a tool made to ``/files``, each once a turn, so that their ids can be fetched."""

    def __init__(self) -> None:
        self._published: dict[str, str] = {}
        self._images: dict[bytes, str] = {}  # by content: a plot comes as an output and as a citation

    def from_container(
        self, container_id: str, file_id: str, filename: str | None
    ) -> Generator[Piece, Json, str]:
        """Returns the id in ``/files``, or the container's own id if the copy failed (logged)."""
        key = f"{container_id}/{file_id}"
        if key not in self._published:
            path = f"/containers/{quote(container_id, safe='')}/files/{quote(file_id, safe='')}/content"
            try:
                content = yield Call("GET", path, raw=True)
            except UpstreamError as error:
                logger.warning("container file %s could not be read: HTTP status %s", file_id, error.status)
                return file_id
            self._published[key] = (yield from self._publish(content, filename or file_id)) or file_id
        return self._published[key]

    def from_url(self, url: str) -> Generator[Piece, Json, str | None]:
        """The id for an image output's URL: a data URL, or a container file's. None for another URL.

        A foreign URL is not fetched: the client would send its key along.
        """
        file = _CONTAINER_URL.search(url)
        if file:
            return (yield from self.from_container(file[1], file[2], None))
        if not url.startswith("data:"):
            return None
        if url not in self._published:
            try:
                content = base64.b64decode(url.partition(",")[2], validate=True)
            except binascii.Error as error:
                raise Fault("The upstream sent an image output that is no valid base64.") from error
            file_id = yield from self._publish(content, "image")
            if file_id is None:
                return None
            self._published[url] = file_id
        return self._published[url]

    def _publish(self, content: bytes, filename: str) -> Generator[Piece, Json, str | None]:
        media_type = image_type(content)
        digest = hashlib.sha256(content).digest()
        if digest in self._images:
            return self._images[digest]
        if media_type and "." not in filename:
            filename += "." + media_type.partition("/")[2]
        # Of the purposes that a client may upload, OpenAI lets only "vision" (images) and "batch" (JSONL)
        # be downloaded; Azure knows neither "vision" nor "user_data" in some of its API versions.
        for purpose in ("vision" if media_type else "user_data", "assistants"):
            kind = media_type or mimetypes.guess_type(filename)[0] or "application/octet-stream"
            try:
                answer = yield Call(
                    "POST", "/files", {"purpose": purpose}, files={"file": (filename, content, kind)}
                )
            except UpstreamError as error:
                logger.warning("a tool's file was refused by /files as %s: status %s", purpose, error.status)
                continue
            file_id = member(answer, "id", str)
            if media_type:
                self._images[digest] = file_id
            yield FileContent(file_id, filename, content)
            return file_id
        logger.warning("a tool's file could not be copied to /files; its message keeps the upstream's id")
        return None
