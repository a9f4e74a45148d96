"""Private keys at rest: Argon2id (RFC 9106) and AES-256-GCM, with everything else in the file as authenticated data."""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from handfast.errors import ConfigError

FORMAT = "handfast-key"
VERSION = 1
# 0.2 s and 64 MiB for each guess (RFC 9106 section 4, second recommended option).
MEMORY_KIB = 64 * 1024
ITERATIONS = 3
LANES = 4
# What a file may ask of us before anything in it is authenticated.
_MOST_MEMORY_KIB = 1024 * 1024
_MOST_ITERATIONS = 64
_MOST_LANES = 64


def is_sealed(data: bytes) -> bool:
    """True for data that seal() made."""
    return data.lstrip()[:1] == b"{"


def seal(secret: bytes, passphrase: bytes, *, name: str) -> bytes:
    """The secret, encrypted, as text. name: bound to it, so that files cannot be swapped."""
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "kdf": "argon2id",
        "memory_kib": MEMORY_KIB,
        "iterations": ITERATIONS,
        "lanes": LANES,
        "salt": _text(os.urandom(16)),
        "cipher": "aes-256-gcm",
        "nonce": _text(os.urandom(12)),
    }
    sealed = _cipher(header, passphrase).encrypt(_bytes(header, "nonce"), secret, _authenticated(header))
    return (json.dumps({**header, "sealed": _text(sealed)}, indent=1) + "\n").encode()


def unseal(data: bytes, passphrase: bytes, *, name: str, source: str) -> bytes:
    """The secret. Raises ConfigError for a wrong passphrase, another key's file, or a file that is damaged."""
    header, sealed = _parse(data, source)
    if header["name"] != name:
        msg = f"{source} holds the key {header['name']!r}, not {name!r}"
        raise ConfigError(msg, hint="put each key file back under its own name")
    try:
        return _cipher(header, passphrase).decrypt(_bytes(header, "nonce"), sealed, _authenticated(header))
    except InvalidTag:
        msg = f"the passphrase does not open {source}"
        raise ConfigError(msg, hint="check the passphrase; if it is right, the file is damaged") from None


def _parse(data: bytes, source: str) -> tuple[dict[str, Any], bytes]:
    try:
        header = json.loads(data)
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise _damaged(source)
        if header.get("version") != VERSION:
            msg = f"{source} is a key file of version {header.get('version')}; this handfast knows {VERSION}"
            raise ConfigError(msg, hint="upgrade handfast: pip install --upgrade handfast")
        sealed = _bytes(header, "sealed")
        del header["sealed"]
        if not _is_bounded(header) or len(_bytes(header, "nonce")) != 12 or len(_bytes(header, "salt")) < 8:
            raise _damaged(source)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise _damaged(source) from None
    return header, sealed


def _is_bounded(header: Mapping[str, Any]) -> bool:
    lanes, memory_kib, iterations = header["lanes"], header["memory_kib"], header["iterations"]
    return (
        all(type(number) is int for number in (lanes, memory_kib, iterations))
        and header["kdf"] == "argon2id"
        and header["cipher"] == "aes-256-gcm"
        and 1 <= lanes <= _MOST_LANES
        and 8 * lanes <= memory_kib <= _MOST_MEMORY_KIB
        and 1 <= iterations <= _MOST_ITERATIONS
        and isinstance(header["name"], str)
    )


def _cipher(header: Mapping[str, Any], passphrase: bytes) -> AESGCM:
    derivation = Argon2id(
        salt=_bytes(header, "salt"),
        length=32,
        iterations=header["iterations"],
        lanes=header["lanes"],
        memory_cost=header["memory_kib"],
    )
    return AESGCM(derivation.derive(passphrase))


def _authenticated(header: Mapping[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(header: Mapping[str, Any], key: str) -> bytes:
    return base64.b64decode(header[key], validate=True)


def _damaged(source: str) -> ConfigError:
    return ConfigError(f"{source} is no whole key file of handfast", hint="restore it from a backup")
