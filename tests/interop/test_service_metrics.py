"""The metrics of a running service, as Prometheus reads them."""

import ssl
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serving import PATIENCE, Running, authority_in, client_files, eventually, get, opened, running


def scrape(service: Running) -> Callable[..., float]:
    """The page of this moment, as a function from a sample's name and labels to its value, or to `missing`."""
    connection = HTTPConnection("localhost", service.metrics, timeout=PATIENCE)
    status, text = get(connection, "/metrics")
    connection.close()
    assert status == 200
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    def sample(name: str, missing: float = 0.0, **labels: str) -> float:
        return samples.get((f"handfast_{name}", frozenset(labels.items())), missing)

    return sample


def test_what_happens_is_counted_and_what_ends_is_told(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca")
    with running(tmp_path / "ca", "--metrics", "127.0.0.1:0", workplace=tmp_path) as service:
        before = scrape(service)
        client_files(service.directory, "alice", tmp_path / "alice")
        assert get(service.connection(tmp_path / "alice"), "/trial/whoami")[0] == 200
        assert get(service.connection(), "/trial/refuse")[0] == 403
        with opened(service.directory) as authority:
            authority.revoke(authority.find("alice"))
        assert get(service.connection(tmp_path / "alice"), "/trial/whoami")[0] == 403
        after = scrape(service)

    def grew(name: str, **labels: str) -> float:
        return after(name, **labels) - before(name, **labels)

    assert grew("certificates_issued_total", tenant="", profile="client") == 1
    assert grew("events_total", tenant="", action="certificate.revoked") == 1
    assert grew("requests_total", tenant="", route="/trial/whoami", status="200") == 1
    assert grew("requests_total", tenant="", route="/trial/refuse", status="403") == 1
    assert grew("tls_handshakes_total", kind="full", certificate="presented") == 2
    assert grew("tls_handshakes_total", kind="full", certificate="none") == 1
    assert grew("validation_seconds_count", tenant="") == 2
    assert 3600 < after("nearest_ca_days_left", tenant="") < 3660
    assert 0 < after("crl_age_seconds", tenant="", issuer="issuing") < 3600
    assert 6 * 86400 < after("crl_left_seconds", tenant="", issuer="issuing") <= 7 * 86400
    assert after("queue_depth", queue="notices") == 0
    assert after("queue_depth", queue="requests", missing=-1.0) == 0


def test_what_happened_before_the_first_scrape_is_counted_too(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca")
    with running(tmp_path / "ca", "--metrics", "127.0.0.1:0", workplace=tmp_path) as service:
        client_files(service.directory, "alice", tmp_path / "alice")
        assert scrape(service)("certificates_issued_total", tenant="", profile="client") == 1


def test_a_handshake_that_fails_is_counted_by_its_reason(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca")
    with running(tmp_path / "ca", "--metrics", "127.0.0.1:0", workplace=tmp_path) as service:
        with pytest.raises((ssl.SSLError, OSError)):
            get(service.connection(version=ssl.TLSVersion.TLSv1_2), "/trial/whoami")
        eventually(
            lambda: scrape(service)("tls_handshakes_failed_total", reason="unsupported protocol") == 1, "it is counted"
        )


def test_metrics_are_nowhere_unless_asked_for(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca")
    with running(tmp_path / "ca", workplace=tmp_path) as service:
        assert service.metrics == 0
        assert get(service.connection(), "/metrics")[0] == 404
        assert get(HTTPConnection("localhost", service.http, timeout=PATIENCE), "/metrics")[0] == 404
