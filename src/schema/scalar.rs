//! Texts that are read as something else, as Go reads them.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::cel;

/// Whether Go reads the text as a point in time (RFC 3339): `2026-01-31T08:00:00.5+01:00`.
pub fn is_time(text: &str) -> bool {
    cel::parse_timestamp(text).is_some()
}

/// Whether the text is a day: `2026-01-31`.
pub fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

/// Whether Go reads the text as a duration: `1h30m`, `-1.5s`, `0`.
pub fn is_duration(text: &str) -> bool {
    cel::parse_duration(text).is_some()
}

/// Whether the text is bytes in base64; Go passes over line feeds.
pub fn is_base64(text: &str) -> bool {
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let engine = GeneralPurpose::new(&STANDARD, config);
    if text.contains(['\n', '\r']) {
        engine.decode(text.replace(['\n', '\r'], "")).is_ok()
    } else {
        engine.decode(text).is_ok()
    }
}

/// Whether the text is a quantity, perhaps with blanks around it.
pub fn is_quantity(text: &str) -> bool {
    cel::is_quantity(text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(check: fn(&str) -> bool, good: &[&str], bad: &[&str]) {
        good.iter().for_each(|text| assert!(check(text), "{text:?} was refused"));
        bad.iter().for_each(|text| assert!(!check(text), "{text:?} was taken"));
    }

    #[test]
    fn texts_are_read_as_go_reads_them() {
        all(
            is_time,
            &["2026-01-31T08:00:00Z", "2026-01-31T08:00:00.123456Z", "2026-01-31T08:00:00+01:00"],
            &["", "2026-01-31", "2026-01-31 08:00:00Z", "2026-13-31T08:00:00Z", "2026-01-31T08:00:00", "yesterday"],
        );
        all(is_date, &["2026-01-31"], &["2026-02-30", "2026-1-1", "20260131"]);
        all(
            is_duration,
            &["1h30m", "-1.5s", "0", "+5ms", "1µs", ".5h"],
            &["", "5", "1d", "h", "1.2.3s", "1h 30m", "-"],
        );
        all(is_base64, &["", "aGVsbG8=", "aGVs\nbG8="], &["aGVsbG8", "hello!", "aGVsbG8==="]);
        // Without a digit it is a zero to Kubernetes.
        all(
            is_quantity,
            &["0", "1", "500m", "1Gi", "1.5", ".5", "5.", "-1", "+2k", "1e3", "1E-3", " 1Gi ", "12E", "Gi", "."],
            &["", "1 Gi", "1GB", "abc", "1e", "1.2.3", "0x10", "1ki", "1K", "--1"],
        );
    }
}
