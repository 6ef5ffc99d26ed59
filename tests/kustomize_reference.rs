//! What the cases of `tests/cases/kustomize` want is what the real kustomize gives.
//!
//! `TANDEM_BLESS=1 cargo test kustomize_reference` writes into each case what kustomize says; a
//! case that is refused gets Tandem's problems from `TANDEM_BLESS=1 cargo test every_kustomize_case`.

use crate::kustomize::case::{self, Expected};
use crate::kustomize::reference;

#[test]
fn the_real_kustomize_gives_what_every_case_wants() {
    let bless = std::env::var_os("TANDEM_BLESS").is_some();
    let cases = case::all();
    let builds = reference::two_at_a_time(&cases, |case| reference::build(&case.tree, &case.build));
    let mut wrong = Vec::new();
    for (case, build) in cases.iter().zip(&builds) {
        let expected = match build {
            Ok(printed) if case.tandem_only.is_none() => Expected::Want(printed.clone()),
            _ => match &case.expected {
                Some(refused @ Expected::Refused(_)) => refused.clone(),
                _ => Expected::Refused(String::new()),
            },
        };
        if bless && case.expected.as_ref() != Some(&expected) {
            case.bless(&expected);
            continue;
        }
        let complaint = match (&case.expected, build) {
            (None, _) => Some("nothing is expected yet: run this with TANDEM_BLESS=1".to_owned()),
            (Some(Expected::Want(want)), Ok(printed)) => {
                let (want, printed) = (case::documents(want), case::documents(printed));
                case::differ(&want.expect("YAML"), &printed.expect("YAML"))
            }
            (Some(Expected::Want(_)), Err(told)) => Some(format!("kustomize refuses it: {told}")),
            (Some(Expected::Refused(_)), Ok(_)) if case.tandem_only.is_some() => None,
            (Some(Expected::Refused(_)), Ok(printed)) => Some(format!("kustomize builds it:\n{printed}")),
            (Some(Expected::Refused(_)), Err(told)) => {
                case.tandem_only.as_ref().map(|_| format!("kustomize refuses it too: {told}"))
            }
        };
        wrong.extend(complaint.map(|complaint| format!("{}: {complaint}", case.name)));
    }
    assert!(wrong.is_empty(), "{} of {} cases\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
