"""Serial numbers as people see them."""

import pytest

from handfast.pki.serial import serial_text


@pytest.mark.parametrize(("serial", "text"), [(0, "00"), (1, "01"), (0xAB, "ab"), (0xBDE, "0bde"), (0x1234, "1234")])
def test_a_serial_is_shown_in_whole_octets(serial: int, text: str) -> None:
    assert serial_text(serial) == text
    assert int(text, 16) == serial


def test_a_negative_serial_of_somebody_elses_is_shown_as_it_is() -> None:
    assert serial_text(-1) == "-1"
