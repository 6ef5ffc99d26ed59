//! `tandem reconcile`.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::output::{Progress, short_revision};
use super::target::Target;
use super::{Exit, Output, Stop, args, connection};
use crate::cluster::{Cluster, KindInfo, apply, person};
use crate::failure::{Failed, Fault};
use crate::object::annotation;

/// Time between two looks; a person watches, and the API server has one more reader.
const LOOK: Duration = Duration::from_millis(300);

const AFTER: &str = "\
Examples:
  tandem reconcile web              and wait until it is handled
  tandem reconcile repository/app   fetch now
  tandem reconcile standard/company look at the newest revision of the standard again
  tandem reconcile web --no-wait

Exit codes: 0 handled and Ready, 1 handled and not Ready, 4 not handled in time.";

/// Reconcile a Sync, fetch a Repository or read a Standard, now
///
/// Sets the annotation tandemcd.io/requestedAt and waits until the agent echoes it in
/// status.lastHandledReconcileAt and is done. Nothing needs this after a push: webhooks and polling
/// do it.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// The Sync, repository/NAME or standard/NAME
    #[arg(value_name = "[repository/][NAMESPACE/]NAME|standard/NAME")]
    target: Target,
    /// Ask, and do not wait
    #[arg(long)]
    no_wait: bool,
    /// How long to wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
}

/// Asks, and waits.
pub async fn run(args: &Args, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let cluster = connection::open(global).await?;
    let namespace = connection::namespace(global, &cluster);
    connection::find_any(&cluster, &namespace, &args.target).await?;
    let named = args.target.told(&namespace);
    let namespace = args.target.namespace(&namespace);
    let kind = connection::kind_of(&args.target);
    let place = (namespace.as_str(), args.target.name.as_str());
    let asked = Timestamp::now().to_string();
    let patch = json!({"metadata": {"annotations": {annotation::REQUESTED_AT: asked}}});
    let object = person::patch(&cluster.own(), &kind, place, &patch).await?;
    if args.no_wait {
        output.result(&connection::for_print(object), |_, _| format!("{named} asked to reconcile\n"))?;
        return Ok(Exit::Nothing);
    }
    let object = wait(&cluster, &kind, (place, &named), &asked, args).await?;
    let exit = if ready(&object) == "True" { Exit::Nothing } else { Exit::Differences };
    output.result(&connection::for_print(object), |object, _| told(&named, object))?;
    Ok(exit)
}

/// Looks until the request is handled and nothing is in hand any more.
async fn wait(
    cluster: &Cluster,
    kind: &KindInfo,
    (place, named): ((&str, &str), &str),
    asked: &str,
    args: &Args,
) -> Result<Value, Stop> {
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let progress = Progress::start();
    loop {
        let found = apply::get(&cluster.own(), kind, place.0, place.1).await?;
        let Some(object) = found else {
            return Err(Stop::from(Failed::new("NotFound", Fault::Cluster, format!("{named} was deleted meanwhile"))));
        };
        let handled = object.pointer("/status/lastHandledReconcileAt").and_then(Value::as_str) == Some(asked);
        if handled && condition(&object, "Reconciling").is_none_or(|(status, _)| status != "True") {
            return Ok(object);
        }
        if Instant::now() >= deadline {
            let message = match condition(&object, "Reconciling") {
                Some((_, why)) if handled => format!("still reconciling after {} s: {why}", args.timeout),
                _ => format!("no agent has handled the request within {} s", args.timeout),
            };
            let failed = Failed::new("ReconcileTimeout", Fault::Transient, message);
            return Err(Stop::from(
                failed.with_hint("`tandem doctor` tells whether an agent runs and holds its lease"),
            ));
        }
        match condition(&object, "Reconciling") {
            Some((_, why)) if handled => progress.tell(why),
            _ => progress.tell("waiting for the agent"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn condition<'a>(object: &'a Value, wanted: &str) -> Option<(&'a str, &'a str)> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|condition| condition["type"] == wanted)?;
    Some((found["status"].as_str()?, found["message"].as_str().unwrap_or_default()))
}

fn ready(object: &Value) -> &str {
    condition(object, "Ready").map_or("Unknown", |(status, _)| status)
}

fn told(named: &str, object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let revision = ["appliedRevision", "acceptedRevision", "revision"];
    let revision = revision.iter().find_map(|field| text(&format!("/status/{field}"))).map(short_revision);
    let revision = revision.map(|revision| format!(" at {revision}")).unwrap_or_default();
    let message = condition(object, "Ready").map(|(_, message)| message).filter(|message| !message.is_empty());
    let message = message.map(|message| format!(": {message}")).unwrap_or_default();
    let state = match ready(object) {
        "True" => "is ready",
        _ => "is not ready",
    };
    format!("{named} {state}{revision}{message}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_told_in_one_line() {
        let object = |status: &str, message: &str| {
            json!({"status": {
                "appliedRevision": "main@sha1:0123456789abcdef0123456789abcdef01234567",
                "conditions": [{"type": "Ready", "status": status, "message": message}],
            }})
        };
        insta::assert_snapshot!(told("Sync shop/web", &object("True", "")), @"Sync shop/web is ready at main@01234567");
        insta::assert_snapshot!(told("Sync shop/web", &object("False", "1 object was refused")), @"Sync shop/web is not ready at main@01234567: 1 object was refused");
        insta::assert_snapshot!(told("Sync shop/web", &json!({})), @"Sync shop/web is not ready");
    }
}
