"""What several workers of pytest-xdist need, made by the first of them that does."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

T = TypeVar("T")


def once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T], lock: Path | None = None
) -> T:
    """What `make` gives, which may leave files in the folder that it is handed, new and of that name.

    Who names a `lock` keeps other runs out, too.
    """
    own = factory.getbasetemp()
    # Not a worker's own folder, which goes when that worker is done.
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, noted = shared / f"{name}-once", shared / f"{name}-once.pickle"
    with FileLock(lock or f"{noted}.lock"):
        if not noted.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of one who did not get done with it
            folder.mkdir()
            noted.write_bytes(pickle.dumps(make(folder)))
        found: T = pickle.loads(noted.read_bytes())
        return found
