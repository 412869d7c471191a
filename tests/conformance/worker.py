"""Runs cases that it reads from standard input, one JSON line each, and answers with a JSON line each."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai

from tests.conformance.kit import NotApplicable, own_transport, run_case
from tests.conformance.registry import Case, load
from tests.conformance.script import Realm

PACKAGES = ("openai", "pydantic", "httpx", "httpx2", "wrapt")


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def run(case: Case, colour: str, *, patched: bool, realm: Realm) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_case(case, colour, patched=patched, realm=realm)
    except NotApplicable as reason:
        return {"outcome": "n/a", "reason": str(reason)}
    except BaseException as error:  # noqa: BLE001 - whatever an SDK raises is the outcome of the case
        trace = traceback.format_exc()
        return {"outcome": "failed", "reason": reason_of(error), "trace": trace}
    return {"outcome": "passed"}


def trust_one_certificate() -> None:
    """Each client reads all certificates that it trusts, for longer than a case takes; here it needs none."""
    os.environ["SSL_CERT_FILE"] = str(Path(__file__).parents[1] / "one-certificate.pem")


def reason_of(error: BaseException) -> str:
    line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {line}"[:200]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--url", required=True)
    options.add_argument("--patched", action="store_true")
    chosen = options.parse_args()

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever prints must not disturb the answers
    trust_one_certificate()
    cases = load()
    client = openai.OpenAI(api_key="warm-up", **own_transport(is_async=False))
    client.beta.threads.runs.steps  # noqa: B018 - newer SDKs import on first use
    answers.write(json.dumps({"versions": versions()}) + "\n")
    for line in sys.stdin:
        order = json.loads(line)
        realm = Realm(chosen.url, order["realm"])
        result = run(cases[order["case"]], order["colour"], patched=chosen.patched, realm=realm)
        answers.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
