//! The standard over what is in a cluster: which objects it would refuse, were they applied again as they are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::finding::{Finding, Level};
use super::judge::{Judge, Setting};
use crate::cli::args::Global;
use crate::cli::output::Progress;
use crate::cli::{Stop, connection};
use crate::cluster::{Cluster, ClusterError, KindInfo, person};
use crate::object::{Manifest, Origin, Problem};
use crate::schema::Resource;
use crate::standard::Operation;

/// What was looked at, and what was found.
pub struct Looked {
    pub findings: Vec<Finding>,
    pub objects: usize,
    /// The cluster, as it is told.
    pub cluster: String,
    pub kubernetes: String,
}

/// Judges all objects of all kinds that the standard speaks of, as a change by the person who asks that changes nothing.
///
/// # Errors
/// The cluster cannot be reached. A kind that may not be listed is a finding.
pub async fn look(judge: &Judge, global: &Global) -> Result<Looked, Stop> {
    let cluster = connection::open(global).await?;
    let session = cluster.own();
    let progress = Progress::start();
    progress.tell("asking which kinds there are");
    let snapshot = cluster.kinds().snapshot(&session).await?;
    let version = person::server_version(&session).await?;
    let kubernetes = version["gitVersion"].as_str().unwrap_or("an unknown version").trim_start_matches('v').to_owned();
    let setting = Setting { user: who(&cluster).await?, operation: Operation::Update, ..Setting::default() };
    let name = global.context.clone().unwrap_or_else(|| "cluster".to_owned());
    let mut looked = Looked { findings: Vec::new(), objects: 0, cluster: name, kubernetes };
    for group in &snapshot.stale {
        looked.not_checked(format!("kinds of {group}"), "their API server does not answer");
    }
    let mut kinds: Vec<(&KindInfo, bool)> = Vec::new();
    for preferred in snapshot.all().filter(|kind| kind.can("list") && !kind.plural.contains('/')) {
        let served = snapshot.versions(&preferred.group, &preferred.kind);
        let names: Vec<&str> = served.iter().map(|kind| kind.version.as_str()).collect();
        let versions = judge.versions(&preferred.group, &preferred.plural, &names);
        let several = versions.len() > 1;
        kinds.extend(served.iter().filter(|kind| versions.contains(kind.version.as_str())).map(|kind| (kind, several)));
    }
    if kinds.is_empty() {
        return Ok(looked);
    }
    let namespaces = namespaces(&cluster, &mut looked).await?;
    for (at, (kind, several)) in kinds.iter().enumerate() {
        progress.count(&format!("{}:", kind.resource()), at + 1, kinds.len());
        let objects = match person::list(&session, kind, "", "").await {
            Ok(objects) => objects,
            Err(ClusterError::Refused(refusal)) => {
                looked.not_checked(kind.resource(), &refusal.to_string());
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        looked.objects += objects.len();
        let resource = Resource { plural: kind.plural.clone(), namespaced: Some(kind.namespaced) };
        for body in objects {
            let manifest = manifest(kind, body);
            for found in judge.look(&manifest, &resource, &setting, &namespaces) {
                // Another version of the same object is judged as well.
                let other = found.problem.message.contains("only an API server converts");
                if !(*several && other) {
                    looked.findings.push(Finding::of_level(found.problem, found.level, &looked.cluster));
                }
            }
        }
    }
    Ok(looked)
}

impl Looked {
    fn not_checked(&mut self, what: String, why: &str) {
        let problem = Problem::new("NotChecked", format!("{what} were not checked: {why}"));
        self.findings.push(Finding::of_level(problem, Level::Warning, &self.cluster));
    }
}

/// The person, as the API server knows them.
async fn who(cluster: &Cluster) -> Result<Value, Stop> {
    let kind = KindInfo::known("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews");
    let question = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let answer = person::review(&cluster.own(), &kind, &question).await?;
    Ok(answer["status"]["userInfo"].clone())
}

/// All Namespaces, or none where they may not be listed, which is told.
async fn namespaces(cluster: &Cluster, looked: &mut Looked) -> Result<BTreeMap<String, Value>, Stop> {
    let kind = KindInfo::known("", "v1", "Namespace", "namespaces");
    match person::list(&cluster.own(), &kind, "", "").await {
        Ok(all) => Ok(all
            .into_iter()
            .filter_map(|one| Some((one.pointer("/metadata/name")?.as_str()?.to_owned(), one)))
            .collect()),
        Err(ClusterError::Refused(refusal)) => {
            looked.not_checked("the labels of namespaces".to_owned(), &refusal.to_string());
            Ok(BTreeMap::new())
        }
        Err(error) => Err(error.into()),
    }
}

fn manifest(kind: &KindInfo, body: Value) -> Manifest {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let id = kind.id(text("/metadata/namespace"), text("/metadata/name"));
    Manifest::new(Origin { file: String::new(), line: 1, document: 1 }, id, kind.api_version(), body)
}
