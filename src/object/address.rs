//! Addresses on the web, as far as every door must treat them alike.

use url::{Host, Url};

/// Whether a host is this machine itself: what is sent there, nobody else reads.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An address without what may be a credential in it.
pub fn told(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::{is_loopback, told};

    #[test]
    fn only_this_machine_is_this_machine() {
        for (text, expected) in [
            ("http://localhost:3000/x", true),
            ("http://127.0.0.1/x", true),
            ("http://127.9.9.9/x", true),
            ("http://[::1]:80/x", true),
            ("http://localhost.example.com/x", false),
            ("http://127.0.0.1.example.com/x", false),
            ("http://10.0.0.1/x", false),
            ("http://localhost@example.com/x", false),
        ] {
            assert_eq!(is_loopback(&text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn nothing_that_may_be_a_credential_is_told() {
        let url = "https://user:secret@example.com/a?token=secret#secret".parse().unwrap();
        assert_eq!(told(&url), "https://example.com/a");
    }
}
