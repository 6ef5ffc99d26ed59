//! When an object is applied.

use serde::{Deserialize, Serialize};

/// When an object is applied; each phase ends before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Namespaces.
    Namespaces,
    /// Definitions of kinds; the phase ends when they are established.
    Definitions,
    /// StorageClass, IngressClass and the like.
    Classes,
    /// Accounts, rights, quotas, configuration, claims.
    Config,
    /// Jobs that complete before the workloads.
    Before,
    /// Workloads, services, and every built-in kind not named elsewhere.
    Workloads,
    /// Objects of kinds that are not built in.
    CustomResources,
    /// Webhooks and admission policies, which could refuse the rest.
    Webhooks,
    /// Jobs that run once the workloads are healthy.
    After,
}
