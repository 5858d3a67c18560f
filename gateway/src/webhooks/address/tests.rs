//! No private, local or special address is permitted, in whatever form it comes.
use super::{permitted, url};
use crate::settings::Webhooks;

#[test]
fn special_addresses_are_not_permitted() {
    for text in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
    ] {
        assert!(!permitted(text.parse().unwrap(), &[]), "{text}");
    }
    for text in [
        "8.8.8.8",
        "100.63.0.1",
        "172.32.0.1",
        "::ffff:8.8.8.8",
        "2606:4700::1",
        "64:ff9b::808:808",
    ] {
        assert!(permitted(text.parse().unwrap(), &[]), "{text}");
    }
    let allowed = ["127.0.0.0/8".parse().unwrap()];
    assert!(permitted("127.0.0.1".parse().unwrap(), &allowed));
    assert!(!permitted("10.0.0.1".parse().unwrap(), &allowed));
}

#[test]
fn a_url_is_https_and_hides_no_address() {
    let settings = Webhooks::default();
    for text in [
        "http://hooks.example/a",
        "ftp://hooks.example",
        "hooks.example",
        "https://",
        "https://user@hooks.example",
        "https://a:b@hooks.example",
        "https://hooks.example/#a",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[::ffff:a9fe:a9fe]/",
    ] {
        assert!(url(text, &settings).is_err(), "{text}");
    }
    assert!(url("https://hooks.example:8443/a?b=c", &settings).is_ok());
    let open = Webhooks { allow_http: true, ..Webhooks::default() };
    assert!(url("http://hooks.example/a", &open).is_ok());
    assert!(url("http://127.0.0.1/a", &open).is_err());
}
