//! The objects of the agent itself: manifests/agent.yaml and the definitions of our kinds.

use serde_json::Value;

use crate::api::crds;
use crate::cli::stop::Stop;

/// The agent with its defaults, commented for whoever reads it.
const AGENT: &str = include_str!("../../../manifests/agent.yaml");

/// The image of this version.
pub const IMAGE: &str = concat!("ghcr.io/tandemcd/tandem:", env!("CARGO_PKG_VERSION"));
/// Namespace of the agent unless said.
pub const NAMESPACE: &str = "tandem-system";

/// What of the agent differs between installations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its namespace.
    pub namespace: String,
    /// Its image.
    pub image: String,
    /// How many of it run.
    pub replicas: u32,
    /// Name of the cluster, as audit records and annotations say it.
    pub cluster: String,
}

impl Default for Agent {
    fn default() -> Self {
        Self { namespace: NAMESPACE.to_owned(), image: IMAGE.to_owned(), replicas: 1, cluster: "cluster".to_owned() }
    }
}

impl Agent {
    /// Refuses names that are none, before they stand in a manifest.
    pub fn check(&self) -> Result<(), Stop> {
        if !is_label(&self.namespace) {
            return Err(Stop::usage(
                format!("{:?} is no name of a namespace", self.namespace),
                "lower case letters, digits and `-`, at most 63",
            ));
        }
        let named = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.cluster.is_empty() || self.cluster.len() > 63 || !self.cluster.chars().all(named) {
            return Err(Stop::usage(
                format!("{:?} is no name of a cluster", self.cluster),
                "letters, digits, `.`, `_` and `-`, at most 63",
            ));
        }
        let image = |c: char| c.is_ascii_alphanumeric() || "./:@_-".contains(c);
        if self.image.is_empty() || !self.image.chars().all(image) {
            return Err(Stop::usage(
                format!("{:?} is no reference of an image", self.image),
                "registry/repository:tag, or registry/repository@sha256:digest",
            ));
        }
        Ok(())
    }

    /// The manifests as they are committed, with comments: definitions first.
    pub fn text(&self) -> String {
        let agent = AGENT
            .replace(NAMESPACE, &self.namespace)
            .replace(IMAGE, &self.image)
            .replace("\n  replicas: 1\n", &format!("\n  replicas: {}\n", self.replicas))
            .replace("--cluster=cluster", &format!("--cluster={}", self.cluster));
        format!("{}---\n{agent}", crds::text())
    }

    /// The same, as objects in the order in which they are applied.
    pub fn objects(&self) -> Vec<Value> {
        serde_yaml::from_multiple(&self.text()).expect("a test reads the manifests of this program")
    }
}

/// Whether a text is a DNS label.
pub fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
        objects.iter().find(|o| o["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
    }

    #[test]
    fn every_setting_reaches_its_place_and_no_other() {
        let agent = Agent {
            namespace: "gitops".into(),
            image: "registry.example.com/tandem@sha256:0".into(),
            replicas: 3,
            cluster: "prod".into(),
        };
        agent.check().expect("sound");
        let (objects, defaults) = (agent.objects(), Agent::default().objects());
        assert_eq!(objects.len(), defaults.len());
        let deployment = find(&objects, "Deployment");
        assert_eq!(deployment["spec"]["replicas"], 3);
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], "registry.example.com/tandem@sha256:0");
        assert!(container["args"].as_array().expect("args").contains(&"--cluster=prod".into()));
        assert_eq!(find(&objects, "Namespace")["metadata"]["name"], "gitops");
        for object in &objects {
            let namespace = &object["metadata"]["namespace"];
            assert!(namespace.is_null() || namespace == "gitops", "{object}");
            if object["kind"].as_str().is_some_and(|kind| kind.ends_with("RoleBinding")) {
                assert_eq!(object["subjects"][0]["namespace"], "gitops", "{object}");
            }
        }
        let text = agent.text();
        assert!(!text.contains(NAMESPACE) && !text.contains(IMAGE) && !text.contains("--cluster=cluster"));
    }

    #[test]
    fn the_image_is_that_of_this_version() {
        let objects = Agent::default().objects();
        assert_eq!(find(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"], IMAGE);
    }

    #[test]
    fn names_that_are_none_never_reach_a_manifest() {
        let sound = Agent::default();
        for (agent, refused) in [
            (sound.clone(), false),
            (Agent { namespace: "a\nb".into(), ..sound.clone() }, true),
            (Agent { namespace: "-a".into(), ..sound.clone() }, true),
            (Agent { cluster: "a b".into(), ..sound.clone() }, true),
            (Agent { cluster: "eu-1.prod_a".into(), ..sound.clone() }, false),
            (Agent { image: "x\n  evil: true".into(), ..sound.clone() }, true),
            (Agent { image: String::new(), ..sound }, true),
        ] {
            assert_eq!(agent.check().is_err(), refused, "{agent:?}");
        }
    }

    #[test]
    fn no_secret_can_be_observed_and_nothing_of_a_sync_written() {
        for role in Agent::default().objects().iter().filter(|o| o["kind"] == "ClusterRole") {
            for rule in role["rules"].as_array().into_iter().flatten() {
                let has = |field: &str, value: &str| {
                    rule[field].as_array().is_some_and(|all| all.iter().any(|v| v == value || v == "*"))
                };
                assert!(!(has("apiGroups", "") && has("resources", "secrets")), "{rule}");
                assert!(!has("verbs", "impersonate") && !has("verbs", "escalate") && !has("verbs", "bind"), "{rule}");
                let writes =
                    ["create", "update", "patch", "delete", "deletecollection"].iter().any(|v| has("verbs", v));
                let own = rule["apiGroups"] == serde_json::json!(["tandemcd.io"]) || has("resources", "events");
                assert!(!writes || own, "{rule}");
            }
        }
    }
}
