//! Formats of texts that the API server validates.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::schema::scalar;

/// Whether a text has a format; one that is not known says nothing. The format has no `-` in it.
pub fn fits(format: &str, text: &str) -> bool {
    match format {
        "datetime" => scalar::is_time(text),
        "date" => scalar::is_date(text),
        // Neither nothing at all nor line feeds, which Go's decoder would take.
        "byte" => !text.is_empty() && !text.contains(['\n', '\r']) && scalar::is_base64(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "uuid" => is_uuid(text, &[]),
        "uuid3" => is_uuid(text, &['3']),
        "uuid4" => is_uuid(text, &['4']),
        "uuid5" => is_uuid(text, &['5']),
        "hexcolor" => is_hex_colour(text),
        // Others are more lenient in Go than is worth to repeat: they are left to the API server.
        _ => true,
    }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.len() <= 3 && bits.bytes().all(|b| b.is_ascii_digit()) && bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

fn is_mac(text: &str) -> bool {
    let hex = |part: &str, digits: usize| part.len() == digits && part.bytes().all(|b| b.is_ascii_hexdigit());
    let parts = |by: char, digits: usize, counts: &[usize]| {
        let parts: Vec<&str> = text.split(by).collect();
        counts.contains(&parts.len()) && parts.iter().all(|part| hex(part, digits))
    };
    parts(':', 2, &[6, 8, 20]) || parts('-', 2, &[6, 8, 20]) || parts('.', 4, &[3, 4, 10])
}

fn is_uuid(text: &str, versions: &[char]) -> bool {
    let digits: String = text.replace('-', "");
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    // Each of the dashes may be left out.
    let mut cuts = Vec::new();
    let mut at = 0;
    for length in &lengths[..lengths.len() - 1] {
        at += length;
        cuts.push(at);
    }
    digits.len() == 32
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
        && cuts.iter().all(|cut| [8, 12, 16, 20].contains(cut))
        && cuts.windows(2).all(|pair| pair[0] < pair[1])
        && (versions.is_empty() || digits.chars().nth(12).is_some_and(|digit| versions.contains(&digit)))
}

fn is_hex_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn texts_have_formats_or_not() {
        for (format, text, expected) in [
            ("datetime", "2026-01-31T08:00:00Z", true),
            ("datetime", "2026-01-31", false),
            ("date", "2026-01-31", true),
            ("byte", "aGk=", true),
            ("byte", "?", false),
            ("byte", "", false),
            ("ipv4", "10.0.0.1", true),
            ("ipv4", "::1", false),
            ("ipv6", "::1", true),
            ("cidr", "10.0.0.0/8", true),
            ("cidr", "10.0.0.0/33", false),
            ("cidr", "10.0.0.0", false),
            ("mac", "00:1b:44:11:3a:b7", true),
            ("mac", "00:1b:44:11:3a", false),
            ("uuid", "3F2504E0-4F89-41D3-9A0C-0305E82C3301", true),
            ("uuid", "3f2504e04f8941d39a0c0305e82c3301", true),
            ("uuid", "3f2504e0-4f89-41d3-9a0c", false),
            ("uuid4", "3f2504e0-4f89-31d3-9a0c-0305e82c3301", false),
            ("hexcolor", "#fff", true),
            ("hexcolor", "#ffff", false),
            ("nothing", "of the kind", true),
        ] {
            assert_eq!(fits(format, text), expected, "{format} {text}");
        }
    }
}
