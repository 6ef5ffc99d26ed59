//! Patches on objects: two documents, an object and what is laid on it, a mapping by strategic merge and a list as a JSON
//! patch. It ends within what is allowed, makes the same each time, and what it makes can be written and read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tandem::object::yaml::{self, Dialect};
use tandem::render::merge::{Schema, json6902, strategic};
use tandem::render::{Allowance, Limits};

thread_local! {
    static SCHEMA: Schema = Schema::default().and_builtin();
}

fuzz_target!(|bytes: &[u8]| {
    let limits = yaml::Limits { nodes: 5000, documents: 4, ..yaml::Limits::default() };
    let (documents, _) = yaml::read_as(Dialect::Patch, "a.yaml", bytes, &limits);
    let [target, patch, ..] = &documents[..] else { return };
    let allowance = Allowance::new(&Limits { work: 2_000_000, total_memory: 16 << 20, ..Limits::default() });
    let patched = || {
        let mut patched = target.value.clone();
        let done = SCHEMA.with(|schema| match &patch.value {
            Value::Array(_) => json6902(&mut patched, &patch.value, &allowance),
            _ => strategic(&mut patched, &patch.value, schema, &allowance),
        });
        done.map(|()| patched)
    };
    match (patched(), patched()) {
        (Ok(once), Ok(again)) => {
            assert_eq!(once, again);
            let text = yaml::write(&once);
            let (read, problems) = yaml::read_as(Dialect::Patch, "b.yaml", text.as_bytes(), &yaml::Limits::default());
            assert!(problems.is_empty() && read.len() <= 1, "{problems:?} in what was written:\n{text}");
        }
        // The second may meet the end of what is allowed.
        (_, Err(told)) => assert!(!told.is_empty()),
        (Err(told), Ok(_)) => panic!("refused, and then not: {told}"),
    }
});
