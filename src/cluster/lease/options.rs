//! Which lease, and what is known of it.

use std::time::Duration;

use super::permit::WritePermit;
use crate::api::Mode;

/// Which lease, for whom, and how fast.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// Namespace of the Lease: the agent's own.
    pub namespace: String,
    /// Its name, such as `tandem-0`.
    pub name: String,
    /// Shard that it stands for.
    pub shard: String,
    /// Who we are; unlike every other process, also a former one of the same Pod.
    pub identity: String,
    /// Identities that begin with this and `_` are our former processes, and surely dead: the uid
    /// of the Pod, whose containers never overlap, or an id in a data folder that we hold locked.
    /// Their lease is taken over at once. Empty where nothing makes sure of that.
    pub lineage: String,
    /// How long others wait after the last sign of life; 15 s.
    pub duration: Duration,
    /// How long we count it as ours after a renewal; 10 s, less than `duration`.
    pub renew_deadline: Duration,
    /// How often it is renewed or looked at; 2 s.
    pub retry_period: Duration,
    /// How long a free lease is left to those who come before us; zero for the preferred replica.
    pub courtesy: Duration,
    /// Whether holding it permits writing: only in Enforce.
    pub mode: Mode,
}

impl LeaseOptions {
    /// client-go's defaults, in Enforce mode.
    pub fn new(namespace: &str, name: &str, shard: &str, identity: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            shard: shard.to_owned(),
            identity: identity.to_owned(),
            lineage: String::new(),
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
            courtesy: Duration::ZERO,
            mode: Mode::Enforce,
        }
    }
}

/// What is known of a lease.
#[derive(Clone, Debug, Default)]
pub struct Election {
    /// Whether we hold it.
    pub leading: bool,
    /// How often it had changed hands when we took it: what tells one time of holding it from the
    /// next. Zero while we do not.
    pub transitions: u64,
    /// Permission to write while we do; never in Shadow.
    pub permit: Option<WritePermit>,
    /// Who holds it, as last read; empty where nobody does.
    pub holder: String,
}

impl Election {
    /// Whether we hold it, and have held it ever since `before`. That we lost it in between and won
    /// it again may fall between two looks.
    pub fn same_term(&self, before: &Self) -> bool {
        self.leading && before.leading && self.transitions == before.transitions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_was_lost_and_won_again_is_another_term() {
        let election = |leading, transitions| Election { leading, transitions, ..Election::default() };
        let began = election(true, 3);
        for (now, same) in [
            (election(true, 3), true),
            (election(false, 0), false),
            (election(false, 3), false),
            (election(true, 4), false),
        ] {
            assert_eq!(now.same_term(&began), same, "{now:?}");
        }
        assert!(!election(false, 0).same_term(&election(false, 0)), "a standby has no term");
    }
}
