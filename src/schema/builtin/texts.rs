//! What the newest minor of Kubernetes says in words of its kinds and their fields, as `hack/schema` writes
//! it to `texts.txt.gz`. Only who shows it to a person asks, and nothing is unpacked before.
//!
//! | line | means |
//! |---|---|
//! | `:NAME⇥TEXT` | a definition and what it is; its fields follow |
//! | `FIELD⇥TEXT` | a field and what it is for; `\n` stands for the end of a line |

use std::collections::HashMap;
use std::io::Read;
use std::sync::OnceLock;

use flate2::read::GzDecoder;

/// Text of a definition, and texts of its fields.
type Texts = HashMap<&'static str, (&'static str, HashMap<&'static str, &'static str>)>;

fn all() -> &'static Texts {
    static TEXT: OnceLock<String> = OnceLock::new();
    static ALL: OnceLock<Texts> = OnceLock::new();
    ALL.get_or_init(|| {
        let text = TEXT.get_or_init(|| {
            let mut text = String::new();
            GzDecoder::new(&include_bytes!("texts.txt.gz")[..]).read_to_string(&mut text).expect("a test unpacks it");
            text
        });
        let mut all = Texts::new();
        let mut current = "";
        for line in text.lines() {
            let Some((name, text)) = line.split_once('\t') else { continue };
            match name.strip_prefix(':') {
                Some(definition) => {
                    current = definition;
                    all.insert(definition, (text, HashMap::new()));
                }
                None => {
                    if let Some((_, fields)) = all.get_mut(current) {
                        fields.insert(name, text);
                    }
                }
            }
        }
        all
    })
}

/// What a definition is. Empty where nothing is said.
pub fn definition(name: &str) -> String {
    lines(all().get(name).map_or("", |(text, _)| text))
}

/// What a field of a definition is for. Empty where nothing is said.
pub fn field(definition: &str, name: &str) -> String {
    let text = all().get(definition).and_then(|(_, fields)| fields.get(name)).copied().unwrap_or_default();
    lines(text)
}

fn lines(text: &str) -> String {
    text.replace("\\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::builtin::{Data, Minor, Type};

    /// What is told of a definition is told of fields that it has.
    #[test]
    fn the_texts_are_of_fields_that_there_are() {
        let newest = Minor::default();
        let mut told = 0;
        for (definition, (_, fields)) in all() {
            let kind = Data::get().definition(definition, newest).unwrap_or_else(|| panic!("{definition}"));
            let names: Vec<&str> = Type::fields(kind).iter().map(|field| field.name).collect();
            for name in fields.keys() {
                assert!(names.contains(name), "{definition}: {name}");
                told += 1;
            }
        }
        assert!(told > 2_500, "{told}");
        let replicas = field("io.k8s.api.apps.v1.DeploymentSpec", "replicas");
        assert!(replicas.starts_with("Number of desired pods."), "{replicas}");
    }
}
