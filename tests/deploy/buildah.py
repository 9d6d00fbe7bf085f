"""Builds and runs the images without Docker: buildah, in chroot isolation, on a base that debootstrap makes."""

from __future__ import annotations

import ast
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.processes import plain_environment
from tests.programs import need

BASE = "localhost/base"
ROOT: list[str] = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]


class Builder:
    """A store of images of its own, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._buildah = need("buildah")
        self._debootstrap = need("debootstrap")
        self.folder = folder
        self._pip = folder / "pip.conf"
        self._mounts = pip_of_this_machine(self._pip)
        self._started: list[subprocess.Popen[bytes]] = []

    def make_base(self) -> None:
        """The smallest Debian or Ubuntu of this machine's release, with the Python that runs the tests."""
        tree, archive = self.folder / "base", self.folder / "base.tar"
        self.bootstrap(tree)
        self._add_python(tree)
        _run([*ROOT, "tar", "-C", str(tree), "-cf", str(archive), "."])
        self._call("from", "--name", "base", "scratch")
        self._call("add", "--quiet", "base", str(archive), "/")
        self._call("commit", "--quiet", "--disable-compression", "base", BASE)
        self._call("rm", "base")
        _run([*ROOT, "rm", "-rf", str(tree), str(archive)])

    def bootstrap(self, tree: Path) -> None:
        """A system in a folder, from where this machine's packages come."""
        mirror, release = _mirror()
        # with the libraries that Python needs
        command = [self._debootstrap, "--variant=minbase", "--include=python3,python3-venv"]
        components = ["--components=main,universe"] if "ubuntu" in mirror else []
        _run([*ROOT, *command, *components, release, str(tree), mirror])

    def _add_python(self, tree: Path) -> None:
        """Put this Python where the real base has its own: the system's may be older than the lock files allow."""
        source, target = Path(sys.base_prefix), self.folder / "python"
        library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
        if source == Path("/usr"):
            return
        unneeded = ("site-packages", "test", "tests", "idlelib", "tkinter", "__pycache__", "config-*")
        shutil.copytree(source / library, target / library, ignore=shutil.ignore_patterns(*unneeded))
        (target / library / "site-packages").mkdir()
        (target / "bin").mkdir()
        shutil.copy(Path(sys.base_prefix, "bin", "python3").resolve(), target / "bin" / "python3")
        for shared in (source / "lib").glob("libpython*.so*"):
            shutil.copy(shared, target / "lib")
        _run([*ROOT, "cp", "-r", f"{target}/.", str(tree / "usr/local")])
        _run([*ROOT, "/usr/sbin/chroot", str(tree), "/sbin/ldconfig"])

    def build(self, dockerfile: Path, context: Path, name: str, layers: bool) -> str:
        """Run the steps of a Dockerfile; its output."""
        return self._call(
            "build", *self._volumes(), "--isolation", "chroot", "--format", "docker", "--pull-never",
            f"--layers={str(layers).lower()}", "--build-arg", f"BASE={BASE}", "--file", str(dockerfile),
            "--tag", f"localhost/{name}", str(context),
        )  # fmt: skip

    def inspect(self, name: str) -> Any:
        """The image's configuration, as Docker has it."""
        return json.loads(self._call("inspect", "--type", "image", f"localhost/{name}"))["Docker"]

    def layers(self, name: str) -> list[str]:
        """The digests of the image's layers, the lowest first."""
        digests: list[str] = self.inspect(name)["rootfs"]["diff_ids"]
        return digests

    def run(self, name: str, *command: str, data: Path, **environment: str) -> subprocess.Popen[bytes]:
        """Start a program in a new container of that image, with the network of this machine."""
        container = self._call("from", "--pull-never", f"localhost/{name}").strip()
        variables = [f"--env={variable}={value}" for variable, value in environment.items()]
        volume = f"--volume={data}:/var/lib/stemsvc"
        whole = [*self._command(), "run", "--isolation=chroot", *variables, volume, container, "--", *command]
        with self._log(len(self._started)).open("wb") as log:
            process = subprocess.Popen(
                whole, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, env=plain_environment()
            )
        self._started.append(process)
        return process

    def said(self, process: subprocess.Popen[bytes]) -> str:
        """What that program has written."""
        return self._log(self._started.index(process)).read_text(errors="replace")

    def volume(self) -> Path:
        """An empty folder of the images' user."""
        folder = Path(tempfile.mkdtemp(prefix="volume-", dir=self.folder))
        _run([*ROOT, "chown", "10001:10001", str(folder)])
        return folder

    def close(self) -> None:
        """End what runs, and give the disk back."""
        for process in reversed(self._started):
            if process.poll() is None:
                _run([*ROOT, "kill", "-TERM", "--", f"-{process.pid}"], check=False)
                process.wait(60)
        self._call("rm", "--all")  # which unmounts them
        _run([*ROOT, "rm", "-rf", "--one-file-system", str(self.folder)])

    def _log(self, number: int) -> Path:
        return self.folder / f"{number}.log"

    def _command(self) -> list[str]:
        store = self.folder / "store"
        folders = [f"--root={store / 'root'}", f"--runroot={store / 'run'}"]
        return [*ROOT, self._buildah, *folders, f"--storage-driver={_driver()}"]

    def _volumes(self) -> list[str]:
        both = {Path("/etc/pip.conf"): self._pip, **{path: path for path in self._mounts}}
        return [part for inside, outside in both.items() for part in ("--volume", f"{outside}:{inside}:ro")]

    def _call(self, *arguments: str) -> str:
        return _run([*self._command(), *arguments])


def context(target: Path) -> Path:
    """A copy of what `.dockerignore` lets through."""
    for line in Path(".dockerignore").read_text().splitlines():
        source = Path(line.removeprefix("!"))
        if not line.startswith("!"):  # the last line that fits counts
            for left_out in target.glob(line) if "/" in line and "**" not in line else ():
                shutil.rmtree(left_out) if left_out.is_dir() else left_out.unlink()
            continue
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules")
            shutil.copytree(source, target / source, ignore=ignored, dirs_exist_ok=True)
        elif source.exists():
            (target / source).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / source)
    shutil.copy(".dockerignore", target)
    return target


def pip_of_this_machine(file: Path) -> set[Path]:
    """Write pip's settings of this machine, of its files and its environment, to `file`; the local files they name."""
    said = subprocess.run(["python3", "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    settings: dict[str, str] = {}
    for line in said.splitlines():
        name, _, value = line.partition("=")
        settings[name.partition(".")[2]] = ast.literal_eval(value)
    settings.pop("no-cache-dir", None)  # a Dockerfile has its own
    words = [word.removeprefix("file://") for value in settings.values() for word in value.split()]
    found = {Path(word) for word in words if word.startswith("/") and Path(word).exists()}
    folders = {path.parent if path.name == "simple" else path for path in found}  # an index' files lie beside it
    lines = [f"{name} = {value}".replace("\n", "\n    ") for name, value in settings.items()]
    file.write_text("\n".join(["[global]", *lines, ""]))
    return folders


def _mirror() -> tuple[str, str]:
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    listed = _run(["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"])
    mirrors = [line.split()[1] for line in listed.splitlines() if line.split()[0] == release]
    return mirrors[0], release


def _driver() -> str:
    """Overlay, but for a machine whose temporary folder is one already."""
    kind = _run(["stat", "--file-system", "--format", "%T", "/tmp"]).strip()
    return "vfs" if kind == "overlayfs" else "overlay"


def _run(command: list[str], check: bool = True) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=plain_environment())
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}"
    return done.stdout
