"""The parts of the service that need no socket: routes, problem details, addresses, log lines, standing of a peer."""

import io
import json
import socket
from datetime import timedelta

import pytest

from handfast import errors
from handfast.errors import ConfigError, HandfastError, Malformed, NotFound, RateLimited, Unacceptable, Unauthenticated
from handfast.findings import Finding, Severity
from handfast.protocols.exchange import Response, Route
from handfast.server.addresses import Address, bind, parse_address
from handfast.server.log import Lines
from handfast.server.problems import STATUS, problem_of
from handfast.server.routing import router_of
from handfast.server.serve_settings import ServeSettings


def _route(path: str, *methods: str) -> Route:
    return Route(methods=methods or ("GET",), path=path, handle=lambda request, authority: Response())


def test_the_most_literal_route_answers() -> None:
    exact, labelled, rest = _route("/est/cacerts"), _route("/est/{label}/cacerts"), _route("/est/{all:path}")
    router = router_of((rest, labelled, exact))

    assert router.find("GET", "/est/cacerts").route is exact
    assert router.find("GET", "/est/tls/cacerts").route is labelled
    assert router.find("GET", "/est/tls/cacerts").parameters == {"label": "tls"}
    assert router.find("GET", "/est/a/b/c").route is rest
    assert router.find("GET", "/est/a/b/c").parameters == {"all": "a/b/c"}


def test_head_is_routed_as_get_and_another_method_names_those_that_are() -> None:
    router = router_of((_route("/ocsp", "POST", "GET"), _route("/{name}.crl")))

    assert router.find("HEAD", "/ocsp").route is not None
    assert router.find("DELETE", "/ocsp").methods == ("GET", "POST")
    assert router.find("PUT", "/issuing.crl").methods == ("GET",)
    assert router.find("GET", "/nowhere").methods == ()


def test_two_routes_of_one_path_answer_their_own_methods() -> None:
    get, post = _route("/x/{a}", "GET"), _route("/x/{a}", "POST")
    router = router_of((get, post))

    assert router.find("GET", "/x/1").route is get
    assert router.find("POST", "/x/1").route is post


def test_every_error_class_has_a_status() -> None:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, HandfastError)]

    assert set(classes) == set(STATUS)


def test_a_problem_carries_every_finding() -> None:
    findings = tuple(Finding(f"code-{n}", Severity.ERROR, f"message {n}", "fix it", "RFC 5280") for n in range(3))
    response = problem_of(Unacceptable("breaks rules", hint="mend", findings=findings))

    assert response.status == 422
    assert response.media_type == "application/problem+json"
    assert [one["code"] for one in json.loads(response.body)["findings"]] == ["code-0", "code-1", "code-2"]


def test_the_operators_own_trouble_is_not_told_to_clients() -> None:
    response = problem_of(ConfigError("the key /srv/ca/keys/issuing.key is not there", hint="bring it back"))

    assert response.status == 500
    assert b"issuing.key" not in response.body
    assert b"bring it back" not in response.body


def test_who_has_to_wait_is_told_how_long_and_who_is_unknown_is_told_how_to_prove_it() -> None:
    limited = problem_of(RateLimited("slower", hint="wait", retry_after=timedelta(seconds=90)))
    unknown = problem_of(Unauthenticated("who are you", hint="bring a certificate"))

    assert limited.headers["retry-after"] == "90"
    assert "Basic" in unknown.headers["www-authenticate"]
    assert problem_of(NotFound("nothing", hint="look")).status == 404


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8443", "127.0.0.1", 8443),
        ("[::1]:0", "::1", 0),
        (":8443", "::", 8443),
        ("ca.example:1", "ca.example", 1),
    ],
)
def test_an_address_to_listen_at_is_read(text: str, host: str, port: int) -> None:
    address = parse_address(text)

    assert (address.host, address.port) == (host, port)


@pytest.mark.parametrize(
    "text",
    ["", "8443", "host:", "host:port", "host:65536", "host:-1", "host:٣", "127.0.0.1:1:2", "::1:8443", "[::1:8443"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no address to listen at") as refused:
        parse_address(text)

    assert "brackets" in (refused.value.hint or "")


def test_an_address_that_is_taken_is_told_in_the_words_of_the_system() -> None:
    with bind(Address("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ConfigError) as refused:
            bind(address)

    assert refused.value.message == f"cannot listen at {address}: address already in use"


def test_a_host_that_nobody_knows_is_told_in_the_words_of_the_resolver() -> None:
    with pytest.raises(ConfigError) as refused:
        bind(Address("nowhere.invalid", 0))

    with pytest.raises(socket.gaierror) as unknown:
        socket.getaddrinfo("nowhere.invalid", 0)
    assert refused.value.message == f"cannot listen at nowhere.invalid:0: {str(unknown.value.strerror).lower()}"


def test_a_plan_takes_the_command_line_before_the_settings() -> None:
    settings = ServeSettings(listen="127.0.0.1:1", http="", names=("ca.example.org",))

    plan = settings.plan(listen="127.0.0.1:2", http=None, names=())

    assert plan.https.port == 2
    assert plan.http is None
    assert [name.value for name in plan.names] == ["ca.example.org"]


def test_a_plan_without_names_says_what_the_machine_is_called_locally() -> None:
    plan = ServeSettings().plan(listen=None, http=None, names=())

    assert {"localhost", "127.0.0.1", "::1"} <= {name.value for name in plan.names}


@pytest.mark.parametrize("settings", [ServeSettings(tls_minimum="1.1"), ServeSettings(names=("not a name",))])
def test_settings_that_cannot_work_are_refused(settings: ServeSettings) -> None:
    with pytest.raises(ConfigError):
        settings.plan(listen=None, http=None, names=())


def test_what_a_client_sent_cannot_forge_a_line_of_the_log() -> None:
    people, programs = io.StringIO(), io.StringIO()
    for stream, as_json in ((people, False), (programs, True)):
        Lines(stream, as_json=as_json)("request.failed", path='/x\n{"event": "certificate.issued"}', nothing=None)

    assert people.getvalue().count("\n") == 1
    assert programs.getvalue().count("\n") == 1
    assert json.loads(programs.getvalue())["path"] == '/x?{"event": "certificate.issued"}'
    assert "nothing" not in programs.getvalue()


def test_malformed_is_the_clients_fault() -> None:
    assert problem_of(Malformed("not base64", hint="encode it")).status == 400
