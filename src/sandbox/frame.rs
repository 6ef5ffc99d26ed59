//! Frames: a length of four bytes, big-endian, and so many bytes. An empty frame ends an answer.

use std::io::{self, Read, Write};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of the largest frame. What is larger is cut into several by its sender.
pub const MAX_BYTES: usize = 32 << 20;

/// Writes one frame and flushes it.
pub fn write(to: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    to.write_all(&length(frame)?)?;
    to.write_all(frame)?;
    to.flush()
}

/// Reads one frame; `None` where the other side has closed between two frames.
pub fn read(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; 4];
    match from.read(&mut head)? {
        0 => return Ok(None),
        n => from.read_exact(&mut head[n..])?,
    }
    let mut frame = vec![0; checked(head)?];
    from.read_exact(&mut frame)?;
    Ok(Some(frame))
}

/// [`write()`], for a pipe of the runtime.
pub async fn write_async(to: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    to.write_all(&length(frame)?).await?;
    to.write_all(frame).await?;
    to.flush().await
}

/// [`read`], for a pipe of the runtime; a closed pipe is an error.
pub async fn read_async(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await?;
    let mut frame = vec![0; checked(head)?];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

fn length(frame: &[u8]) -> io::Result<[u8; 4]> {
    if frame.len() > MAX_BYTES {
        let message = format!("a frame of {} bytes is larger than {MAX_BYTES}", frame.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok((frame.len() as u32).to_be_bytes())
}

fn checked(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(head) as usize;
    if length > MAX_BYTES {
        let message = format!("a frame of {length} bytes was announced, more than {MAX_BYTES}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_the_end_is_seen() {
        let mut wire = Vec::new();
        for frame in [&b"one"[..], b"", b"three"] {
            write(&mut wire, frame).expect("writes");
        }
        let mut from = &wire[..];
        let mut seen = Vec::new();
        while let Some(frame) = read(&mut from).expect("reads") {
            seen.push(frame);
        }
        assert_eq!(seen, [b"one".to_vec(), b"".to_vec(), b"three".to_vec()]);
    }

    #[test]
    fn a_frame_that_is_cut_or_too_large_is_an_error() {
        assert_eq!(read(&mut &[0, 0, 0, 9, 1][..]).expect_err("cut").kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read(&mut &[0, 0][..]).expect_err("cut").kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read(&mut &[255, 0, 0, 0][..]).expect_err("too large").kind(), io::ErrorKind::InvalidData);
    }
}
