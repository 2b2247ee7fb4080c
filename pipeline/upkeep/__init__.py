"""What keeps the project itself in order: new versions, what is outdated, upstream's stock files, lint of scripts."""
