//! Which host keys are known: the lines of an OpenSSH `known_hosts` file.
//!
//! The `ssh-key` crate reads such lines too, but not with tabs, and ECDSA keys only with a second
//! implementation of elliptic curves; a key is compared by its bytes alone here.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::revision::signature::Patterns;

/// What the lines say of a host's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the key that the lines name.
    Trusted,
    /// No line names the host. Types of keys that lines do name for it.
    Unknown(Vec<String>),
    /// The lines name another key of this type.
    Changed,
    /// The lines revoke this very key.
    Revoked,
    /// Only a certificate authority is named for the host, which is not supported.
    AuthorityOnly,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Marker {
    None,
    Revoked,
    Authority,
}

struct Line<'a> {
    marker: Marker,
    hosts: &'a str,
    kind: &'a str,
    key: Vec<u8>,
}

/// Judges the key that a host showed.
pub fn judge(known_hosts: &str, host: &str, port: u16, key: &[u8]) -> Verdict {
    let kind = kind_of(key);
    let mut others = Vec::new();
    let (mut trusted, mut changed, mut authority) = (false, false, false);
    for line in lines(known_hosts).filter(|line| names(line.hosts, host, port)) {
        match line.marker {
            // A revoked key is never good again, whatever other lines say.
            Marker::Revoked if line.key == key => return Verdict::Revoked,
            Marker::Revoked => {}
            Marker::Authority => authority = true,
            Marker::None if line.key == key => trusted = true,
            Marker::None if line.kind == kind => changed = true,
            Marker::None => others.push(line.kind.to_owned()),
        }
    }
    match (trusted, changed) {
        (true, _) => Verdict::Trusted,
        (false, true) => Verdict::Changed,
        (false, false) if authority && others.is_empty() => Verdict::AuthorityOnly,
        (false, false) => Verdict::Unknown(others),
    }
}

/// Lines of plain form for one host: libssh2 takes from them which types of keys to ask for, and
/// knows neither markers nor patterns.
pub fn plain_lines(known_hosts: &str, host: &str, port: u16) -> String {
    lines(known_hosts)
        .filter(|line| line.marker == Marker::None && names(line.hosts, host, port))
        .map(|line| format!("{host} {} {}\n", line.kind, STANDARD.encode(&line.key)))
        .collect()
}

/// The fingerprint as `ssh-keygen -l` prints it.
pub fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// Type of a key, from its own bytes; empty where they are no key.
pub fn kind_of(key: &[u8]) -> &str {
    let Some((length, rest)) = key.split_first_chunk::<4>() else { return "" };
    let name = rest.get(..u32::from_be_bytes(*length) as usize);
    name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().filter(|word| !word.starts_with('#'))?;
        let (marker, hosts) = match first {
            "@revoked" => (Marker::Revoked, words.next()?),
            "@cert-authority" => (Marker::Authority, words.next()?),
            hosts => (Marker::None, hosts),
        };
        let kind = words.next()?;
        let key = STANDARD.decode(words.next()?).ok()?;
        // A line whose type belies its key names no key.
        (kind_of(&key) == kind).then_some(Line { marker, hosts, kind, key })
    })
}

fn names(hosts: &str, host: &str, port: u16) -> bool {
    let host = host.to_ascii_lowercase();
    let name = if port == 22 { host } else { format!("[{host}]:{port}") };
    if let Some(hashed) = hosts.strip_prefix("|1|") {
        return names_hashed(hashed, &name);
    }
    Patterns::new(hosts.to_ascii_lowercase()).matches(&name)
}

fn names_hashed(hashed: &str, name: &str) -> bool {
    let Some((salt, hash)) = hashed.split_once('|') else { return false };
    let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&salt) else { return false };
    mac.update(name.as_bytes());
    mac.verify_slice(&hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, body: &str) -> Vec<u8> {
        let mut key = (kind.len() as u32).to_be_bytes().to_vec();
        key.extend_from_slice(kind.as_bytes());
        key.extend_from_slice(body.as_bytes());
        key
    }

    fn line(hosts: &str, key: &[u8]) -> String {
        format!("{hosts} {} {}", kind_of(key), STANDARD.encode(key))
    }

    #[test]
    fn every_form_of_a_line_is_judged() {
        let ed = key("ssh-ed25519", "good");
        let bad = key("ssh-ed25519", "evil");
        let rsa = key("ssh-rsa", "rsa");
        // ssh-keygen -H of "git.example.com" and "[git.example.com]:2222" with the salt "salt".
        let hashed = |name: &str| {
            let mut mac = Hmac::<Sha1>::new_from_slice(b"salt").expect("key");
            mac.update(name.as_bytes());
            format!("|1|{}|{}", STANDARD.encode("salt"), STANDARD.encode(mac.finalize().into_bytes()))
        };
        let unknown = || Verdict::Unknown(vec![]);
        for (lines, port, shown, expected) in [
            (line("git.example.com", &ed), 22, &ed, Verdict::Trusted),
            (line("other,GIT.example.com", &ed), 22, &ed, Verdict::Trusted),
            (line("git.example.com", &ed), 22, &bad, Verdict::Changed),
            (line("git.example.com", &rsa), 22, &ed, Verdict::Unknown(vec!["ssh-rsa".into()])),
            (line("git.example.com", &ed), 2222, &ed, unknown()),
            (line("[git.example.com]:2222", &ed), 2222, &ed, Verdict::Trusted),
            (line("[git.example.com]:2222", &ed), 22, &ed, unknown()),
            (line("*.example.com", &ed), 22, &ed, Verdict::Trusted),
            (line("git.example.co?", &ed), 22, &ed, Verdict::Trusted),
            (line("*.example.com,!git.example.com", &ed), 22, &ed, unknown()),
            (line("!git.example.com,*", &ed), 22, &ed, unknown()),
            (line(&hashed("git.example.com"), &ed), 22, &ed, Verdict::Trusted),
            (line(&hashed("git.example.com"), &ed), 22, &bad, Verdict::Changed),
            (line(&hashed("[git.example.com]:2222"), &ed), 2222, &ed, Verdict::Trusted),
            (line(&hashed("other"), &ed), 22, &ed, unknown()),
            (format!("{}\n@revoked {}", line("git.example.com", &ed), line("*", &ed)), 22, &ed, Verdict::Revoked),
            (format!("@revoked\t{}\n{}", line("*", &bad), line("git.example.com", &ed)), 22, &ed, Verdict::Trusted),
            (format!("@cert-authority {}", line("*.example.com", &ed)), 22, &ed, Verdict::AuthorityOnly),
            (format!("# {}", line("git.example.com", &ed)), 22, &ed, unknown()),
            (format!("git.example.com ssh-rsa {}", STANDARD.encode(&ed)), 22, &ed, unknown()),
            ("git.example.com ssh-ed25519 %%%".into(), 22, &ed, unknown()),
            (String::new(), 22, &ed, unknown()),
        ] {
            assert_eq!(judge(&lines, "git.example.com", port, shown), expected, "{lines}");
        }
    }

    #[test]
    fn a_real_hashed_line_is_understood() {
        let text = "|1|lcY/In3lsGnkJikLENb0DM70B/I=|Qs4e9Nr7mM6avuEv02fw2uFnwQo= ssh-ed25519 \
                    AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio comment";
        assert_eq!(lines(text).count(), 1);
    }

    #[test]
    fn libssh2_gets_plain_lines_only() {
        let ed = key("ssh-ed25519", "good");
        let text = format!("@revoked {0}\n*,!b {1}\n{0}", line("a", &ed), &line("x", &ed)[2..]);
        assert_eq!(plain_lines(&text, "a", 22), format!("{0}\n{0}\n", line("a", &ed)));
    }
}
