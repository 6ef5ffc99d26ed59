//! Who acts, and for what.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::USER_AGENT};
use tokio::time::Instant;

use super::call::check_name;
use super::connect::Cluster;
use super::error::ClusterError;

/// As whom requests are made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Actor {
    /// The agent itself, or the person at the keyboard.
    Own,
    /// An account, by impersonation.
    ServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Actor {
    /// An account.
    pub fn account(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self::ServiceAccount { namespace: namespace.into(), name: name.into() }
    }
}

/// For what requests are made; it stands in their User-Agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purpose {
    /// Namespace and name of the Sync.
    pub sync: Option<(String, String)>,
    /// Commit that is deployed.
    pub commit: Option<String>,
}

/// A cluster, as somebody, for something; cheap to clone.
#[derive(Clone)]
pub struct Session {
    cluster: Cluster,
    actor: Actor,
    headers: Arc<HeaderMap>,
    until: Option<Instant>,
    /// Longest that one call may take with its retries, where that is less than for all calls.
    limit: Option<Duration>,
}

impl Session {
    pub(super) fn new(cluster: Cluster, actor: Actor, purpose: &Purpose) -> Result<Self, ClusterError> {
        let mut headers = identity(&actor)?;
        headers.insert(USER_AGENT, user_agent(&cluster.inner.options.cluster, purpose));
        Ok(Self { cluster, actor, headers: Arc::new(headers), until: None, limit: None })
    }

    pub(super) fn own(cluster: Cluster) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, user_agent(&cluster.inner.options.cluster, &Purpose::default()));
        Self { cluster, actor: Actor::Own, headers: Arc::new(headers), until: None, limit: None }
    }

    /// The same session, each of whose calls takes no longer than this with all its retries.
    #[must_use]
    pub fn limited(&self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self.clone() }
    }

    /// The same session, whose calls end at this time with all their retries.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { until: Some(deadline), ..self.clone() }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// As whom it acts.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// When a call that begins now must have ended.
    pub(super) fn deadline(&self) -> Instant {
        let usual = self.cluster.inner.options.call_timeout;
        let own = Instant::now() + self.limit.map_or(usual, |limit| limit.min(usual));
        self.until.map_or(own, |until| until.min(own))
    }

    /// Time left of a longer wait that may take so long.
    pub(super) fn wait_deadline(&self, timeout: Duration) -> Instant {
        let own = Instant::now() + timeout;
        self.until.map_or(own, |until| until.min(own))
    }
}

/// Impersonation headers. No groups: the API server gives an account those that it has by itself,
/// and to name one would need the right to impersonate groups, which no namespace can limit.
fn identity(actor: &Actor) -> Result<HeaderMap, ClusterError> {
    let mut headers = HeaderMap::new();
    if let Actor::ServiceAccount { namespace, name } = actor {
        let bad = || ClusterError::BadIdentity(format!("{namespace:?}/{name:?}"));
        check_name(namespace).map_err(|_| bad())?;
        check_name(name).map_err(|_| bad())?;
        if namespace.contains(':') || name.contains(':') {
            return Err(bad());
        }
        let user = format!("system:serviceaccount:{namespace}:{name}");
        let user = HeaderValue::from_str(&user).map_err(|_| bad())?;
        headers.insert(HeaderName::from_static("impersonate-user"), user);
    }
    Ok(headers)
}

/// `tandem/<version> (<cluster>/<namespace>/<sync>; <commit>)`; what is not known is left out.
fn user_agent(cluster: &str, purpose: &Purpose) -> HeaderValue {
    let mut text = format!("tandem/{} ({cluster}", env!("CARGO_PKG_VERSION"));
    if let Some((namespace, name)) = &purpose.sync {
        text.push_str(&format!("/{namespace}/{name}"));
    }
    if let Some(commit) = &purpose.commit {
        text.push_str("; ");
        text.push_str(commit);
    }
    text.push(')');
    let visible: String = text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
    HeaderValue::from_str(&visible).unwrap_or(HeaderValue::from_static("tandem"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_impersonated_by_its_name_alone() {
        let actor = Actor::account("shop", "deployer");
        let headers = identity(&actor).expect("an identity");
        assert_eq!(headers["impersonate-user"], "system:serviceaccount:shop:deployer");
        assert_eq!(headers.len(), 1, "groups would need rights of their own");
        assert!(identity(&Actor::Own).expect("ok").is_empty());
    }

    #[test]
    fn an_empty_or_impossible_account_is_refused() {
        for (namespace, name) in
            [("", "x"), ("x", ""), ("", ""), ("a:b", "x"), ("x", "a:b"), ("x", "a\nb"), ("x", "a/b"), ("x", "..")]
        {
            let refused = identity(&Actor::account(namespace, name));
            assert!(matches!(refused, Err(ClusterError::BadIdentity(_))), "{namespace:?}/{name:?} was taken");
        }
    }

    #[test]
    fn the_user_agent_names_sync_and_commit() {
        let purpose = Purpose { sync: Some(("shop".into(), "web".into())), commit: Some("0123abcd".into()) };
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(user_agent("prod", &purpose), format!("tandem/{version} (prod/shop/web; 0123abcd)").as_str());
        assert_eq!(user_agent("prod\n", &Purpose::default()), format!("tandem/{version} (prod?)").as_str());
    }
}
