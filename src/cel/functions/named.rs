//! Named formats: the checks of Kubernetes' names, with its words.

use std::sync::LazyLock;

use regex::Regex;

use super::super::value::Value;
use super::{Function, mistyped, url};

/// A named format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A label of a domain name (RFC 1123).
    Label,
    /// A domain name (RFC 1123).
    Subdomain,
    /// A label that begins with a letter (RFC 1035).
    Label1035,
    /// A name with an optional prefix.
    QualifiedName,
    /// The beginning of a label.
    LabelPrefix,
    /// The beginning of a domain name.
    SubdomainPrefix,
    /// The beginning of a label that begins with a letter.
    Label1035Prefix,
    /// The value of a label of an object.
    LabelValue,
    /// A URI.
    Uri,
    /// A UUID.
    Uuid,
    /// Base64.
    Byte,
    /// A date.
    Date,
    /// A point in time.
    DateTime,
}

pub(super) fn find(name: &str) -> Option<Function> {
    let function: Function = match name {
        "format.named" => |args, _| match args {
            [Value::String(name)] => {
                Ok(named(name).map_or(Value::Optional(None), |format| Value::some(Value::Format(format))))
            }
            _ => Err(mistyped()),
        },
        "validate" => |args, _| match args {
            [Value::Format(format), Value::String(text)] => {
                let wrong = format.problems(text);
                if wrong.is_empty() {
                    return Ok(Value::Optional(None));
                }
                Ok(Value::some(Value::list(wrong.into_iter().map(Value::from).collect())))
            }
            _ => Err(mistyped()),
        },
        "format.dns1123Label" => |_, _| Ok(Value::Format(Format::Label)),
        "format.dns1123Subdomain" => |_, _| Ok(Value::Format(Format::Subdomain)),
        "format.dns1035Label" => |_, _| Ok(Value::Format(Format::Label1035)),
        "format.qualifiedName" => |_, _| Ok(Value::Format(Format::QualifiedName)),
        "format.dns1123LabelPrefix" => |_, _| Ok(Value::Format(Format::LabelPrefix)),
        "format.dns1123SubdomainPrefix" => |_, _| Ok(Value::Format(Format::SubdomainPrefix)),
        "format.dns1035LabelPrefix" => |_, _| Ok(Value::Format(Format::Label1035Prefix)),
        "format.labelValue" => |_, _| Ok(Value::Format(Format::LabelValue)),
        "format.uri" => |_, _| Ok(Value::Format(Format::Uri)),
        "format.uuid" => |_, _| Ok(Value::Format(Format::Uuid)),
        "format.byte" => |_, _| Ok(Value::Format(Format::Byte)),
        "format.date" => |_, _| Ok(Value::Format(Format::Date)),
        "format.datetime" => |_, _| Ok(Value::Format(Format::DateTime)),
        _ => return None,
    };
    Some(function)
}

fn named(name: &str) -> Option<Format> {
    Some(match name {
        "dns1123Label" => Format::Label,
        "dns1123Subdomain" => Format::Subdomain,
        "dns1035Label" => Format::Label1035,
        "qualifiedName" => Format::QualifiedName,
        "dns1123LabelPrefix" => Format::LabelPrefix,
        "dns1123SubdomainPrefix" => Format::SubdomainPrefix,
        "dns1035LabelPrefix" => Format::Label1035Prefix,
        "labelValue" => Format::LabelValue,
        "uri" => Format::Uri,
        "uuid" => Format::Uuid,
        "byte" => Format::Byte,
        "date" => Format::Date,
        "datetime" => Format::DateTime,
        _ => return None,
    })
}

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const NAME: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

impl Format {
    fn problems(self, text: &str) -> Vec<String> {
        let one = |so: bool, message: &str| if so { Vec::new() } else { vec![message.to_owned()] };
        match self {
            Self::Label => label(text),
            Self::LabelPrefix => label(&unfinished(text)),
            Self::Subdomain => subdomain(text),
            Self::SubdomainPrefix => subdomain(&unfinished(text)),
            Self::Label1035 => label_1035(text),
            Self::Label1035Prefix => label_1035(&unfinished(text)),
            Self::LabelValue => {
                let message = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
                let examples = ["MyValue", "my_value", "12345"];
                checked(text, "63 bytes", matches(VALUE, text), message, VALUE, &examples)
            }
            Self::QualifiedName => qualified(text),
            Self::Uri => url::check(text).err().into_iter().collect(),
            Self::Uuid => one(uuid(text), "does not match the UUID format"),
            Self::Byte => one(base64(text), "invalid base64"),
            Self::Date => one(date(text), "invalid date"),
            Self::DateTime => one(datetime(text), "invalid datetime"),
        }
    }
}

/// A name whose end is still to come: a dash at its end is none.
fn unfinished(text: &str) -> String {
    if text.len() > 1 && text.ends_with('-') && text.is_char_boundary(text.len() - 2) {
        return format!("{}a", &text[..text.len() - 2]);
    }
    text.to_owned()
}

fn matches(pattern: &str, text: &str) -> bool {
    // The patterns are constants of this file, and one that did not compile would let nothing pass.
    Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(text))
}

fn told(message: &str, pattern: &str, examples: &[&str]) -> String {
    let examples: Vec<_> = examples.iter().map(|example| format!("'{example}'")).collect();
    let examples = examples.join(",  or ");
    format!("{message} (e.g. {examples}, regex used for validation is '{pattern}')")
}

fn checked(text: &str, longest: &str, so: bool, message: &str, pattern: &str, examples: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    let most = longest.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(usize::MAX);
    if text.len() > most {
        wrong.push(format!("must be no more than {longest}"));
    }
    if !so {
        wrong.push(told(message, pattern, examples));
    }
    wrong
}

fn label(text: &str) -> Vec<String> {
    let message = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
    let so = matches(LABEL, text);
    if !so && matches(&subdomain_pattern(), text) {
        let mut wrong = checked(text, "63 characters", true, message, LABEL, &[]);
        wrong.push("must not contain dots".to_owned());
        return wrong;
    }
    checked(text, "63 characters", so, message, LABEL, &["my-name", "123-abc"])
}

fn subdomain_pattern() -> String {
    format!("{LABEL}(\\.{LABEL})*")
}

fn subdomain(text: &str) -> Vec<String> {
    let message = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
    let pattern = subdomain_pattern();
    checked(text, "253 characters", matches(&pattern, text), message, &pattern, &["example.com"])
}

fn label_1035(text: &str) -> Vec<String> {
    let message = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
    checked(text, "63 characters", matches(LABEL_1035, text), message, LABEL_1035, &["my-name", "abc-123"])
}

fn qualified(text: &str) -> Vec<String> {
    let message = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    let examples = ["MyName", "my.name", "123-abc"];
    let parts: Vec<_> = text.split('/').collect();
    let mut wrong = Vec::new();
    let name = match parts[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(subdomain(prefix).into_iter().map(|problem| format!("prefix part {problem}")));
            }
            name
        }
        _ => {
            let told = told(&format!("a valid label key {message}"), NAME, &examples);
            return vec![format!("{told} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        wrong.push("name part must be no more than 63 bytes".to_owned());
    }
    if !matches(NAME, name) {
        wrong.push(format!("name part {}", told(message, NAME, &examples)));
    }
    wrong
}

fn uuid(text: &str) -> bool {
    static PATTERN: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$").ok());
    PATTERN.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

fn base64(text: &str) -> bool {
    matches("(?:[A-Za-z0-9+\\/]{4})*(?:[A-Za-z0-9+\\/]{2}==|[A-Za-z0-9+\\/]{3}=|[A-Za-z0-9+\\/]{4})", text)
}

fn date(text: &str) -> bool {
    matches("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) && text.parse::<jiff::civil::Date>().is_ok()
}

fn datetime(text: &str) -> bool {
    let shape = "(?i)[0-9]{4}-[0-9]{2}-[0-9]{2}[t ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\\.[0-9]+)?(?:z|[+-][0-9]{2}:[0-9]{2})";
    let written = text.to_uppercase().replace(' ', "T");
    matches(shape, text) && super::super::go::parse_timestamp(&written).is_some()
}
