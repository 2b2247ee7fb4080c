"""The images and the engine are those of tests/image."""

import pytest

from tests.image.conftest import client, ossec_image, senders

__all__ = ["client", "ossec_image", "senders"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which lines are where after each failure, also where nothing failed."""
    for report in terminalreporter.getreports("passed"):
        if "/swarm/" in report.nodeid and report.capstdout:
            terminalreporter.section(report.nodeid)
            terminalreporter.write_line(report.capstdout)
