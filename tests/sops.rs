//! What SOPS encrypted is decrypted as the real SOPS decrypts it, and what was changed afterwards is
//! refused where SOPS refuses it.

mod file;
mod pgp;
pub mod program;
mod vault;

use file::{Form, Made, Source};
use program::{Sops, opened};

use crate::kustomize::reference::two_at_a_time;

/// Files of each form.
const FILES: u64 = 48;

/// Ways to change each YAML file.
const CHANGES: u64 = 6;

#[test]
fn files_of_the_real_sops_are_decrypted_as_it_decrypts_them() {
    let sops = Sops::new();
    let numbers: Vec<u64> = (0..FILES).collect();
    let told = two_at_a_time(&numbers, |number| {
        let mut told = Vec::new();
        for form in [Form::Yaml, Form::Json, Form::Dotenv, Form::Binary] {
            let made = Made::random(&mut Source::new(*number), form);
            let encrypted = sops.encrypt(&made);
            let (theirs, ours) = (sops.decrypt(&made, &encrypted), opened(&sops, &made, &encrypted));
            let differ = match (&theirs, &ours) {
                (Ok(theirs), Ok(ours)) if form.same(theirs, ours) => continue,
                (Ok(theirs), Ok(ours)) => format!("SOPS:\n{}\nTandem:\n{}", shown(theirs), shown(ours)),
                (theirs, ours) => format!("SOPS: {:?}\nTandem: {:?}", theirs.as_ref().err(), ours.as_ref().err()),
            };
            told.push(format!("{form:?} {number} with {}\n{}\n{differ}", made.rule, shown(&made.plain)));
        }
        told
    });
    let told: Vec<String> = told.into_iter().flatten().collect();
    assert!(told.is_empty(), "{} differ\n{}", told.len(), told.join("\n\n"));
}

#[test]
fn what_was_changed_after_sops_encrypted_it_is_refused_as_it_is_by_sops() {
    let sops = Sops::new();
    let numbers: Vec<u64> = (0..FILES).collect();
    let told = two_at_a_time(&numbers, |number| {
        let mut source = Source::new(1000 + *number);
        let made = Made::random(&mut source, Form::Yaml);
        let encrypted = sops.encrypt(&made);
        let honest = sops.decrypt(&made, &encrypted).expect("SOPS decrypts what it encrypted");
        let (mut refused, mut wrong) = (0, Vec::new());
        for _ in 0..CHANGES {
            let Some((what, changed)) = file::changed(&mut source, &encrypted, &honest) else { continue };
            let (theirs, ours) = (sops.decrypt(&made, &changed), opened(&sops, &made, &changed));
            let complaint = match (&theirs, &ours) {
                (Err(_), Err(_)) => {
                    refused += 1;
                    continue;
                }
                (Ok(theirs), Ok(ours)) if made.form.same(theirs, ours) => continue,
                // Where comments select, which are in no MAC, the form of a value tells whether it is
                // encrypted: the same text in plain is the same file, and who adds one where it is in no
                // MAC could as well add a comment that says so.
                (Err(_), Ok(ours)) if made.rule.contains("comment") => {
                    let added = what == "a new value" && made.rule.contains("mac_only");
                    if added || made.form.same(&honest, ours) {
                        continue;
                    }
                    "SOPS refuses it".to_owned()
                }
                (Err(theirs), Ok(_)) => format!("SOPS refuses it: {theirs}"),
                (Ok(_), Err(ours)) => format!("Tandem refuses it: {ours}"),
                (Ok(theirs), Ok(ours)) => format!("SOPS:\n{}\nTandem:\n{}", shown(theirs), shown(ours)),
            };
            wrong.push(format!("{number} with {}: {what}\n{}\n{complaint}", made.rule, shown(&changed)));
        }
        (refused, wrong)
    });
    let refused: u64 = told.iter().map(|(refused, _)| refused).sum();
    let wrong: Vec<String> = told.into_iter().flat_map(|(_, wrong)| wrong).collect();
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(refused > FILES * CHANGES / 2, "only {refused} were refused by both");
}

fn shown(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
