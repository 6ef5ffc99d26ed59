//! What the supported minors of Kubernetes say of their kinds, as `hack/schema` writes it to
//! `kubernetes.txt.gz`. Nothing of it is unpacked before somebody asks, and a definition is read when
//! it is first needed.
//!
//! | line | means |
//! |---|---|
//! | `minors M…` | the minors; bit 0 of a mask (hexadecimal) is the first |
//! | `- KIND DEPRECATED REMOVED REPLACEMENT` | a kind that minors deprecated and removed; `-` where none is known |
//! | `* MASK KIND SCOPE NAME` | these minors serve the kind, `n`amespaced or for the `c`luster, with that definition |
//! | `:MASK NAME` | the definition as these minors have it; its fields follow |
//! | `FIELD⇥FORM` | a field; before it `!` where it is required, `=` where its zero value is the same as leaving it out |
//!
//! A kind is its apiVersion, `/` and its kind. A form is one of
//!
//! | form | the value is |
//! |---|---|
//! | `s`, `sA\|B` | a text, one of these |
//! | `d`, `u`, `y`, `q`, `x` | a time, a duration, bytes in base64, a quantity, a whole number or text |
//! | `i`, `j`, `n`, `b` | a whole number of 64 or 32 bits, a number, a boolean |
//! | `[FORM`, `{FORM` | a list, a mapping of names to values |
//! | `@NAME` | as the definition says |
//! | `?@NAME`, `&@NAME` | the same, or a boolean, or a list; what the API server does not know in it, it passes over |
//! | `o`, `*` | a mapping of anything, anything |

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::str::FromStr;
use std::sync::OnceLock;

use flate2::read::GzDecoder;

/// A minor version of Kubernetes 1 whose schemas are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor(u8);

impl Minor {
    /// The minors that are known, oldest first.
    pub const ALL: [Self; 5] = [Self(33), Self(34), Self(35), Self(36), Self(37)];

    /// The number behind `1.`.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Its bit in the masks of the data.
    pub(in crate::schema) fn bit(self) -> u8 {
        1 << (self.0 - Self::ALL[0].0)
    }
}

/// The newest one.
impl Default for Minor {
    fn default() -> Self {
        Self::ALL[Self::ALL.len() - 1]
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

/// `1.36`, `v1.36.3`, `v1.36.3-eks-1`.
impl FromStr for Minor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix('v').unwrap_or(text).split('.').collect::<Vec<_>>();
        let minor = match number[..] {
            ["1", minor] | ["1", minor, ..] => minor.parse::<u8>().ok(),
            _ => None,
        };
        let known = minor.and_then(|minor| Self::ALL.into_iter().find(|known| known.0 == minor));
        let all = || Self::ALL.map(|minor| minor.to_string()).join(", ");
        known.ok_or_else(|| format!("no version of Kubernetes whose schemas are known: {}", all()))
    }
}

/// Everything that is known.
#[derive(Debug)]
pub(in crate::schema) struct Data {
    /// By kind.
    pub kinds: HashMap<&'static str, Vec<Served>>,
    /// By kind.
    pub removals: HashMap<&'static str, Removal>,
    definitions: HashMap<&'static str, Vec<Definition>>,
}

/// How some minors serve a kind.
#[derive(Debug)]
pub(in crate::schema) struct Served {
    pub mask: u8,
    pub namespaced: bool,
    pub definition: &'static str,
}

/// When a kind was deprecated and removed.
#[derive(Debug)]
pub(in crate::schema) struct Removal {
    pub deprecated: u8,
    pub removed: Option<u8>,
    pub replacement: Option<&'static str>,
}

#[derive(Debug)]
struct Definition {
    mask: u8,
    lines: &'static str,
    read: OnceLock<Type>,
}

/// The fields of a definition, by name.
#[derive(Debug)]
pub(in crate::schema) struct Type {
    fields: Vec<Field>,
}

/// A field.
#[derive(Debug)]
pub(in crate::schema) struct Field {
    pub name: &'static str,
    pub required: bool,
    /// Its zero value is the same as leaving it out.
    pub by_value: bool,
    pub form: Form,
}

/// What a value is.
#[derive(Debug, PartialEq)]
pub(in crate::schema) enum Form {
    Text(Vec<&'static str>),
    Time,
    Duration,
    Bytes,
    Quantity,
    IntOrText,
    Int64,
    Int32,
    Number,
    Boolean,
    List(Box<Form>),
    Map(Box<Form>),
    Named(&'static str),
    /// Or a boolean.
    OrBoolean(&'static str),
    /// Or a list.
    OrList(&'static str),
    Mapping,
    Anything,
}

impl Data {
    /// The data, unpacked when it is first asked for.
    pub fn get() -> &'static Self {
        static TEXT: OnceLock<String> = OnceLock::new();
        static DATA: OnceLock<Data> = OnceLock::new();
        DATA.get_or_init(|| {
            Self::parse(TEXT.get_or_init(|| {
                let mut text = String::new();
                let packed = include_bytes!("kubernetes.txt.gz");
                GzDecoder::new(&packed[..]).read_to_string(&mut text).expect("a test unpacks it");
                text
            }))
        })
    }

    /// The definition of that name as a minor has it.
    pub fn definition(&self, name: &str, minor: Minor) -> Option<&Type> {
        let found = self.definitions.get(name)?.iter().find(|definition| definition.mask & minor.bit() != 0)?;
        Some(found.read.get_or_init(|| Type::parse(found.lines)))
    }

    fn parse(text: &'static str) -> Self {
        let mut data = Self { kinds: HashMap::new(), removals: HashMap::new(), definitions: HashMap::new() };
        let mask = |text: &str| u8::from_str_radix(text, 16).unwrap_or(0);
        let (head, rest) = text.split_once("\n:").unwrap_or((text, ""));
        for line in head.lines() {
            let words: Vec<&'static str> = line.split(' ').collect();
            match words[..] {
                ["*", minors, kind, scope, definition] => {
                    let served = Served { mask: mask(minors), namespaced: scope == "n", definition };
                    data.kinds.entry(kind).or_default().push(served);
                }
                ["-", kind, deprecated, removed, replacement] => {
                    let replacement = Some(replacement).filter(|kind| *kind != "-");
                    let deprecated = deprecated.parse().unwrap_or(0);
                    data.removals.insert(kind, Removal { deprecated, removed: removed.parse().ok(), replacement });
                }
                _ => {}
            }
        }
        for block in rest.split("\n:") {
            let (title, lines) = block.split_once('\n').unwrap_or((block, ""));
            let Some((minors, name)) = title.split_once(' ') else { continue };
            let definition = Definition { mask: mask(minors), lines, read: OnceLock::new() };
            data.definitions.entry(name).or_default().push(definition);
        }
        data
    }
}

impl Type {
    fn parse(lines: &'static str) -> Self {
        let field = |line: &'static str| {
            let (name, form) = line.split_once('\t')?;
            let (required, name) = name.strip_prefix('!').map_or((false, name), |name| (true, name));
            let (by_value, name) = name.strip_prefix('=').map_or((false, name), |name| (true, name));
            Some(Field { name, required, by_value, form: Form::parse(form) })
        };
        let mut fields: Vec<Field> = lines.lines().filter_map(field).collect();
        fields.sort_unstable_by_key(|field| field.name);
        Self { fields }
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let at = self.fields.binary_search_by_key(&name, |field| field.name).ok()?;
        Some(&self.fields[at])
    }

    /// All fields, by name.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }
}

impl Form {
    /// What its value is, in words.
    pub fn words(&self) -> &'static str {
        match self {
            Form::Text(_) => "a text",
            Form::Time => "a point in time such as 2026-01-31T08:00:00Z",
            Form::Duration => "a duration such as 1m30s",
            Form::Bytes => "bytes in base64",
            Form::Quantity => "a quantity such as 500m or 1Gi",
            Form::IntOrText => "a whole number of 32 bits or a text",
            Form::Int64 => "a whole number",
            Form::Int32 => "a whole number of 32 bits",
            Form::Number => "a number",
            Form::Boolean => "true or false",
            Form::List(_) => "a list",
            Form::Map(_) | Form::Named(_) | Form::OrBoolean(_) | Form::OrList(_) | Form::Mapping => "a mapping",
            Form::Anything => "anything",
        }
    }

    fn parse(text: &'static str) -> Self {
        let below = &text[1..];
        match text.as_bytes()[0] {
            b's' if below.is_empty() => Self::Text(Vec::new()),
            b's' => Self::Text(below.split('|').collect()),
            b'd' => Self::Time,
            b'u' => Self::Duration,
            b'y' => Self::Bytes,
            b'q' => Self::Quantity,
            b'x' => Self::IntOrText,
            b'i' => Self::Int64,
            b'j' => Self::Int32,
            b'n' => Self::Number,
            b'b' => Self::Boolean,
            b'[' => Self::List(Box::new(Self::parse(below))),
            b'{' => Self::Map(Box::new(Self::parse(below))),
            b'@' => Self::Named(below),
            b'?' => Self::OrBoolean(&below[1..]),
            b'&' => Self::OrList(&below[1..]),
            b'o' => Self::Mapping,
            _ => Self::Anything,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every form of a definition is one that is known, and every name has a definition in the same minors.
    #[test]
    fn the_data_is_whole() {
        fn holds(form: &Form, minor: Minor) -> bool {
            match form {
                Form::Named(name) | Form::OrBoolean(name) | Form::OrList(name) => {
                    Data::get().definition(name, minor).is_some()
                }
                Form::List(form) | Form::Map(form) => holds(form, minor),
                _ => true,
            }
        }
        let data = Data::get();
        assert!(data.kinds.len() > 80 && data.removals.len() > 60);
        let mut fields = 0;
        for minor in Minor::ALL {
            for served in data.kinds.values().flatten().filter(|served| served.mask & minor.bit() != 0) {
                assert!(data.definition(served.definition, minor).is_some(), "{served:?}");
            }
            for (name, versions) in &data.definitions {
                assert!(versions.iter().filter(|version| version.mask & minor.bit() != 0).count() <= 1, "{name}");
                for field in data.definition(name, minor).map(Type::fields).unwrap_or_default() {
                    fields += 1;
                    assert!(holds(&field.form, minor), "{name}: {field:?} in {minor}");
                    let by_name = data.definition(name, minor).and_then(|definition| definition.field(field.name));
                    assert_eq!(by_name.map(|by_name| &by_name.form), Some(&field.form), "{name}");
                }
            }
        }
        assert!(fields > 10_000, "{fields}");
    }

    #[test]
    fn the_minors_are_those_of_the_data() {
        let mut text = String::new();
        GzDecoder::new(&include_bytes!("kubernetes.txt.gz")[..]).read_to_string(&mut text).expect("unpacks");
        let minors = format!("minors {}", Minor::ALL.map(|minor| minor.number().to_string()).join(" "));
        assert!(text.lines().any(|line| line == minors), "{minors}");
    }

    #[test]
    fn versions_are_read_as_people_write_them() {
        for (text, minor) in [
            ("1.36", Some(36)),
            ("v1.33.0", Some(33)),
            ("1.34.2-gke.100", Some(34)),
            ("1.32", None),
            ("36", None),
            ("2.36", None),
            ("1.x", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Minor>().ok().map(Minor::number), minor, "{text}");
        }
    }
}
