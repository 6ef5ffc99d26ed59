//! A waiver of a policy for one object, as it is begun for who has to answer for it.

use jiff::civil::Date;
use serde_json::{Value, json};

use crate::object::yaml;

/// What is to be waived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Name of the policy.
    pub policy: String,
    /// `apiVersion` of the object.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty where it has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Days that a new waiver lasts.
const LASTS: i64 = 30;

/// The name of a waiver's file and its text. Owner and reason are left empty, so that it counts only when
/// somebody answers for it; `today` is the first of its days.
pub fn waiver(wanted: &Wanted, today: Date) -> (String, String) {
    let plain = |text: &str| -> String {
        let fits = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '-' };
        text.chars().map(fits).collect::<String>().trim_matches('-').to_owned()
    };
    let parts = [plain(&wanted.policy), plain(&wanted.kind), plain(&wanted.namespace), plain(&wanted.name)];
    let name = parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("-");
    // As long as the name of an object may be, with room for the end of the file's.
    let name = name.chars().take(200).collect::<String>().trim_end_matches('-').to_owned();
    let expires = today.checked_add(jiff::Span::new().days(LASTS)).unwrap_or(today);
    let mut object = json!({"apiVersion": wanted.api_version, "kind": wanted.kind, "name": wanted.name});
    if !wanted.namespace.is_empty() {
        object["namespace"] = Value::from(wanted.namespace.as_str());
    }
    let body = json!({
        "apiVersion": "tandemcd.io/v1alpha1",
        "kind": "Waiver",
        "metadata": {"name": name},
        "spec": {"policy": wanted.policy, "object": object, "owner": "", "reason": "", "expires": expires.to_string()},
    });
    let head = "# Who answers for it, and why. Until both are said it waives nothing; it ends after 90 days at most.\n";
    (format!("{name}.yaml"), format!("{head}{}", yaml::write(&body)))
}
