"""Serial numbers as people see them (RFC 5280 section 4.1.2.2)."""


def serial_text(serial: int) -> str:
    """Lower-case hexadecimal of whole octets, as `openssl x509 -serial` has it but for the case."""
    text = f"{serial:x}"
    return text if len(text) % 2 == 0 or serial < 0 else f"0{text}"
