from __future__ import annotations

import pytest

from servicekit.web.paths import route_path


@pytest.mark.parametrize(
    ("path", "root", "known"),
    [
        ("/v1/models", "", "/v1/models"),
        ("/ai/v1/models", "/ai", "/v1/models"),
        ("/ai", "/ai", ""),
        ("/aid/v1/models", "/ai", "/aid/v1/models"),
        ("/v1/models", "/ai", "/v1/models"),
    ],
)
def test_the_prefix_of_a_mounted_app_is_no_part_of_the_path_that_its_routes_know(
    path: str, root: str, known: str
) -> None:
    assert route_path({"type": "http", "path": path, "root_path": root}) == known
