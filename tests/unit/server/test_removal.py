from unittest.mock import MagicMock

import pytest
from docker.models.containers import Container

from pipeline.server import removal


def test_one_within_another_removes_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a folder of tests takes the engine from another folder's fixtures."""
    monkeypatch.setattr(removal, "_waiting", None)
    outer, inner, after = (MagicMock(spec=Container) for _ in range(3))
    with removal.together():
        removal.remove(outer)
        with removal.together():
            removal.remove(inner)
            inner.kill.assert_called_once()
            inner.remove.assert_not_called()
        inner.remove.assert_called_once_with(force=True, v=True)
    outer.remove.assert_called_once_with(force=True, v=True)
    removal.remove(after)
    after.remove.assert_called_once_with(force=True, v=True)
