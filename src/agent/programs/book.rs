//! What programs answered, in memory alone: answers may hold secrets.

use std::collections::HashMap;

use crate::object::Digest;
use crate::render::Answer;

/// Bytes of all answers that are kept; beyond that the one goes that was not used for longest.
const BYTES: usize = 8 << 20;

/// Answers by the digests of their needs.
#[derive(Debug, Default)]
pub struct Book {
    known: HashMap<Digest, (Answer, u64)>,
    bytes: usize,
    clock: u64,
}

impl Book {
    /// The answer, where it is known.
    pub fn get(&mut self, digest: &Digest) -> Option<Answer> {
        self.clock += 1;
        let (answer, used) = self.known.get_mut(digest)?;
        *used = self.clock;
        Some(answer.clone())
    }

    /// Keeps an answer.
    pub fn put(&mut self, digest: Digest, answer: Answer) {
        self.clock += 1;
        self.bytes += answer.bytes();
        if let Some((before, _)) = self.known.insert(digest, (answer, self.clock)) {
            self.bytes -= before.bytes();
        }
        // The newest stays, however large it is.
        while self.bytes > BYTES && self.known.len() > 1 {
            let Some(oldest) = self.known.iter().min_by_key(|(_, (_, used))| *used).map(|(digest, _)| *digest) else {
                break;
            };
            if let Some((gone, _)) = self.known.remove(&oldest) {
                self.bytes -= gone.bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::DigestKey;
    use crate::render::Blob;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let key = DigestKey::new(*b"key");
        let [a, b, c] = ["a", "b", "c"].map(|name| key.digest_bytes(name.as_bytes()));
        let answer = || Answer::Printed { output: Blob::new(vec![0; BYTES / 2]), notes: String::new() };
        let mut book = Book::default();
        book.put(a, answer());
        book.put(b, answer());
        book.put(b, answer());
        assert!(book.get(&a).is_some());
        book.put(c, answer());
        assert!(book.get(&a).is_some() && book.get(&b).is_none() && book.get(&c).is_some());
        assert_eq!(book.bytes, BYTES);
    }
}
