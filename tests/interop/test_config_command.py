"""`handfast config`: what cannot work is told before anything is written, and what is written passes the program."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from handfast.cli import run
from handfast.prove.crl_files import name_hash, read_crls
from handfast.prove.throw_away import LOOPBACK, Maker, new_maker
from handfast.prove.visitors import Pair
from tests.programs import required_program


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def maker() -> Maker:
    return new_maker(now)


def config(
    folder: Path, maker: Maker, pair: Pair, *arguments: str, crls: str | None = None, name: str = "localhost"
) -> int:
    (folder / "chain.pem").write_text(pair.chain, encoding="ascii")
    (folder / "key.pem").write_text(pair.key, encoding="ascii")
    (folder / "cas.pem").write_text(maker.root.pem + maker.issuing.pem, encoding="ascii")
    (folder / "crls.pem").write_text(maker.crls((), 1) if crls is None else crls, encoding="ascii")
    files = {"--certificate": "chain.pem", "--key": "key.pem", "--client-ca": "cas.pem", "--crl": "crls.pem"}
    options = [word for option, file in files.items() for word in (option, str(folder / file))]
    return run(["config", "nginx", name, *options, "--port", "8443", "--out", str(folder / "out"), *arguments])


def test_a_right_configuration_is_written_and_passes(tmp_path: Path, maker: Maker) -> None:
    required_program("nginx")

    status = config(tmp_path, maker, maker.pair("server", "CN=localhost", *LOOPBACK)[1], "--listen", "127.0.0.1")

    assert status == 0
    assert (tmp_path / "out" / "server.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "out" / "crls.pem").read_text(encoding="ascii").count("BEGIN X509 CRL") == 2


@pytest.mark.parametrize("option", ["--certificate", "--key", "--client-ca", "--crl"])
def test_a_missing_file_is_told_before_anything_is_written(
    tmp_path: Path, maker: Maker, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    pair = maker.pair("server", "CN=localhost", *LOOPBACK)[1]

    status = config(tmp_path, maker, pair, option, str(tmp_path / "absent.pem"))

    assert status != 0
    assert "absent.pem" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("another name", "it is not for www.example.org"),
        ("another key", "its key is not the one"),
        ("a client's certificate", "it is not for servers"),
        ("an expired certificate", "it expired on"),
        ("a broken CRL", "is cut off"),
        ("no CRL", "empty"),
        ("an expired CRL", "ended at"),
        ("a forged CRL", "not signed by any CA"),
        ("the root's CRL alone", "there is no CRL of"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_written(
    tmp_path: Path, maker: Maker, capsys: pytest.CaptureFixture[str], what: str, message: str
) -> None:
    good = maker.pair("server", "CN=localhost", *LOOPBACK)[1]
    crls = maker.crls((), 1)
    past = now() - timedelta(days=20)
    status = {
        "another name": lambda: config(tmp_path, maker, good, name="www.example.org"),
        "another key": lambda: config(
            tmp_path, maker, Pair(good.chain, maker.pair("server", "CN=localhost", *LOOPBACK)[1].key)
        ),
        "a client's certificate": lambda: config(tmp_path, maker, maker.pair("device", "CN=localhost", *LOOPBACK)[1]),
        "an expired certificate": lambda: config(
            tmp_path,
            maker,
            maker.pair("server", "CN=localhost", *LOOPBACK, begin=past, lifetime=timedelta(days=1))[1],
        ),
        "a broken CRL": lambda: config(tmp_path, maker, good, crls=crls[:-60]),
        "no CRL": lambda: config(tmp_path, maker, good, crls=""),
        "an expired CRL": lambda: config(tmp_path, maker, good, crls=maker.crls((), 1, now() - timedelta(days=90))),
        "a forged CRL": lambda: config(tmp_path, maker, good, crls=new_maker(now).crls((), 1)),
        "the root's CRL alone": lambda: config(
            tmp_path, maker, good, crls=crls[: crls.index("-----END X509 CRL-----")] + "-----END X509 CRL-----\n"
        ),
    }[what]()

    assert status in {1, 2}
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_older_crl_does_not_replace_a_newer_one(
    tmp_path: Path, maker: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    required_program("nginx")
    good = maker.pair("server", "CN=localhost", *LOOPBACK)[1]
    newer, older = maker.crls((7,), 50), maker.crls((), 40, now() - timedelta(days=1))
    assert config(tmp_path, maker, good, "--listen", "127.0.0.1", crls=newer) == 0

    status = config(tmp_path, maker, good, crls=older)

    assert status == 1
    assert "is older than the one" in capsys.readouterr().err
    assert (tmp_path / "out" / "crls.pem").read_text(encoding="ascii") == newer


def test_a_target_that_there_is_not_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "ngins", "www.example.org"]) == 2
    assert "nginx" in capsys.readouterr().err


def test_crls_in_a_directory_are_named_as_openssl_looks_for_them(tmp_path: Path, maker: Maker) -> None:
    openssl = required_program("openssl")
    for crl, pem in zip(read_crls(maker.crls((), 1)), ("root", "issuing"), strict=True):
        path = tmp_path / f"{pem}.pem"
        path.write_text(getattr(maker, pem).pem, encoding="ascii")
        command = [openssl, "x509", "-in", str(path), "-noout", "-subject_hash"]
        said = subprocess.run(command, capture_output=True, text=True, check=True)

        assert name_hash(crl.issuer) == said.stdout.strip()
