//! Where two prints of a chart differ, without what stands there.

use serde_json::Value;

use crate::object::yaml;

/// So many places are told.
const SHOWN: usize = 5;

/// Objects and fields that differ, as `Secret web: data.password`.
pub fn difference(first: &[u8], second: &[u8]) -> String {
    let read = |bytes| yaml::read("", bytes, &yaml::Limits::default()).0;
    let (first, second) = (read(first), read(second));
    let mut places = Vec::new();
    for (a, b) in first.iter().zip(&second) {
        let text = |pointer| a.value.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
        if let Some(field) = field(&a.value, &b.value) {
            places.push(format!("{} {}: {field}", text("/kind"), text("/metadata/name")));
        }
    }
    if first.len() != second.len() {
        places.push("the number of objects".to_owned());
    }
    match places.len() {
        0 => "what stands beside the objects".to_owned(),
        1..=SHOWN => places.join(", "),
        more => format!("{} and {} more", places[..SHOWN].join(", "), more - SHOWN),
    }
}

/// The first field that differs.
fn field(a: &Value, b: &Value) -> Option<String> {
    let inner = |key: &str, rest: String| if rest.is_empty() { key.to_owned() } else { format!("{key}.{rest}") };
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            if let Some(key) =
                a.keys().find(|key| !b.contains_key(*key)).or_else(|| b.keys().find(|key| !a.contains_key(*key)))
            {
                return Some(key.clone());
            }
            a.iter().find_map(|(key, value)| Some(inner(key, field(value, &b[key])?)))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(at, (a, b))| Some(inner(&at.to_string(), field(a, b)?)))
        }
        (a, b) => (a != b).then(String::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_and_what_stands_there_is_not() {
        let of = |password: &str, items: &str| {
            format!(
                "kind: Secret\nmetadata: {{name: a}}\ndata: {{p: {password}}}\n---\nkind: X\nmetadata: {{name: b}}\nspec: {{l: [1, {{a: {items}}}]}}\n"
            )
        };
        let told = difference(of("canary1", "1").as_bytes(), of("canary2", "2").as_bytes());
        assert_eq!(told, "Secret a: data.p, X b: spec.l.1.a");
        assert_eq!(difference(b"a: 1", b"a: 1\n---\nb: 1"), "the number of objects");
        assert_eq!(difference(b"a: 1", b"a: 1\n# x"), "what stands beside the objects");
    }
}
