"""RSA moduli and exponents that published attacks break (NIST SP 800-89 section 5.3.3; TLS BR section 6.1.6)."""

from functools import cache, lru_cache
from math import gcd, isqrt, prod

from handfast.findings import Finding, Severity

MINIMUM_BITS = 2048
MAXIMUM_BITS = 8192  # verifying is quadratic in the size: a larger key is a way to keep a relying party busy
_MINIMUM_EXPONENT = 65537
_MAXIMUM_EXPONENT = 2**256
_FERMAT_ROUNDS = 100  # what the TLS BR ask for
_FIX = "make a new key: RSA of 3072 bits with exponent 65537, or better P-256"


def _primes_below(limit: int) -> tuple[int, ...]:
    return tuple(n for n in range(2, limit) if all(n % divisor for divisor in range(2, isqrt(n) + 1)))


def _powers_of_65537(prime: int) -> frozenset[int]:
    return frozenset(pow(65537, exponent, prime) for exponent in range(prime - 1))


@cache
def _small_primes() -> tuple[int, ...]:
    return _primes_below(752)  # through 751, as the TLS BR say


@cache
def _product() -> int:
    return prod(_small_primes())


@cache
def _roca() -> tuple[tuple[int, frozenset[int]], ...]:
    # A key of CVE-2017-15361 is a power of 65537 modulo every prime through 167; chance hits are under 2**-150.
    return tuple((prime, _powers_of_65537(prime)) for prime in _small_primes() if 2 < prime <= 167)


@lru_cache(maxsize=1024)
def rsa_findings(modulus: int, exponent: int) -> tuple[Finding, ...]:
    """Everything wrong with this public key, by size, exponent and structure of the modulus."""
    return (*_size(modulus), *_exponent(exponent), *_structure(modulus))


def _size(modulus: int) -> tuple[Finding, ...]:
    bits = modulus.bit_length()
    if bits < MINIMUM_BITS:
        return (_error("weak-key-size", f"RSA of {bits} bits is too short; the least is {MINIMUM_BITS}"),)
    if bits > MAXIMUM_BITS:
        return (_error("weak-key-size", f"RSA of {bits} bits is too long; the most is {MAXIMUM_BITS}"),)
    return ()


def _exponent(exponent: int) -> tuple[Finding, ...]:
    if exponent % 2 == 0:
        return (_error("weak-key-exponent", f"the public exponent {exponent} is even"),)
    if exponent < _MINIMUM_EXPONENT:
        return (_error("weak-key-exponent", f"the public exponent {exponent} is too small; the least is 65537"),)
    if exponent >= _MAXIMUM_EXPONENT:
        return (_error("weak-key-exponent", "the public exponent is too large; it must be below 2^256"),)
    return ()


def _structure(modulus: int) -> tuple[Finding, ...]:
    if modulus < MINIMUM_BITS or modulus.bit_length() > 2 * MAXIMUM_BITS:
        return ()
    found = []
    if gcd(modulus, _product()) != 1:
        factor = next(prime for prime in _small_primes() if modulus % prime == 0)
        found.append(_error("weak-key-factor", f"the modulus is divisible by {factor}"))
    if all(modulus % prime in powers for prime, powers in _roca()):
        found.append(_error("weak-key-roca", "the modulus has the fingerprint of ROCA (CVE-2017-15361)"))
    if _close_primes(modulus):
        found.append(_error("weak-key-close-primes", "the modulus is a product of two close primes (CVE-2022-26320)"))
    return tuple(found)


def _close_primes(modulus: int) -> bool:
    """Fermat's factorization, as many rounds as the TLS BR ask for."""
    if modulus % 2 == 0:
        return False
    middle = isqrt(modulus)
    middle += middle * middle < modulus
    rest = middle * middle - modulus
    for _ in range(_FERMAT_ROUNDS):
        # A square ends in 0, 1, 4 or 9 modulo 16: most numbers need no square root.
        if rest & 15 in {0, 1, 4, 9} and isqrt(rest) ** 2 == rest:
            return True
        rest += 2 * middle + 1
        middle += 1
    return False


def _error(code: str, message: str) -> Finding:
    return Finding(code, Severity.ERROR, message, _FIX, "TLS BR section 6.1.6")
