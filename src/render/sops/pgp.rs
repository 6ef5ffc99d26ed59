//! Keys of PGP as they are exported: in ASCII armour.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN PGP PRIVATE KEY BLOCK-----";
const END: &str = "-----END PGP PRIVATE KEY BLOCK-----";

/// The private keys of a text, as a keyring has them. What stands around their blocks is left out.
///
/// # Errors
/// Why there is none, without repeating anything.
pub fn keyring(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut ring = Zeroizing::new(Vec::new());
    let mut lines = text.lines().map(str::trim);
    while lines.by_ref().any(|line| line == BEGIN) {
        let mut body = Zeroizing::new(String::with_capacity(text.len()));
        let mut ended = false;
        // Headers end at an empty line, and the body at its checksum.
        let block = lines.by_ref().skip_while(|line| !line.is_empty());
        for line in block {
            if line == END {
                ended = true;
                break;
            }
            if !line.starts_with('=') {
                body.push_str(line);
            }
        }
        let bytes = STANDARD.decode(body.as_bytes()).ok().filter(|bytes| ended && !bytes.is_empty());
        ring.extend_from_slice(&Zeroizing::new(bytes.ok_or("a block of a private key of PGP is damaged")?));
    }
    if ring.is_empty() {
        return Err(format!("it holds no private key of PGP, which begins with {BEGIN}"));
    }
    Ok(ring)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_joined_and_what_is_around_them_is_left_out() {
        let block = |body: &str| format!("{BEGIN}\nVersion: 1\n\n{body}\n=abcd\n{END}\n");
        let text = format!("a note\n{}between\r\n{}", block("YWJj\nZGVm"), block("Z2hp").replace('\n', "\r\n"));
        assert_eq!(keyring(&text).map(|ring| ring.to_vec()), Ok(b"abcdefghi".to_vec()));
        let damaged = Err("a block of a private key of PGP is damaged".to_owned());
        for text in [block("no base64!"), block(""), block("YWJj").replace(END, ""), format!("{BEGIN}\n")] {
            assert_eq!(keyring(&text).map(|ring| ring.to_vec()), damaged, "{text}");
        }
        let public = block("YWJj").replace("PRIVATE", "PUBLIC");
        assert!(keyring(&public).is_err_and(|why| why.starts_with("it holds no private key of PGP")));
    }
}
