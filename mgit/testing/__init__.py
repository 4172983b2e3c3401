"""What a transport of another package runs to show that it keeps the promises of the port."""

import pytest

pytest.register_assert_rewrite("mgit.testing.transports")  # so that a failure shows both sides

from mgit.testing.transports import PackInMemory, TransportContract  # noqa: E402

__all__ = ["PackInMemory", "TransportContract"]
