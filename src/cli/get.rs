//! `tandem get`.

use clap::ValueEnum;
use jiff::Timestamp;
use kube::ResourceExt;

use super::connection::{self, Scope};
use super::output::{Cell, Paint, Tone, age, table};
use super::{Exit, Output, Stop, args, words};
use crate::api::{Repository, Standard, Sync};

const AFTER: &str = "\
Examples:
  tandem get                        Repositories and Syncs of the namespace, and Standards
  tandem get syncs -A               the Syncs of every namespace
  tandem get repositories -o yaml   as the API server has them

`tandem status SYNC` tells more about one.";

/// List Repositories, Syncs and Standards
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// What to list
    #[arg(value_enum, default_value_t = What::All, hide_default_value = true)]
    what: What,
    #[command(flatten)]
    scope: Scope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    All,
    #[value(alias = "repository", alias = "repos", alias = "repo")]
    Repositories,
    #[value(alias = "sync")]
    Syncs,
    #[value(alias = "standard")]
    Standards,
}

/// Lists them.
pub async fn run(args: &Args, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let cluster = connection::open(global).await?;
    let namespace = args.scope.namespace(global, &cluster);
    let wants = |what: What| args.what == what || args.what == What::All;
    let repositories: Vec<Repository> =
        if wants(What::Repositories) { connection::list(&cluster, &namespace).await? } else { Vec::new() };
    let syncs: Vec<Sync> = if wants(What::Syncs) { connection::list(&cluster, &namespace).await? } else { Vec::new() };
    let standards: Vec<Standard> = match args.what {
        What::Standards => connection::list(&cluster, "").await?,
        // Who may only look into namespaces is not told of what is outside.
        What::All => connection::list(&cluster, "").await.unwrap_or_default(),
        What::Repositories | What::Syncs => Vec::new(),
    };
    let mut items = connection::as_list(&repositories)?;
    items.extend(connection::as_list(&syncs)?);
    items.extend(connection::as_list(&standards)?);
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items});
    let now = Timestamp::now();
    output.result(&list, |_, paint| {
        let parts = [
            repositories_table(&repositories, now, paint),
            syncs_table(&syncs, now, paint),
            standards_table(&standards, now, paint),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
    })?;
    if args.what == What::Standards && standards.is_empty() {
        output.note("the cluster has no Standards");
    } else if repositories.is_empty() && syncs.is_empty() && args.what != What::Standards {
        output.note(&match namespace.as_str() {
            "" => "nothing found in any namespace".to_owned(),
            namespace => format!("nothing found in namespace {namespace}; -A looks in all of them"),
        });
    }
    Ok(Exit::Nothing)
}

fn repositories_table(repositories: &[Repository], now: Timestamp, paint: Paint) -> Option<String> {
    let row = |repository: &Repository| {
        let status = repository.status.as_ref();
        let conditions = words::of_repository(repository);
        let suspended: &[&str] = if repository.spec.suspend { &["suspended"] } else { &[] };
        vec![
            Cell::new(repository.namespace().unwrap_or_default()),
            Cell::new(repository.name_any()),
            words::ready(conditions),
            words::revision(status.and_then(|s| s.revision.as_ref())),
            Cell::new(status.and_then(|s| s.review.clone()).unwrap_or_default()),
            created(repository.creation_timestamp().map(|t| t.0), now),
            words::told(conditions, suspended),
        ]
    };
    let rows: Vec<_> = repositories.iter().map(row).collect();
    let header = ["NAMESPACE", "REPOSITORY", "READY", "REVISION", "REVIEW", "AGE", "STATUS"];
    (!rows.is_empty()).then(|| table(&header, &rows, paint))
}

fn syncs_table(syncs: &[Sync], now: Timestamp, paint: Paint) -> Option<String> {
    let row = |sync: &Sync| {
        let status = sync.status.as_ref();
        let conditions = words::of_sync(sync);
        vec![
            Cell::new(sync.namespace().unwrap_or_default()),
            Cell::new(sync.name_any()),
            words::ready(conditions),
            words::revision(status.and_then(|s| s.applied_revision.as_ref())),
            objects(sync),
            created(sync.creation_timestamp().map(|t| t.0), now),
            words::told(conditions, &words::switches(sync)),
        ]
    };
    let rows: Vec<_> = syncs.iter().map(row).collect();
    let header = ["NAMESPACE", "SYNC", "READY", "REVISION", "OBJECTS", "AGE", "STATUS"];
    (!rows.is_empty()).then(|| table(&header, &rows, paint))
}

fn standards_table(standards: &[Standard], now: Timestamp, paint: Paint) -> Option<String> {
    let row = |standard: &Standard| {
        let status = standard.status.as_ref();
        let conditions = words::of_standard(standard);
        let count = status.and_then(|status| status.counts.as_ref()).map(|counts| counts.policies.to_string());
        vec![
            Cell::new(standard.name_any()),
            words::ready(conditions),
            words::revision(status.and_then(|s| s.accepted_revision.as_ref())),
            Cell::new(count.unwrap_or_default()),
            created(standard.creation_timestamp().map(|t| t.0), now),
            words::told(conditions, &[]),
        ]
    };
    let rows: Vec<_> = standards.iter().map(row).collect();
    let header = ["STANDARD", "READY", "REVISION", "POLICIES", "AGE", "STATUS"];
    (!rows.is_empty()).then(|| table(&header, &rows, paint))
}

/// Objects that are as wanted, of all: `12/14`.
fn objects(sync: &Sync) -> Cell {
    match sync.status.as_ref().and_then(|status| status.objects.as_ref()) {
        None => Cell::new(""),
        Some(counts) => {
            let tone = if counts.failed > 0 {
                Tone::Bad
            } else if counts.current < counts.total {
                Tone::Fair
            } else {
                Tone::Calm
            };
            Cell::toned(tone, format!("{}/{}", counts.current, counts.total))
        }
    }
}

fn created(at: Option<Timestamp>, now: Timestamp) -> Cell {
    Cell::new(at.map(|at| age(at, now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-10T12:00:00Z";

    fn read<T: serde::de::DeserializeOwned>(yaml: &str) -> T {
        serde_yaml::from_str(yaml).expect("a valid fixture")
    }

    #[test]
    fn syncs_tell_their_state_in_one_line() {
        let healthy = read(
            "
apiVersion: tandemcd.io/v1alpha1
kind: Sync
metadata: {name: web, namespace: shop, creationTimestamp: 2026-01-10T11:00:00Z}
spec: {repositoryRef: {name: app}, path: web}
status:
  appliedRevision: main@sha1:0123456789abcdef0123456789abcdef01234567
  objects: {total: 14, current: 14, inProgress: 0, failed: 0}
  conditions:
  - {type: Ready, status: 'True', reason: Applied, message: applied and healthy, observedGeneration: 1, lastTransitionTime: 2026-01-10T11:00:00Z}
",
        );
        let failing = read(
            "
apiVersion: tandemcd.io/v1alpha1
kind: Sync
metadata: {name: warehouse, namespace: shop, creationTimestamp: 2026-01-09T11:00:00Z}
spec: {repositoryRef: {name: app}, path: warehouse, suspend: true, mode: Shadow}
status:
  objects: {total: 14, current: 12, inProgress: 1, failed: 1}
  conditions:
  - {type: Ready, status: 'False', reason: Failed, message: 'Deployment.apps/shop/web: image cannot be pulled', observedGeneration: 1, lastTransitionTime: 2026-01-10T11:00:00Z}
",
        );
        let new = read(
            "{apiVersion: tandemcd.io/v1alpha1, kind: Sync, metadata: {name: new, namespace: shop}, spec: {repositoryRef: {name: app}}}",
        );
        let text = syncs_table(&[healthy, failing, new], NOW.parse().expect("a time"), Paint::Plain).expect("rows");
        insta::assert_snapshot!(text, @r"
        NAMESPACE   SYNC        READY     REVISION        OBJECTS   AGE   STATUS
        shop        web         True      main@01234567   14/14     60m   applied and healthy
        shop        warehouse   False     -               12/14     25h   suspended; shadow; Deployment.apps/shop/web: image cannot be pulled
        shop        new         Unknown   -               -         -     no agent has looked at it yet
        ");
    }

    #[test]
    fn repositories_tell_their_state_in_one_line() {
        let one = read(
            "
apiVersion: tandemcd.io/v1alpha1
kind: Repository
metadata: {name: app, namespace: shop, creationTimestamp: 2026-01-10T11:59:00Z}
spec: {url: 'https://git.example.com/app', ref: {branch: main}}
status:
  revision: main@sha1:0123456789abcdef0123456789abcdef01234567
  review: Unreviewed
  conditions:
  - {type: Ready, status: 'True', reason: Fetched, message: '', observedGeneration: 1, lastTransitionTime: 2026-01-10T11:00:00Z}
",
        );
        let text = repositories_table(&[one], NOW.parse().expect("a time"), Paint::Plain).expect("rows");
        insta::assert_snapshot!(text, @r"
        NAMESPACE   REPOSITORY   READY   REVISION        REVIEW       AGE   STATUS
        shop        app          True    main@01234567   Unreviewed   60s   Fetched
        ");
    }
}
