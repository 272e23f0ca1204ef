from __future__ import annotations

import os
import socket

import pytest

from groundwork.stack.home.errors import PortTaken
from groundwork.stack.supervision.socket_activation import LOWEST, listening


def test_the_socket_listens_under_a_number_that_supervisord_leaves_open_and_is_closed_afterwards() -> None:
    with listening("127.0.0.1", 0) as held:
        assert held >= LOWEST
        with socket.socket(fileno=os.dup(held)) as listener:
            assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        assert os.get_inheritable(held)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(held)


def test_a_port_that_is_taken_is_told_with_how_to_choose_another() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(PortTaken, match=rf"Port {port} is taken by .*`groundwork up --port`"),
            listening("127.0.0.1", port),
        ):
            pass
