"""Which pair is taken to serve TLS with. Whether it is good is nginx's to say, and tested with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_gateway.nginx.certificate import CertificateError, Certificates


def put(source: Path, certificate: str, key: str) -> None:
    source.mkdir(exist_ok=True)
    (source / "tls.crt").write_text(certificate)
    (source / "tls.key").write_text(key)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    put(tmp_path / "source", "certificate", "key")
    return tmp_path / "source"


def test_a_pair_is_copied_once_where_only_the_process_can_read_it(source: Path, tmp_path: Path) -> None:
    certificates = Certificates(source, tmp_path / "kept")
    copy = certificates.find_new()
    assert copy is not None
    assert copy.with_suffix(".crt").read_text() == "certificate"
    assert copy.with_suffix(".key").read_text() == "key"
    assert copy.with_suffix(".key").stat().st_mode & 0o077 == 0
    assert copy.parent.stat().st_mode & 0o077 == 0
    assert certificates.find_new() is None


def test_another_key_alone_is_another_pair(source: Path, tmp_path: Path) -> None:
    certificates = Certificates(source, tmp_path / "kept")
    first = certificates.find_new()
    put(source, "certificate", "another key")
    assert certificates.find_new() not in (None, first)


def test_the_pair_before_stays_until_nginx_has_surely_read_the_new_one(source: Path, tmp_path: Path) -> None:
    certificates = Certificates(source, tmp_path / "kept")
    copies = []
    for key in ("a", "b", "c", "b"):
        put(source, "certificate", key)
        copy = certificates.find_new()
        assert copy is not None
        certificates.accept(copy)
        copies.append(copy)
    assert {path.stem for path in (tmp_path / "kept").iterdir()} == {copies[2].name, copies[3].name}


def test_what_cannot_be_read_is_told_once_with_its_place_and_the_remedy(source: Path, tmp_path: Path) -> None:
    certificates = Certificates(source, tmp_path / "kept")
    (source / "tls.key").unlink()
    with pytest.raises(CertificateError, match=rf"{source}/tls.key.*unencrypted key there, both as PEM"):
        certificates.find_new()
    assert certificates.find_new() is None
    put(source, "certificate", "key")
    assert certificates.find_new() is not None
