from __future__ import annotations

from importlib.metadata import version

from servicekit.core.version import package_version


def test_a_service_s_version_is_that_of_its_installed_package() -> None:
    assert package_version("servicekit") == version("groundwork-servicekit")


def test_a_service_that_no_package_holds_has_a_version_all_the_same() -> None:
    assert package_version("sample") == "0"
