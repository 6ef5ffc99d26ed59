//! URLs, as Go's `net/url` reads them.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::value::{Key, Value};
use super::super::{Fault, go};
use super::{Function, mistyped};

/// A URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    scheme: String,
    opaque: String,
    user: Option<Vec<u8>>,
    host: String,
    path: Vec<u8>,
    raw_path: String,
    query: String,
    fragment: String,
}

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "url" => |args, _| match args {
            [Value::String(text)] => {
                let told = |why: String| {
                    let message = format!("URL parse error during conversion from string: {why}");
                    Fault::telling(message, "URL parse error during conversion from string")
                };
                check(text).map_err(told)?;
                Url::parse(text).map(|url| Value::Url(Arc::new(url))).map_err(told)
            }
            _ => Err(mistyped()),
        },
        "isURL" => |args, _| match args {
            [Value::String(text)] => Ok(Value::Bool(check(text).is_ok())),
            _ => Err(mistyped()),
        },
        "getScheme" => |args, _| part(args, |url| url.scheme.clone()),
        "getHost" => |args, _| part(args, |url| url.host.clone()),
        "getHostname" => |args, _| part(args, |url| url.split_host().0),
        "getPort" => |args, _| part(args, |url| url.split_host().1),
        "getEscapedPath" => |args, _| part(args, Url::escaped_path),
        "getQuery" => |args, _| match args {
            [Value::Url(url)] => Ok(url.query()),
            _ => Err(mistyped()),
        },
        _ => return None,
    };
    Some(function)
}

fn part(args: &[Value], of: fn(&Url) -> String) -> Result<Value, Fault> {
    match args {
        [Value::Url(url)] => Ok(Value::from(of(url))),
        _ => Err(mistyped()),
    }
}

/// `url.ParseRequestURI`: an absolute URL or path.
///
/// # Errors
/// Go's words.
pub(super) fn check(text: &str) -> Result<(), String> {
    parse(text, true).map(drop).map_err(|why| format!("parse {}: {why}", go::quote(text)))
}

impl Url {
    /// `url.Parse`.
    fn parse(text: &str) -> Result<Self, String> {
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut url = parse(rest, false).map_err(|why| format!("parse {}: {why}", go::quote(rest)))?;
        unescape(fragment, Mode::Path).map_err(|why| format!("parse {}: {why}", go::quote(text)))?;
        fragment.clone_into(&mut url.fragment);
        Ok(url)
    }

    fn split_host(&self) -> (String, String) {
        let (mut host, mut port) = (self.host.as_str(), "");
        if let Some(at) = host.rfind(':')
            && valid_port(&host[at..])
        {
            port = &host[at + 1..];
            host = &host[..at];
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (bare.to_owned(), port.to_owned())
    }

    fn escaped_path(&self) -> String {
        if !self.raw_path.is_empty()
            && self
                .raw_path
                .bytes()
                .all(|byte| byte == b'%' || b"!$&'()*+,;=:@[]".contains(&byte) || plain(byte, Mode::Path))
        {
            return self.raw_path.clone();
        }
        if self.path == b"*" {
            return "*".to_owned();
        }
        escape(&self.path)
    }

    fn query(&self) -> Value {
        let mut values: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let (Ok(key), Ok(value)) = (unescape(key, Mode::Query), unescape(value, Mode::Query)) {
                let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
                values.entry(Key::String(text(key).into())).or_default().push(Value::from(text(value)));
            }
        }
        Value::Map(Arc::new(values.into_iter().map(|(key, values)| (key, Value::list(values))).collect()))
    }
}

fn parse(text: &str, request: bool) -> Result<Url, String> {
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    if text.is_empty() && request {
        return Err("empty url".to_owned());
    }
    let mut url = Url {
        scheme: String::new(),
        opaque: String::new(),
        user: None,
        host: String::new(),
        path: Vec::new(),
        raw_path: String::new(),
        query: String::new(),
        fragment: String::new(),
    };
    if text == "*" {
        url.path = b"*".to_vec();
        return Ok(url);
    }
    let (scheme, rest) = scheme(text)?;
    url.scheme = scheme.to_lowercase();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    query.clone_into(&mut url.query);
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            rest.clone_into(&mut url.opaque);
            return Ok(url);
        }
        if request {
            return Err("invalid URI for request".to_owned());
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    let mut path = rest;
    if (!url.scheme.is_empty() || (!request && !rest.starts_with("///")))
        && let Some(authority) = rest.strip_prefix("//")
    {
        let at = authority.find('/').unwrap_or(authority.len());
        (url.user, url.host) = self::authority(&url.scheme, &authority[..at])?;
        path = &authority[at..];
    }
    url.path = unescape(path, Mode::Path)?;
    if escape(&url.path) != path {
        path.clone_into(&mut url.raw_path);
    }
    Ok(url)
}

fn scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn authority(scheme: &str, text: &str) -> Result<(Option<Vec<u8>>, String), String> {
    let (user, host) = text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    let host = self::host(scheme, host)?;
    let Some(user) = user else { return Ok((None, host)) };
    let valid = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !user.chars().all(valid) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    Ok((Some(unescape(user, Mode::Path)?), host))
}

fn host(scheme: &str, host: &str) -> Result<String, String> {
    let port = |port: &str| {
        if valid_port(port) { Ok(()) } else { Err(format!("invalid port {} after host", go::quote(port))) }
    };
    match host.rfind('[') {
        Some(0) => {
            let close = host.rfind(']').ok_or("missing ']' in host")?;
            port(&host[close + 1..])?;
            let name = unescape(&host[1..close], Mode::Host)?;
            let name = String::from_utf8_lossy(&name).into_owned();
            return match name.split('%').next().unwrap_or_default().parse() {
                Ok(IpAddr::V6(_)) => Ok(format!("[{name}]{}", &host[close + 1..])),
                Ok(IpAddr::V4(_)) => Err("invalid IP-literal".to_owned()),
                Err(_) => Err(format!("invalid host: ParseAddr({}): unable to parse IP", go::quote(&name))),
            };
        }
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    // Only http is strict about a second colon.
    let at = if matches!(scheme, "http" | "https") { host.find(':') } else { host.rfind(':') };
    if let Some(at) = at {
        port(&host[at..])?;
    }
    Ok(String::from_utf8_lossy(&unescape(host, Mode::Host)?).into_owned())
}

fn valid_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => text.is_empty(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Path,
    Host,
    Query,
}

/// Whether a byte stands for itself.
fn plain(byte: u8, mode: Mode) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return true;
    }
    match mode {
        Mode::Path => b"$&+,/:;=@".contains(&byte),
        Mode::Host => b"!$&'()*+,;=:[]<>\"".contains(&byte),
        Mode::Query => false,
    }
}

fn escape(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        if plain(*byte, Mode::Path) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

fn unescape(text: &str, mode: Mode) -> Result<Vec<u8>, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
                let wrong = || {
                    let shown = String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 3)]).into_owned();
                    format!("invalid URL escape {}", go::quote(&shown))
                };
                let digits =
                    digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())).ok_or_else(wrong)?;
                let byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
                if mode == Mode::Host && byte < 0x80 && digits != "25" {
                    return Err(wrong());
                }
                out.push(byte);
                at += 3;
                continue;
            }
            b'+' if mode == Mode::Query => out.push(b' '),
            byte if mode == Mode::Host && byte < 0x80 && !plain(byte, mode) => {
                return Err(format!("invalid character {} in host name", go::quote(&char::from(byte).to_string())));
            }
            byte => out.push(byte),
        }
        at += 1;
    }
    Ok(out)
}
