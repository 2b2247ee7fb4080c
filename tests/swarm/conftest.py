"""The images and the engine are those of tests/image."""

from tests.image.conftest import client, ossec_image, senders

__all__ = ["client", "ossec_image", "senders"]
