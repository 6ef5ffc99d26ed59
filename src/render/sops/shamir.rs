//! Shamir's secret sharing over GF(2⁸), as SOPS shares a data key among groups of keys.

use zeroize::Zeroizing;

/// The secret of which these are parts: each has the value of the polynomial for every byte, and
/// its own place as the last one. `None` where they are no parts of one secret.
pub fn combine(parts: &[Zeroizing<Vec<u8>>]) -> Option<Zeroizing<Vec<u8>>> {
    let length = parts.first()?.len().checked_sub(1).filter(|length| *length > 0)?;
    let mut places = Vec::with_capacity(parts.len());
    for part in parts {
        let place = *part.last()?;
        if part.len() != length + 1 || place == 0 || places.contains(&place) {
            return None;
        }
        places.push(place);
    }
    let mut secret = Zeroizing::new(vec![0; length]);
    for (part, place) in parts.iter().zip(&places) {
        // The value at 0 of the polynomial that is 1 here and 0 at all other places.
        let others = places.iter().filter(|other| *other != place);
        let weight = others.fold(1, |weight, other| times(weight, times(*other, inverse(other ^ place))));
        for (byte, value) in secret.iter_mut().zip(part.iter()) {
            *byte ^= times(weight, *value);
        }
    }
    Some(secret)
}

/// In the field of AES, without a branch or an index that a value decides.
fn times(a: u8, b: u8) -> u8 {
    (0..8).rev().fold(0, |product: u8, bit| {
        let reduced = (product << 1) ^ (0x1b & (product >> 7).wrapping_neg());
        reduced ^ (a & ((b >> bit) & 1).wrapping_neg())
    })
}

/// Every element to the power of 255 is 1, so to that of 254 its inverse.
fn inverse(a: u8) -> u8 {
    (0..7)
        .fold((1, a), |(product, square), _| {
            let square = times(square, square);
            (times(product, square), square)
        })
        .0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(secret: &[u8], coefficients: &[u8], place: u8) -> Zeroizing<Vec<u8>> {
        let value = |byte: u8| {
            coefficients.iter().fold((byte, place), |(sum, power), c| (sum ^ times(*c, power), times(power, place))).0
        };
        Zeroizing::new(secret.iter().map(|byte| value(*byte)).chain([place]).collect())
    }

    #[test]
    fn every_element_has_its_inverse() {
        assert_eq!(times(0x57, 0x83), 0xc1, "the example of the standard");
        for a in 1..=255 {
            assert_eq!(times(a, inverse(a)), 1, "{a}");
        }
    }

    #[test]
    fn enough_parts_make_the_secret_and_fewer_do_not() {
        let secret = b"0123456789abcdef";
        let parts: Vec<_> = [1, 2, 7, 255].iter().map(|place| share(secret, &[3, 200], *place)).collect();
        for chosen in [&parts[..], &parts[1..], &parts[..3]] {
            assert_eq!(combine(chosen).as_deref().map(Vec::as_slice), Some(&secret[..]));
        }
        assert_ne!(combine(&parts[..2]).as_deref().map(Vec::as_slice), Some(&secret[..]));
    }

    #[test]
    fn what_are_no_parts_of_one_secret_makes_none() {
        let part = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        for parts in [
            vec![],
            vec![part(&[])],
            vec![part(&[1])],
            vec![part(&[1, 1]), part(&[2, 1])],
            vec![part(&[1, 1]), part(&[2, 0])],
            vec![part(&[1, 1]), part(&[2, 2, 2])],
        ] {
            assert!(combine(&parts).is_none(), "{parts:?}");
        }
    }
}
