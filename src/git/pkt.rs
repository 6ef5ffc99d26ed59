//! The packet lines of Git's protocols.

use std::io::{self, Read};

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// `0000`: end of a message or section.
    Flush,
    /// `0001`: between the parts of a request (version 2).
    Delimiter,
    /// `0002`: end of a response (version 2).
    End,
    /// A line, without its line feed.
    Line(Vec<u8>),
}

/// Reads one packet; `None` at the end.
pub fn read(from: &mut impl Read) -> io::Result<Option<Packet>> {
    let mut head = [0; 4];
    match from.read(&mut head)? {
        0 => return Ok(None),
        n => from.read_exact(&mut head[n..])?,
    }
    let length = std::str::from_utf8(&head).ok().and_then(|text| u16::from_str_radix(text, 16).ok());
    let packet = match length {
        Some(0) => Packet::Flush,
        Some(1) => Packet::Delimiter,
        Some(2) => Packet::End,
        Some(length @ 4..) => {
            let mut line = vec![0; usize::from(length) - 4];
            from.read_exact(&mut line)?;
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            Packet::Line(line)
        }
        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer holds no packet lines")),
    };
    Ok(Some(packet))
}

/// Writes a line with its line feed. Lines are ours and short.
pub fn line(to: &mut Vec<u8>, text: &str) {
    to.extend_from_slice(format!("{:04x}{text}\n", text.len() + 5).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_back() {
        let mut wire = Vec::new();
        line(&mut wire, "command=ls-refs");
        wire.extend_from_slice(b"000100000002");
        let mut from = &wire[..];
        let mut seen = Vec::new();
        while let Some(packet) = read(&mut from).expect("reads") {
            seen.push(packet);
        }
        let expected = [Packet::Line(b"command=ls-refs".to_vec()), Packet::Delimiter, Packet::Flush, Packet::End];
        assert_eq!(seen, expected);
    }

    #[test]
    fn garbage_is_no_packet() {
        for garbage in [&b"<html>"[..], b"0003", b"00ff", b"zzzz", b"+123"] {
            assert!(read(&mut &garbage[..]).is_err(), "{garbage:?}");
        }
    }
}
