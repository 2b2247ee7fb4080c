"""Where the project speaks to a person: results on `out`, progress and warnings on `err`."""

from rich.console import Console

# Words are as they are written: rich would colour numbers and paths in them.
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
