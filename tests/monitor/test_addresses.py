import pytest

from monitor.addresses import has_login, public_address, secrets_in, with_login


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://192.0.2.1:554/a/b", "rtsp://192.0.2.1:554/a/b"),
        ("rtsp://u:p@host/a", "rtsp://host/a"),
        ("rtsp://john.doe:pw@host", "rtsp://host"),
        ("rtsp://us%40er:pw@host", "rtsp://host"),
        ("rtsp://u:p@ss@host:554/a?x=1", "rtsp://host:554/a"),
        ("http://host/video?user=a&pwd=b", "http://host/video"),
        ("http://host/a#token=b", "http://host/a"),
        ("http://[2001:db8::1]:80/a", "http://[2001:db8::1]:80/a"),
        ("rtsp://host/user=admin_password=secret_channel=1/x", "rtsp://host/***/x"),
        ("rtsp://u:p/w@host/a", "rtsp://host/a"),
        ("rtsp://u:12/3@host/a", "rtsp://host/a"),
        ("rtsp://u:12?3@host/a", "rtsp://***"),
        ("rtsp://u:p#w@host/a", "rtsp://***"),
        ("rtsp://u:p w@host/a", "rtsp://***"),
        ("http://host/x?mail=a@b&pwd=secret", "http://***"),
        ("rtsp://[::1", "rtsp://***"),
        ("rtsp://host:port/a", "rtsp://***"),
        ("rtsp:/u:p@host/a", "***@host/a"),
        ("u:p@host", "***@host"),
        ("0", "0"),
        ("/dev/video0", "/dev/video0"),
        ("films/a@b.mp4", "films/a@b.mp4"),
        ("", ""),
    ],
)
def test_what_is_shown_of_an_address(address: str, shown: str) -> None:
    assert public_address(address) == shown


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("rtsp://u:p%40ss@h", "p%40ss"),
        ("rtsp://u:p%40ss@h", "p@ss"),
        ("rtsp://u:p@ss@h", "p%40ss"),
        ("rtsp://u:p@ss@h", "p@ss"),
        ("rtsp://u:p%2fss@h", "p%2Fss"),
        ("rtsp://u:p/w@h/a", "p/w"),
        ("rtsp://u:p?w@h/a", "p?w"),
        ("rtsp://u:a:b@h", "a:b"),
        ("http://h/a?user=a&pwd=b%20c", "b c"),
        ("http://h/a?user=a&PassWord=b+c", "b c"),
        ("http://h/a?api_key=xyz1", "xyz1"),
        ("http://h/a#access_token=xyz1", "xyz1"),
        ("rtsp://h/user=admin_password=xyz_stream=0.sdp", "xyz"),
        ("http://longlonglongtoken@h/", "longlonglongtoken"),
        ("http://u:p@h", "dTpw"),  # u:p in base 64
        ("rtsp:/u:pw@h", "pw"),
    ],
)
def test_what_is_secret_in_an_address(address: str, secret: str) -> None:
    assert any(secret in found for found in secrets_in(address))


def test_what_is_not_secret_is_no_secret() -> None:
    assert secrets_in("http://host/video?width=640&channel=1&keyframe=1") == set()
    assert secrets_in("rtsp://admin@host/a") == set()
    assert secrets_in("films/monday.mp4") == set()


def test_the_path_of_a_web_hook_is_its_key() -> None:
    hook = "https://hooks.example.org/services/T0000000000/abcdefabcdefabcdef"
    assert "abcdefabcdefabcdef" in secrets_in(hook, path_too=True)
    assert secrets_in(hook) == set()


def test_a_log_in_is_put_in_percent_encoded() -> None:
    assert with_login("rtsp://h/a", "us@er", "p/w:?#") == "rtsp://us%40er:p%2Fw%3A%3F%23@h/a"
    assert with_login("rtsp://h/a", "", "") == "rtsp://h/a"
    assert with_login("rtsp://h/a", "u", "") == "rtsp://u@h/a"
    assert has_login("rtsp://u@h/a")
    assert not has_login("rtsp://h/a")
