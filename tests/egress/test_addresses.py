"""The addresses that a request to a tenant's URL may reach."""

import re
from ipaddress import ip_address

import pytest

from tidings_workers.egress.addresses import (
    RefusedAddress,
    check_addresses,
    is_allowed,
    is_allowed_host,
    is_public,
    networks_of,
)
from tidings_workers.egress.urls import URL_PATTERN, Address, InvalidUrl, read_url

PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:2800:220:1::1", "64:ff9b::808:808", "2002:808:808::1"]
PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "100::1", "64:ff9b:1::1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "2002:a00:1::1", "2001::1", "4000::1"),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    """A public address may be reached."""
    assert is_public(ip_address(text))
    assert check_addresses([text, text], ()) == [text]


@pytest.mark.parametrize("text", PRIVATE)
def test_private(text: str) -> None:
    """An address of no public host is refused, also behind an IPv6 address, and beside a public one."""
    assert not is_public(ip_address(text))
    with pytest.raises(RefusedAddress):
        check_addresses(["8.8.8.8", text], ())


def test_a_zone() -> None:
    """The zone of a link-local address does not make it another one."""
    with pytest.raises(RefusedAddress):
        check_addresses(["fe80::1%eth0"], ())


def test_allowed_networks() -> None:
    """The operator allows networks; the rest stays refused."""
    allowed = networks_of("127.0.0.0/8, ::1,10.1.0.0/16")
    for text in ("127.0.0.1", "::1", "10.1.2.3", "::ffff:127.0.0.1", "8.8.8.8"):
        assert is_allowed(ip_address(text), allowed), text
    for text in ("10.2.0.1", "169.254.169.254", "fe80::1"):
        assert not is_allowed(ip_address(text), allowed), text
    assert networks_of("") == ()
    for wrong in ("10.0.0.1/8", "x", "10.0.0.0/33"):
        with pytest.raises(ValueError, match=r"network|address|host"):
            networks_of(wrong)


def test_hosts() -> None:
    """A name may be allowed, and a private address as host never is."""
    assert is_allowed_host("shop.example", ())
    assert is_allowed_host("8.8.8.8", ())
    assert not is_allowed_host("127.0.0.1", ())
    assert not is_allowed_host("::1", ())


VALID = {
    "https://shop.example": Address("https", "shop.example", 443, "/"),
    "http://shop.example:8080/a/b?c=d": Address("http", "shop.example", 8080, "/a/b?c=d"),
    "https://SHOP.example/": Address("https", "shop.example", 443, "/"),
    "http://[2001:db8::1]:1/": Address("http", "2001:db8::1", 1, "/"),
    "https://shop.example?x": Address("https", "shop.example", 443, "/?x"),
}


@pytest.mark.parametrize("url", VALID)
def test_urls(url: str) -> None:
    """A URL is read into its parts."""
    assert read_url(url) == VALID[url]


def test_the_pattern_of_the_schema() -> None:
    """Each URL of the documented pattern is valid."""
    for path in ("", "/", "?", "/a?b=c&d", '/"', "/~!$", "?@", "/[x]", "/\\"):
        for host in ("a", "shop.example", "a-b.c", "A" * 60, "x:1", "x:9999"):
            url = f"https://{host}{path}"
            assert re.match(URL_PATTERN, url), url
            assert is_allowed_host(read_url(url).host, ())


@pytest.mark.parametrize(
    "url",
    [
        *("", "shop.example", "ftp://shop.example/", "file:///etc/passwd", "gopher://x/", "//shop.example/"),
        *("https://", "https:///x", "https://user@shop.example/", "https://user:pass@shop.example/"),
        *("https://shop.example:0/", "https://shop.example:65536/", "https://shop.example:x/"),
        *("https://shop.example/#x", "https://shop.example/a b", "https://shop.example/\r\nHost: x"),
        *("https://shöp.example/", "https://shop.example/é", "https://[::1/", "https://[x]/", "https://a b/"),
        *("https://shop.example\\@127.0.0.1/", "https://" + "x" * 2050, "http://shop%2eexample/"),
    ],
)
def test_invalid_urls(url: str) -> None:
    """A URL of another form is refused, with a sentence that a user can act on."""
    with pytest.raises(InvalidUrl, match=r"\.$"):
        read_url(url)
