"""From a version file to a tested, published image: one module per station of that way."""
