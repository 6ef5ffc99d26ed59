//! Addresses and prefixes, as Go's `net/netip` reads them.

use core::net::IpAddr;

use super::super::value::Value;
use super::super::{Fault, go};
use super::{Function, mistyped};

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "ip" => |args, _| match args {
            [Value::String(text)] => ip(text).map(Value::Ip),
            [Value::Cidr(address, _)] => Ok(Value::Ip(*address)),
            _ => Err(mistyped()),
        },
        "isIP" => |args, _| match args {
            [Value::String(text)] => Ok(Value::Bool(ip(text).is_ok())),
            _ => Err(mistyped()),
        },
        "ip.isCanonical" => |args, _| match args {
            [Value::String(text)] => Ok(Value::Bool(ip(text)?.to_string() == text.as_ref())),
            _ => Err(mistyped()),
        },
        "family" => |args, _| match args {
            [Value::Ip(address)] => Ok(Value::Int(if address.is_ipv4() { 4 } else { 6 })),
            _ => Err(mistyped()),
        },
        "isUnspecified" => |args, _| is(args, IpAddr::is_unspecified),
        "isLoopback" => |args, _| is(args, IpAddr::is_loopback),
        "isLinkLocalMulticast" => |args, _| is(args, link_local_multicast),
        "isLinkLocalUnicast" => |args, _| is(args, link_local),
        "isGlobalUnicast" => |args, _| {
            is(args, |address| {
                let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
                !(broadcast
                    || address.is_unspecified()
                    || address.is_loopback()
                    || address.is_multicast()
                    || link_local(address))
            })
        },
        "cidr" => |args, _| match args {
            [Value::String(text)] => cidr(text).map(|(address, length)| Value::Cidr(address, length)),
            _ => Err(mistyped()),
        },
        "isCIDR" => |args, _| match args {
            [Value::String(text)] => Ok(Value::Bool(cidr(text).is_ok())),
            _ => Err(mistyped()),
        },
        "containsIP" => |args, _| match args {
            [Value::Cidr(address, length), Value::Ip(other)] => Ok(Value::Bool(covers(*address, *length, *other))),
            [Value::Cidr(address, length), Value::String(other)] => {
                // What is no address is no argument either, as the API server sees it.
                let other = ip(other).map_err(|_| Fault::telling("no such overload", "no such overload"))?;
                Ok(Value::Bool(covers(*address, *length, other)))
            }
            _ => Err(mistyped()),
        },
        "containsCIDR" => |args, _| match args {
            [Value::Cidr(address, length), Value::Cidr(other, longer)] => {
                Ok(Value::Bool(length <= longer && covers(*address, *length, *other)))
            }
            [Value::Cidr(address, length), Value::String(other)] => {
                let (other, longer) =
                    cidr(other).map_err(|_| Fault::telling("no such overload", "no such overload"))?;
                Ok(Value::Bool(*length <= longer && covers(*address, *length, other)))
            }
            _ => Err(mistyped()),
        },
        "prefixLength" => |args, _| match args {
            [Value::Cidr(_, length)] => Ok(Value::Int(i64::from(*length))),
            _ => Err(mistyped()),
        },
        "masked" => |args, _| match args {
            [Value::Cidr(address, length)] => Ok(Value::Cidr(masked(*address, *length), *length)),
            _ => Err(mistyped()),
        },
        _ => return None,
    };
    Some(function)
}

fn is(args: &[Value], so: fn(&IpAddr) -> bool) -> Result<Value, Fault> {
    match args {
        [Value::Ip(address)] => Ok(Value::Bool(so(address))),
        _ => Err(mistyped()),
    }
}

fn link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn link_local_multicast(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    }
}

fn ip(text: &str) -> Result<IpAddr, Fault> {
    let quoted = go::quote(text);
    let quiet = "it is no IP address";
    if let Some((address, zone)) = text.split_once('%')
        && !zone.is_empty()
        && matches!(address.parse(), Ok(IpAddr::V6(_)))
    {
        return Err(Fault::telling(format!("IP address {quoted} with zone value is not allowed"), quiet));
    }
    let address: IpAddr = text.parse().map_err(|_| {
        let why = format!("IP Address {quoted} parse error during conversion from string: {}", unreadable(text));
        Fault::telling(why, quiet)
    })?;
    mapped(address, text)?;
    Ok(address)
}

/// Go's words for the usual mistakes.
fn unreadable(text: &str) -> String {
    let quoted = go::quote(text);
    if !text.contains(['.', ':', '%']) {
        return format!("ParseAddr({quoted}): unable to parse IP");
    }
    if !text.contains(':') && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        let fields: Vec<_> = text.split('.').collect();
        let why = if fields.iter().any(|field| field.is_empty()) {
            "IPv4 field must have at least one digit"
        } else if fields.iter().any(|field| field.len() > 1 && field.starts_with('0')) {
            "IPv4 field has octet with leading zero"
        } else if fields.iter().any(|field| field.parse::<u64>().map_or(true, |number| number > 255)) {
            "IPv4 field has value >255"
        } else if fields.len() > 4 {
            "IPv4 address too long"
        } else {
            "IPv4 address too short"
        };
        return format!("ParseAddr({quoted}): {why}");
    }
    format!("ParseAddr({quoted}): unable to parse IP")
}

fn mapped(address: IpAddr, text: &str) -> Result<(), Fault> {
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            let message = format!("IPv4-mapped IPv6 address {} is not allowed", go::quote(text));
            Err(Fault::telling(message, "an IPv4-mapped IPv6 address is not allowed"))
        }
        _ => Ok(()),
    }
}

fn cidr(text: &str) -> Result<(IpAddr, u8), Fault> {
    let quoted = go::quote(text);
    let twice = "network address parse error during conversion from string";
    let quiet = "it is no network address";
    let wrong = |why: &str| Fault::telling(format!("{twice}: {twice}: netip.ParsePrefix({quoted}): {why}"), quiet);
    let (address, length) = text.rsplit_once('/').ok_or_else(|| wrong("no '/'"))?;
    let address: IpAddr = address.parse().map_err(|_| wrong(&unreadable(address)))?;
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let bad = || wrong(&format!("bad bits after slash: {}", go::quote(length)));
    if !digits || (length.len() > 1 && length.starts_with('0')) {
        return Err(bad());
    }
    let bits: u32 = length.parse().map_err(|_| bad())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits =
        u8::try_from(bits).ok().filter(|bits| *bits <= most).ok_or_else(|| wrong("prefix length out of range"))?;
    mapped(address, text).map_err(|fault| Fault::telling(format!("{twice}: {fault}"), quiet))?;
    Ok((address, bits))
}

fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

fn covers(address: IpAddr, length: u8, other: IpAddr) -> bool {
    address.is_ipv4() == other.is_ipv4() && masked(address, length) == masked(other, length)
}
