"""Where the project speaks to a person: results on `out`, progress and warnings on `err`."""

from rich.console import Console

out = Console()
err = Console(stderr=True)
