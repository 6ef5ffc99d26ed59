//! `tandem version`.

use serde::Serialize;
use serde_json::Value;

use super::{Exit, Output, Stop, args, connection};
use crate::cluster::{KindInfo, person};
use crate::failure::chain;

const AFTER: &str = "\
Examples:
  tandem version                    of this program, and of the agent in the cluster
  tandem version --client -o json   of this program alone; asks no cluster";

/// Print the version of this program, and of the agent in the cluster
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// Only of this program; no cluster is asked
    #[arg(long)]
    client: bool,
    /// Namespace of the agent
    #[arg(long, value_name = "NAME", default_value = "tandem-system")]
    agent_namespace: String,
}

#[derive(Serialize)]
struct Versions {
    client: &'static str,
    /// Images of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<Vec<String>>,
    /// Why the agent's is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
}

/// Prints them. An agent that cannot be asked is no failure: this program's version is the answer.
pub async fn run(args: &Args, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let mut versions = Versions { client: env!("CARGO_PKG_VERSION"), agent: None, unknown: None };
    if !args.client {
        match agent(global, &args.agent_namespace).await {
            Ok(images) => versions.agent = Some(images),
            Err(why) => versions.unknown = Some(why),
        }
    }
    output.result(&versions, |versions, _| text(versions))?;
    Ok(Exit::Nothing)
}

fn text(versions: &Versions) -> String {
    let mut text = format!("client: {}\n", versions.client);
    match (&versions.agent, &versions.unknown) {
        (Some(images), _) if images.is_empty() => text.push_str("agent:  none in the cluster\n"),
        (Some(images), _) => images.iter().for_each(|image| text.push_str(&format!("agent:  {image}\n"))),
        (None, Some(why)) => text.push_str(&format!("agent:  unknown: {why}\n")),
        (None, None) => {}
    }
    text
}

async fn agent(global: &args::Global, namespace: &str) -> Result<Vec<String>, String> {
    let cluster = connection::open(global).await.map_err(|stop| stop.to_string())?;
    let kind = KindInfo::known("apps", "v1", "Deployment", "deployments").namespaced();
    let found = person::list(&cluster.own(), &kind, namespace, connection::INSTALLED).await.map_err(|e| chain(&e))?;
    let image = |deployment: &Value| {
        let containers = deployment.pointer("/spec/template/spec/containers")?.as_array()?;
        Some(containers.first()?.get("image")?.as_str()?.to_owned())
    };
    Ok(found.iter().filter_map(image).collect())
}
