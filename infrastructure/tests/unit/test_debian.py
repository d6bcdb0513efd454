"""What of this machine's set-up goes into the base image."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartcourse_dev import debian


def test_a_package_indexs_password_stays_out_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        "[global]\nindex-url = https://somebody:s3cret@index.example/simple\n"
        "extra-index-url =\n    https://token@one.example/simple\n    https://two.example/simple@2\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    for variable in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    found = debian.pip_configuration()
    assert "index-url = https://index.example/simple\n" in found
    assert "https://one.example/simple" in found
    assert "https://two.example/simple@2" in found
    assert "s3cret" not in found
    assert "token" not in found
