//! All metrics are there, named as Prometheus' users expect, and bounded.

use super::*;
use crate::report::facts::{HealthWait, Source, Verdict};
use crate::report::outcome::OutcomeId;
use crate::revision::Revision;

fn metrics() -> Metrics {
    let build = Build { version: "1.2.3".into(), commit: "abc".into() };
    Metrics::new(&build, Vec::new()).expect("metrics")
}

fn facts(digit: char) -> SyncFacts {
    let mut facts = SyncFacts {
        source: Source::Ready,
        applied: Some(Revision { name: "main".into(), commit: digit.to_string().repeat(4) }),
        verdict: Verdict::Applied,
        health_wait: HealthWait::Settled,
        ..SyncFacts::default()
    };
    facts.health.counts.current = 3;
    facts
}

/// Uses every metric once.
fn used() -> Metrics {
    let metrics = metrics();
    let id = OutcomeId { sync_uid: "u1".into(), revision: "main@sha1:abc".into(), attempt: 1 };
    let mut outcome = Outcome::new(id, jiff::Timestamp::UNIX_EPOCH);
    outcome.time(Stage::Apply, 250);
    metrics.outcome(&outcome);
    drop((metrics.waiting(), metrics.running()));
    metrics.commit_applied(0.3);
    metrics.commit_healthy(2.0);
    metrics.sync("shop", "web", "shop/git", &facts('a'));
    metrics.repository("shop", "git", &RepositoryFacts::default());
    metrics.drift("shop", "web");
    metrics.verdict("ops", "owned", "Deny");
    metrics.request("apply", 200);
    metrics.panicked(Task::Sync);
    metrics.fetch(FetchResult::Fetched, 4096);
    metrics.refs(0.01);
    metrics
}

#[test]
fn every_row_of_the_table_is_told_with_its_help_and_type() {
    let text = used().encode();
    for row in TABLE {
        let kind = format!("{:?}", row.kind).to_lowercase();
        assert!(text.contains(&format!("# HELP {} {}\n", row.name, row.help)), "{}:\n{text}", row.name);
        assert!(text.contains(&format!("# TYPE {} {kind}\n", row.name)), "{}", row.name);
    }
    let told = text.lines().filter(|l| l.starts_with("# TYPE")).count();
    assert_eq!(told, TABLE.len(), "something is told that the table does not know");
}

/// What `promtool check metrics` asks for.
#[test]
fn names_keep_the_conventions() {
    for row in TABLE {
        let Described { name, kind, labels, help } = *row;
        assert!(name.starts_with("tandem_") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}: only counters end with _total");
        assert_eq!(name.ends_with("_seconds"), kind == Kind::Histogram, "{name}: histograms here count seconds");
        for suffix in ["_count", "_sum", "_bucket", "_milliseconds", "_ms", "_kilobytes"] {
            assert!(!name.ends_with(suffix), "{name}");
        }
        assert!(help.ends_with('.') && help.len() > 10, "{name} needs a help text");
        for label in labels {
            assert!(!["le", "quantile", "job", "instance"].contains(label), "{name}: {label} is taken");
            assert!(!name.contains(&format!("_by_{label}")), "{name}");
        }
    }
    assert!(SECONDS.windows(2).all(|pair| pair[0] < pair[1]), "buckets ascend");
}

#[test]
fn a_sync_has_one_info_and_leaves_nothing_behind() {
    let metrics = used();
    metrics.sync("shop", "web", "shop/git", &facts('b'));
    metrics.sync("shop", "other", "shop/git", &facts('b'));
    let text = metrics.encode();
    let infos: Vec<_> =
        text.lines().filter(|l| l.starts_with("tandem_sync_info{") && l.contains("sync=\"web\"")).collect();
    assert_eq!(infos.len(), 1, "{infos:?}");
    assert!(infos[0].contains("revision=\"main@sha1:bbbb\"") && infos[0].contains("state=\"Ready\""), "{}", infos[0]);
    assert!(text.contains("tandem_sync_ready{namespace=\"shop\",sync=\"web\"} 1"), "{text}");
    assert!(text.contains("tandem_objects{namespace=\"shop\",status=\"Current\",sync=\"web\"} 3"), "{text}");

    metrics.forget_sync("shop", "web");
    metrics.forget_sync("shop", "web");
    metrics.forget_repository("shop", "git");
    let text = metrics.encode();
    assert!(!text.contains("sync=\"web\"") && !text.contains("tandem_repository_ready{"), "{text}");
    assert!(text.contains("sync=\"other\""));
}

#[test]
fn what_lasts_is_counted_while_it_does() {
    let metrics = metrics();
    let (one, two) = (metrics.waiting(), metrics.waiting());
    assert!(metrics.encode().contains("tandem_queue_depth 2\n"));
    drop(one);
    assert!(metrics.encode().contains("tandem_queue_depth 1\n"));
    let running = metrics.running();
    drop((two, running));
    let text = metrics.encode();
    assert!(text.contains("tandem_queue_depth 0\n") && text.contains("tandem_runs_in_flight 0\n"));
}

#[test]
fn unknown_verbs_and_missing_answers_do_not_grow_the_labels() {
    let metrics = metrics();
    for verb in ["get", "made-up", "another"] {
        metrics.request(verb, 0);
    }
    let text = metrics.encode();
    let lines: Vec<_> = text.lines().filter(|l| l.starts_with("tandem_api_requests_total{")).collect();
    assert_eq!(
        lines,
        [
            "tandem_api_requests_total{code=\"error\",verb=\"get\"} 1",
            "tandem_api_requests_total{code=\"error\",verb=\"other\"} 2",
        ]
    );
}

#[test]
fn what_a_caller_brings_is_told_too() {
    let other = IntGauge::new("other_things", "Things.").expect("a gauge");
    let metrics = Metrics::new(&Build::default(), vec![Box::new(other)]).expect("metrics");
    assert!(metrics.encode().contains("other_things 0"));
}
