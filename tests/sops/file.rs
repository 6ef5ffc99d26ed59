//! Random files for SOPS, and ways to change what it made of them.

use serde_json::{Map, Value, json};
use tandem::object::yaml;

/// Numbers that are the same in every run.
pub struct Source(u64);

impl Source {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

/// In which form a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Yaml,
    Json,
    Dotenv,
    Binary,
}

impl Form {
    /// Whether two plain texts say the same.
    pub fn same(self, one: &[u8], other: &[u8]) -> bool {
        let documents = |bytes: &[u8]| {
            let (documents, problems) = yaml::read("plain", bytes, &yaml::Limits::default());
            (problems.is_empty()).then(|| documents.into_iter().map(|document| document.value).collect::<Vec<_>>())
        };
        match self {
            Self::Dotenv | Self::Binary => one == other,
            Self::Yaml | Self::Json => documents(one).is_some() && documents(one) == documents(other),
        }
    }
}

/// A file, and the rule by which it is encrypted.
pub struct Made {
    pub form: Form,
    pub name: String,
    pub plain: Vec<u8>,
    /// In the words of `.sops.yaml`; `KEY1` and so on are public keys.
    pub rule: String,
}

const KEYS: [&str; 9] =
    ["data", "stringData", "a", "b_unencrypted", "c_secret", "token", "with space", "yes", "key:with:colons"];
const TEXTS: [&str; 14] = [
    "text",
    "yes",
    "0644",
    "1e3",
    "null",
    "",
    " leading",
    "trailing ",
    "two\nlines",
    "kept\n\n",
    "quote \" and ' and \\",
    "- no list # no comment: no map",
    "ünïcödé 😀",
    "\u{1}\u{7f}\u{85}\u{2028}\u{feff}",
];
const NUMBERS: [&str; 9] = ["0", "-7", "42", "1.5", "1e3", "1e21", "-0.25", "9007199254740993", "0.1"];

impl Made {
    pub fn random(source: &mut Source, form: Form) -> Self {
        let (name, plain) = match form {
            Form::Yaml => {
                let documents: Vec<String> = (0..=source.below(3)).map(|_| document(source)).collect();
                ("values.yaml", documents.join("---\n").into_bytes())
            }
            Form::Json => ("values.json", json_object(source, 3).to_string().into_bytes()),
            Form::Dotenv => ("values.env", lines(source).into_bytes()),
            Form::Binary => ("values.bin", (0..source.below(200)).map(|_| source.below(256) as u8).collect()),
        };
        Self { form, name: name.to_owned(), plain, rule: rule(source, form) }
    }
}

fn rule(source: &mut Source, form: Form) -> String {
    let keys = source.one(&["age: KEY1", "age: 'KEY1,KEY3'", "age: 'KEY3,KEY2'", GROUPS, GROUP_OF_TWO]);
    let selections: &[&str] = &[
        "",
        "encrypted_regex: '^(data|stringData|token)$'",
        "unencrypted_regex: '^(a|token)$'",
        "encrypted_suffix: _secret",
        "unencrypted_suffix: _unencrypted",
        "encrypted_comment_regex: seal",
        "unencrypted_comment_regex: open",
    ];
    let select = if form == Form::Binary { "" } else { source.one(selections) };
    let only = source.one(&["", "", "mac_only_encrypted: true"]);
    let parts = [keys, select, only];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{{{}}}", parts.join(", "))
}

const GROUPS: &str = "shamir_threshold: 2, key_groups: [{age: [KEY3]}, {age: [KEY1]}, {age: [KEY2, KEY3]}]";
const GROUP_OF_TWO: &str = "key_groups: [{age: [KEY1, KEY3]}]";

fn document(source: &mut Source) -> String {
    let mut text = String::new();
    map(source, &mut text, 0, 3);
    text
}

fn key(source: &mut Source, used: &mut Vec<&'static str>) -> Option<&'static str> {
    let key = source.one(&KEYS);
    (!used.contains(&key)).then(|| {
        used.push(key);
        key
    })
}

fn map(source: &mut Source, text: &mut String, indent: usize, depth: usize) {
    let pad = " ".repeat(indent);
    let mut used = vec!["first"];
    comment(source, text, indent);
    text.push_str(&format!("{pad}first: {}\n", scalar(source)));
    for _ in 0..source.below(5) {
        let Some(key) = key(source, &mut used) else { continue };
        comment(source, text, indent);
        text.push_str(&format!("{pad}{}:", json!(key)));
        node(source, text, indent, depth);
    }
}

/// The value behind a colon.
fn node(source: &mut Source, text: &mut String, indent: usize, depth: usize) {
    match source.below(if depth == 0 { 5 } else { 9 }) {
        0..5 => text.push_str(&format!(" {}\n", scalar(source))),
        5 => text.push_str(source.one(&[" []\n", " {}\n", " [] # seal\n"])),
        6 => {
            text.push_str(" |\n");
            let pad = " ".repeat(indent + 2);
            text.push_str(&format!("{pad}block {}\n\n{pad}  more\n", source.below(9)));
        }
        7 => {
            text.push('\n');
            for _ in 0..=source.below(3) {
                comment(source, text, indent + 2);
                let pad = " ".repeat(indent + 2);
                if depth > 1 && source.below(3) == 0 {
                    text.push_str(&format!("{pad}- item: {}\n", scalar(source)));
                    text.push_str(&format!("{pad}  list: [{}, {}]\n", scalar(source), scalar(source)));
                } else {
                    text.push_str(&format!("{pad}- {}\n", scalar(source)));
                }
            }
        }
        _ => {
            text.push('\n');
            map(source, text, indent + 2, depth - 1);
        }
    }
}

fn comment(source: &mut Source, text: &mut String, indent: usize) {
    if source.below(4) == 0 {
        let words = source.one(&["seal it", "leave it open", "nothing"]);
        text.push_str(&format!("{}# {words}\n", " ".repeat(indent)));
    }
}

fn scalar(source: &mut Source) -> String {
    match source.below(6) {
        0 => source.one(&NUMBERS).to_owned(),
        1 => source.one(&["true", "false", "null", "~", "2001-12-14", "2001-12-14T21:59:43Z"]).to_owned(),
        _ => quoted(source.one(&TEXTS)),
    }
}

/// As every reader of YAML takes it.
fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        '\n' => "\\n".to_owned(),
        c if c.is_control() || matches!(c, '\u{2028}' | '\u{feff}') => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

fn json_object(source: &mut Source, depth: usize) -> Value {
    let mut used = vec!["first"];
    let mut fields = Map::from_iter([("first".to_owned(), json_value(source, 0))]);
    for _ in 0..source.below(5) {
        if let Some(key) = key(source, &mut used) {
            fields.insert(key.to_owned(), json_value(source, depth));
        }
    }
    Value::Object(fields)
}

fn json_value(source: &mut Source, depth: usize) -> Value {
    match source.below(if depth == 0 { 5 } else { 8 }) {
        0 => serde_json::from_str(source.one(&NUMBERS)).expect("a number"),
        1 => source.one(&[json!(true), json!(false), Value::Null]),
        2..5 => Value::from(source.one(&TEXTS)),
        5 => json!([]),
        6 => (0..source.below(4)).map(|_| json_value(source, depth - 1)).collect(),
        _ => json_object(source, depth - 1),
    }
}

fn lines(source: &mut Source) -> String {
    let mut text = String::new();
    for at in 0..=source.below(6) {
        if source.below(4) == 0 {
            text.push_str("# a comment\n");
        }
        let value = source.one(&["", "text", "a=b", "two\\nlines", " spaces ", "\"quotes\"", "ü", "42"]);
        let suffix = source.one(&["", "_unencrypted", "_secret"]);
        text.push_str(&format!("KEY{at}{suffix}={value}\n"));
    }
    text
}

/// A change of an encrypted YAML file, and what it is. `None` where the file has nothing of the kind.
pub fn changed(source: &mut Source, encrypted: &[u8], honest: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let text = std::str::from_utf8(encrypted).expect("UTF-8");
    let own = text.find("\nsops:\n").expect("SOPS' own data");
    let sealed: Vec<&str> = text[..own]
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.find("ENC[").map(|at| line[at..].split(" #").next().expect("a part")))
        .collect();
    let (what, changed) = match source.below(8) {
        0 => {
            let value = pick(source, &sealed)?;
            ("a byte of a value", text.replacen(value, &flipped(source, value), 1))
        }
        1 => {
            let mac = text[own..].lines().find_map(|line| line.strip_prefix("    mac: "))?;
            ("a byte of the MAC", text.replace(mac, &flipped(source, mac)))
        }
        2 => {
            let (one, other) = (pick(source, &sealed)?, pick(source, &sealed)?);
            ("two values change places", text.replace(one, "@@").replace(other, one).replace("@@", other))
        }
        3 => {
            let start = text[own..].find("-----BEGIN")?;
            let line = text[own + start..].lines().nth(2)?;
            ("the first recipient's part", text.replacen(line, &line.chars().rev().collect::<String>(), 1))
        }
        4 => ("a plain value", text.replacen("first: ", "first: x", 1)),
        5 => {
            let value = pick(source, &sealed)?;
            let plain = std::str::from_utf8(honest).expect("UTF-8").lines().find(|line| line.starts_with("first: "))?;
            ("a value in plain", text.replacen(value, &plain["first: ".len()..], 1))
        }
        6 => ("a new value", text.replacen("first: ", "added: new\nfirst: ", 1)),
        _ => {
            let value = pick(source, &sealed)?;
            let types = ["type:str", "type:int", "type:comment", "type:bool"];
            let old = types.iter().find(|kind| value.contains(**kind))?;
            let new = value.replace(old, source.one(&types));
            ("the type of a value", text.replacen(value, &new, 1))
        }
    };
    (changed != text).then(|| (what, changed.into_bytes()))
}

fn pick<'a>(source: &mut Source, of: &[&'a str]) -> Option<&'a str> {
    (!of.is_empty()).then(|| source.one(of))
}

/// One character of the cipher text is another.
fn flipped(source: &mut Source, value: &str) -> String {
    let data = value.find("data:").expect("cipher text") + 5;
    let length = value[data..].find([',', '=']).expect("an end");
    let at = data + source.below(length.max(1));
    let old = value.as_bytes()[at] as char;
    let new = if old == 'Q' { 'g' } else { 'Q' };
    format!("{}{new}{}", &value[..at], &value[at + 1..])
}
