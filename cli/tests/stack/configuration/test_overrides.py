from __future__ import annotations

import pytest
from cli.tests.installation import overrides

from groundwork.stack.home.errors import ConfigurationBroken
from groundwork.stack.home.folder import Home


def test_a_port_that_is_none_is_refused_with_its_name(home: Home) -> None:
    with pytest.raises(ConfigurationBroken, match="AGENT_PORT is 'eighty'"):
        overrides(home, AGENT_PORT="eighty").port("AGENT_PORT")
