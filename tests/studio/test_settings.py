"""What lets strangers in is refused before anything listens."""

from pathlib import Path

import pytest
from mm2energon.errors import InputError
from mm2energon.studio.settings import Settings

TOKEN = "k" * 16


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_no_token(host):
    settings = Settings(Path("d.json"), host=host)
    settings.check()
    assert settings.is_loopback


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "localhost.example.org", "127.0.0.1.nip.io"]
)
def test_any_other_address_needs_a_token(host):
    with pytest.raises(InputError, match="token"):
        Settings(Path("d.json"), host=host).check()
    Settings(Path("d.json"), host=host, token=TOKEN).check()


@pytest.mark.parametrize("token", ["", "k" * 15, "k" * 15 + " ", "kürzer-als-gedacht", "k" * 16 + "\n", "k" * 2000])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_token_that_is_too_short_or_cannot_be_sent_is_refused(host, token):
    with pytest.raises(InputError, match="16 characters"):
        Settings(Path("d.json"), host=host, token=token).check()


def test_another_name_needs_a_token_on_loopback_too():
    with pytest.raises(InputError, match="--allow-host"):
        Settings(Path("d.json"), names=("studio.example",)).check()
    Settings(Path("d.json"), names=("studio.example",), token=TOKEN).check()


def test_an_empty_host_is_refused():
    with pytest.raises(InputError, match="empty"):
        Settings(Path("d.json"), host="", token=TOKEN).check()


def test_the_token_is_no_part_of_what_is_logged():
    assert TOKEN not in repr(Settings(Path("d.json"), token=TOKEN))


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:8000"), ("0.0.0.0", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000")],
)
def test_the_address_is_one_that_a_browser_can_open(host, address):
    assert Settings(Path("d.json"), host=host).address == address
