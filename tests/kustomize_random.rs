//! Random kustomizations: Tandem and the real kustomize build the same, or both refuse.
//!
//! `TANDEM_KUSTOMIZE_TREES=20000 TANDEM_KUSTOMIZE_SEED=7 cargo test kustomize_random` looks at more
//! of them. What differs is printed as small as it could be made, in the form of a case: keep it as
//! one in `tests/cases/kustomize`.

use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::kustomize::compare::difference;
use crate::kustomize::{case, random, reference};

/// Trees that every run of the tests looks at.
const TREES: u64 = 100;
/// Builds that making one difference smaller may take.
const SMALLER: usize = 1500;
/// Differences that are printed at most.
const PRINTED: usize = 5;
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// Makes what differs smaller while it differs.
fn smallest(tree: &mut impl ValueTree<Value = Vec<u16>>) -> Vec<u16> {
    let mut best = tree.current();
    let mut more = tree.simplify();
    for _ in 0..SMALLER {
        if !more {
            break;
        }
        let current = tree.current();
        more = if difference(&random::tree(&current)).is_some() {
            best = current;
            tree.simplify()
        } else {
            tree.complicate()
        };
    }
    best
}

#[test]
fn random_kustomizations_are_built_as_kustomize_does() {
    let (trees, seed) = (setting("TANDEM_KUSTOMIZE_TREES", TREES), setting("TANDEM_KUSTOMIZE_SEED", 1));
    println!("{trees} trees from TANDEM_KUSTOMIZE_SEED={seed}");
    let mut runner =
        TestRunner::new(Config { rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() });
    let choices = proptest::collection::vec(any::<u16>(), 0..random::CHOICES);
    let mut shown = Vec::new();
    for round in 0..trees.div_ceil(100) {
        let mut some: Vec<_> = (0..trees.min(100)).map(|_| choices.new_tree(&mut runner).expect("a list")).collect();
        let lists: Vec<Vec<u16>> = some.iter().map(ValueTree::current).collect();
        let differ = reference::two_at_a_time(&lists, |list| difference(&random::tree(list)).is_some());
        let count = differ.iter().filter(|differs| **differs).count();
        println!("{count} of {} differ", some.len());
        if let Some(folder) = std::env::var_os("TANDEM_KUSTOMIZE_KEEP") {
            for (at, list) in lists.iter().enumerate().filter(|(at, _)| differ[*at]) {
                let tree = random::tree(list);
                let what = difference(&tree).unwrap_or_default().replace("-- ", "== ").replace("\n", "\n# ");
                let path = std::path::Path::new(&folder).join(format!("{seed}-{round}-{at}.txt"));
                std::fs::write(path, format!("# {what}\n{}", case::to_text(&tree))).unwrap();
            }
            continue;
        }
        for (tree, _) in some.iter_mut().zip(differ).filter(|(_, differs)| *differs).take(PRINTED - shown.len()) {
            let tree = random::tree(&smallest(tree));
            let what = difference(&tree).unwrap_or_default();
            shown.push(format!("{what}\nin this tree:\n\n{}", case::to_text(&tree)));
        }
        if shown.len() == PRINTED {
            break;
        }
    }
    assert!(shown.is_empty(), "seed {seed}\n{}", shown.join("\n==========\n"));
}

#[test]
fn kustomize_builds_most_random_trees() {
    let mut runner =
        TestRunner::new(Config { rng_seed: RngSeed::Fixed(2), failure_persistence: None, ..Config::default() });
    let choices = proptest::collection::vec(any::<u16>(), 0..random::CHOICES);
    let lists: Vec<Vec<u16>> = (0..100).map(|_| choices.new_tree(&mut runner).expect("a list").current()).collect();
    let built = reference::two_at_a_time(&lists, |list| {
        let told = reference::build(&random::tree(list), "app");
        told.map_err(|told| println!("{}", told.lines().last().unwrap_or_default())).is_ok()
    });
    let built = built.into_iter().filter(|built| *built).count();
    println!("{built} of 100 are built");
    assert!(built > 50, "{built} of 100 are built: what both refuse shows little");
}
