//! The steps of an installation, in order. Each can be repeated: what is done is found done.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::agent::Agent;
use super::source::FirstSync;
use super::{Args, access, folder, steps};
use crate::cli::args::Global;
use crate::cli::ask::{Asking, confirm};
use crate::cli::connection;
use crate::cli::exit::Exit;
use crate::cli::output::{Output, Progress};
use crate::cli::put::{self, Piece, Told};
use crate::cli::stop::Stop;
use crate::cluster::{Cluster, KindInfo, WritePermit, apply};
use crate::plan::Action;

/// The result of an installation.
#[derive(Serialize)]
struct Installed {
    cluster: String,
    sync: String,
    objects: Vec<Told>,
}

/// Installs: the agent and what it needs to read; then, from what the folder holds, rights and
/// the Sync; then waits until it is Ready.
pub async fn install(
    args: &Args,
    agent: &Agent,
    first: &FirstSync,
    global: &Global,
    output: &Output,
) -> Result<Exit, Stop> {
    let cluster = connection::open(global).await?;
    let timeout = Duration::from_secs(args.timeout);
    let place = (first.namespace.as_str(), first.name.as_str());

    let reading = access::find(&cluster.own(), first, args, output).await?;
    let base = agent.objects().into_iter().chain(reading.secret.clone()).chain(first.accounts()).collect();
    let Some(mut done) = put(&cluster, base, &[], args, output).await? else { return Ok(declined(output)) };

    let folder::Read { commit, rendered } = folder::read(first, &reading, timeout, output).await?;
    if rendered.manifests.is_empty() {
        output.note(&format!(
            "{} holds no objects yet, so the account gets no rights; run this again once it does",
            first.path
        ));
    }
    let rights = folder::rights_of(&cluster, first, &rendered).await?;
    if !rights.unknown.is_empty() {
        let unknown: Vec<_> = rights.unknown.iter().map(String::as_str).collect();
        output.note(&format!(
            "no rights for {}: neither the cluster nor the folder defines them; run this again once something does",
            unknown.join(", ")
        ));
    }
    let mut rest = missing_namespaces(&cluster, rights.namespaces.keys()).await?;
    rest.extend(first.rights(&rights));
    rest.extend(first.sync());
    let Some(more) = put(&cluster, rest, &rights.lines(), args, output).await? else { return Ok(declined(output)) };
    done.extend(more);

    steps::agent_runs(&cluster, &first.namespace, timeout, output).await?;
    steps::repository_is_ready(&cluster, place, &commit, timeout, output).await?;
    steps::sync_is_ready(&cluster, place, &commit, timeout, output).await?;
    if folder::holds_the_agent(&rendered, &first.namespace) {
        output.note(&format!("{} holds the agent itself: from now on Git keeps it", first.path));
    }
    let installed = Installed {
        cluster: agent.cluster.clone(),
        sync: format!("{}/{}", first.namespace, first.name),
        objects: done.iter().map(Told::from).collect(),
    };
    output.result(&installed, |installed, _| told(installed))?;
    Ok(Exit::Nothing)
}

/// Compares, shows, asks and applies; `None` where the answer was no.
async fn put(
    cluster: &Cluster,
    objects: Vec<Value>,
    rights: &[String],
    args: &Args,
    output: &Output,
) -> Result<Option<Vec<Piece>>, Stop> {
    let session = cluster.own();
    let pieces = {
        let progress = Progress::start();
        put::compare(&session, objects, &progress).await?
    };
    let differing: Vec<_> = pieces.iter().filter(|piece| piece.differs()).collect();
    if differing.is_empty() {
        return Ok(Some(pieces));
    }
    output.note(&format!("in {}:", cluster.url()));
    for piece in &differing {
        let word = if piece.action == Action::Created { "create" } else { "configure" };
        output.plain(&format!("  {word} {}", piece.id));
    }
    if !rights.is_empty() {
        output.note("the account that deploys may then, and nothing else:");
        rights.iter().for_each(|line| output.plain(&format!("  {line}")));
    }
    let asking = if args.yes { Asking::Answered } else { Asking::Needed };
    let Some(confirmed) = confirm("Go on?", asking)? else { return Ok(None) };
    let progress = Progress::start();
    put::apply_all(&WritePermit::by_hand(&confirmed), &session, &pieces, &progress).await?;
    Ok(Some(pieces))
}

/// Rights in a namespace need the namespace. Where the folder brings it, the Sync takes it over.
async fn missing_namespaces(cluster: &Cluster, names: impl Iterator<Item = &String>) -> Result<Vec<Value>, Stop> {
    let kind = KindInfo::known("", "v1", "Namespace", "namespaces");
    let mut missing = Vec::new();
    for name in names {
        if apply::get(&cluster.own(), &kind, "", name).await?.is_none() {
            missing.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        }
    }
    Ok(missing)
}

fn declined(output: &Output) -> Exit {
    output.note("nothing further was changed; the same command goes on from here");
    Exit::Differences
}

fn told(installed: &Installed) -> String {
    let of = |action: Action| installed.objects.iter().filter(|told| told.action == action).count();
    let (created, configured) = (of(Action::Created), of(Action::Configured));
    let what = match (created, configured) {
        (0, 0) => "nothing to do".to_owned(),
        (created, 0) => format!("{created} created"),
        (created, configured) => format!("{created} created, {configured} configured"),
    };
    format!("Sync {} is ready in cluster {}: {what}\n", installed.sync, installed.cluster)
}
