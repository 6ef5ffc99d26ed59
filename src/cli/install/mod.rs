//! `tandem install`.

mod access;
mod agent;
mod flow;
mod folder;
mod host;
mod key;
mod rights;
mod source;
mod steps;

use agent::IMAGE;
pub use agent::{Agent, NAMESPACE};
use source::{Access, FirstSync};

use super::{Exit, Output, Stop, args};

const AFTER: &str = "\
Examples:
  tandem install --cluster prod --url ssh://git@github.com/shop/deploy.git --path clusters/prod
  tandem install --cluster dev --url https://git.example.com/shop/deploy --path dev --token-from-env GIT_TOKEN
  tandem install --export > manifests.yaml

It shows what it will create, asks, and waits until the Sync is Ready. Run again it finds nothing
to do, or puts right what differs. What it creates is applied with the field manager of the agent,
so that the output of --export, committed below PATH, lets the agent manage itself from Git.";

/// Put the agent into a cluster and tie it to a repository
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    /// Name of the cluster, as records and annotations will say it
    #[arg(long, value_name = "NAME", required_unless_present = "export", value_parser = super::args::cluster_name)]
    cluster: Option<String>,
    /// The repository: https://host/path or ssh://user@host/path
    #[arg(long, value_name = "URL", required_unless_present = "export")]
    url: Option<String>,
    /// Folder in it that this cluster is kept equal to
    #[arg(long, value_name = "PATH", required_unless_present = "export")]
    path: Option<String>,
    /// Branch
    #[arg(long, value_name = "NAME", default_value = "main")]
    branch: String,
    /// Name of the Repository and the Sync, the repository's own unless said
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Image of the agent
    #[arg(long, value_name = "IMAGE", default_value = IMAGE)]
    image: String,
    /// How many agents run: one works, the others stand by
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=9))]
    replicas: u32,
    /// The repository needs no credentials
    #[arg(long, conflicts_with = "token_from_env")]
    no_key: bool,
    /// Variable of the environment that holds an access token for https://
    #[arg(long, value_name = "VARIABLE")]
    token_from_env: Option<String>,
    /// User name that goes with the token
    #[arg(long, value_name = "NAME", default_value = "git")]
    username: String,
    /// Fingerprint of the SSH host, SHA256:…, where nobody can be asked
    #[arg(long, value_name = "FINGERPRINT")]
    host_key: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Print the manifests, and touch no cluster
    #[arg(long)]
    export: bool,
    /// How long to wait for each step, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    timeout: u64,
}

/// Installs, or prints what would be installed.
pub async fn run(args: &Args, global: &args::Global, output: &Output) -> Result<Exit, Stop> {
    let agent = args.agent(global);
    agent.check()?;
    let first = args.first_sync(&agent.namespace)?;
    if args.export {
        return export(&agent, first.as_ref(), output);
    }
    let Some(first) = first else {
        return Err(Stop::usage("--url and --path are missing", "--export alone needs neither"));
    };
    flow::install(args, &agent, &first, global, output).await
}

fn export(agent: &Agent, first: Option<&FirstSync>, output: &Output) -> Result<Exit, Stop> {
    let mut text = agent.text();
    for object in first.iter().flat_map(|first| first.accounts().into_iter().chain(first.sync())) {
        text.push_str("---\n");
        text.push_str(&serde_yaml::to_string(&object).map_err(std::io::Error::other)?);
    }
    output.bytes(text.as_bytes())?;
    if let Some(first) = first {
        output.note(&format!(
            "not printed: rights of {} over what {} holds; `tandem install` finds and grants them",
            first.deployer(),
            first.path
        ));
    }
    Ok(Exit::Nothing)
}

impl Args {
    fn agent(&self, global: &args::Global) -> Agent {
        Agent {
            namespace: global.namespace.clone().unwrap_or_else(|| NAMESPACE.to_owned()),
            image: self.image.clone(),
            replicas: self.replicas,
            cluster: self.cluster.clone().unwrap_or_else(|| Agent::default().cluster),
        }
    }

    /// The first Sync; `None` where only the agent is exported.
    fn first_sync(&self, namespace: &str) -> Result<Option<FirstSync>, Stop> {
        let (Some(url), Some(path)) = (&self.url, &self.path) else {
            if self.url.is_some() || self.path.is_some() {
                return Err(Stop::usage("--url and --path belong together", "name both, or none with --export"));
            }
            return Ok(None);
        };
        let name = match &self.name {
            Some(name) => name.clone(),
            None => source::name_of(url),
        };
        if !agent::is_label(&name) || name.len() > 40 {
            return Err(Stop::usage(
                format!("{name:?} is no name for a Sync"),
                "--name takes lower case letters, digits and `-`, at most 40",
            ));
        }
        let access = if self.no_key { Access::Public } else { Access::Secret };
        let path = path.trim_matches('/').to_owned();
        Ok(Some(FirstSync {
            namespace: namespace.to_owned(),
            name,
            url: url.clone(),
            branch: self.branch.clone(),
            path,
            access,
        }))
    }
}
