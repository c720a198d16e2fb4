"""What the tests of oversight share."""

import pytest

from tests.support.server import ModelServer, outline, plan


@pytest.fixture
def split(server: ModelServer) -> ModelServer:
    return server.on("assess", outline("1", "2", "3")).on("decompose", plan("1", "2", "3"))
