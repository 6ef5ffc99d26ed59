//! Standards: whether each has something in force, and that of the newest revision.

use kube::ResourceExt;

use super::check::Check;
use crate::api::{ConditionStatus, ConditionType, Standard};
use crate::cli::words;

/// Looks at every Standard.
pub fn checks(standards: &[Standard]) -> Vec<Check> {
    standards.iter().flat_map(of_standard).collect()
}

fn of_standard(standard: &Standard) -> Vec<Check> {
    let name = format!("Standard {}", standard.name_any());
    let hint = format!("`kubectl describe standard {}` has all of it", standard.name_any());
    let status = standard.status.clone().unwrap_or_default();
    let ready = words::condition(words::of_standard(standard), ConditionType::Ready);
    let said = ready.map_or("no agent has looked at it yet".to_owned(), |ready| ready.message.clone());
    let mut checks = vec![match ready.map(|ready| ready.status) {
        Some(ConditionStatus::True) => Check::ok(&name, said),
        _ if status.counts.is_some() => Check::warn(&name, said, &hint),
        _ => Check::fail(&name, said, &hint),
    }];
    checks.extend(status.warnings.iter().map(|warning| {
        let at = warning.at.as_ref().map_or_else(String::new, |at| format!("{at}: "));
        Check::warn(&name, format!("{at}{}", warning.message), &hint)
    }));
    checks
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::api::{Condition, StandardCounts, StandardSpec, StandardStatus, StatusProblem};
    use crate::cli::doctor::check::text;
    use crate::cli::output::Paint;

    #[test]
    fn what_is_not_in_force_is_wrong_and_what_is_stays_known() {
        let standard = |name: &str, ready: ConditionStatus, counts: Option<StandardCounts>| {
            let condition = Condition {
                type_: ConditionType::Ready,
                status: ready,
                reason: "Some".into(),
                message: format!("says {name}"),
                observed_generation: 1,
                last_transition_time: Timestamp::UNIX_EPOCH,
            };
            let mut standard = Standard::new(name, StandardSpec::default());
            standard.status = Some(StandardStatus { conditions: vec![condition], counts, ..StandardStatus::default() });
            standard
        };
        let counts = Some(StandardCounts { policies: 3, bindings: 3, waivers: 1 });
        let mut fine = standard("fine", ConditionStatus::True, counts.clone());
        let warning = StatusProblem {
            at: Some("policy/waivers.yaml:3".into()),
            message: "the waiver of x expires in 3 days".into(),
            ..StatusProblem::default()
        };
        fine.status.as_mut().expect("a status").warnings = vec![warning];
        let stale = standard("stale", ConditionStatus::False, counts);
        let nothing = standard("nothing", ConditionStatus::False, None);
        insta::assert_snapshot!(text(&checks(&[fine, stale, nothing]), Paint::Plain), @r"
        ok    Standard fine: says fine
        warn  Standard fine: policy/waivers.yaml:3: the waiver of x expires in 3 days
              hint: `kubectl describe standard fine` has all of it
        warn  Standard stale: says stale
              hint: `kubectl describe standard stale` has all of it
        fail  Standard nothing: says nothing
              hint: `kubectl describe standard nothing` has all of it
        1 ok, 2 to know, 1 wrong
        ");
    }
}
