"""Every file of tests is run: pytest leaves out folders of some names, such as build, without a word."""

from fnmatch import fnmatch

import pytest

from pipeline.project import ROOT


def test_pytest_goes_into_each_folder_of_tests(pytestconfig: pytest.Config) -> None:
    left_out = pytestconfig.getini("norecursedirs")
    folders = {path.parent for path in (ROOT / "tests").glob("**/test_*.py")}
    names = {name for folder in folders for name in folder.relative_to(ROOT).parts}
    assert "build" in names
    assert not [name for name in names if any(fnmatch(name, pattern) for pattern in left_out)]
