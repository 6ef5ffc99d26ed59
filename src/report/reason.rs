//! Every reason that conditions and Events of our kinds carry, in one place.
//!
//! Reasons are promised: people write alerts on them. Where Flux has a word for the same thing, it
//! is used. A failure whose own reason is not listed here is told under a general one, with its
//! own reason at the head of the message.

use std::fmt;

use crate::failure::Failed;
use crate::revision::HoldReason;
use crate::revision::signature::Flaw;

macro_rules! reasons {
    ($($name:ident: $meaning:literal,)*) => {
        /// Why a condition is as it is, or what an Event tells.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $(#[doc = $meaning] $name,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The CamelCase word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it means, one or two sentences.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

reasons! {
    // As wanted
    ReconciliationSucceeded: "The newest accepted revision is applied, and what it owns is healthy.",
    Succeeded: "Fetched whole, in force, or healthy.",
    ShadowEqual: "Shadow mode: the cluster equals the revision already.",
    // On its way
    Progressing: "Work is in hand, or objects are on their way.",
    ProgressingWithRetry: "The last attempt failed; the next one follows by itself.",
    DependencyNotReady: "Something in `dependsOn` is not ready at this revision yet.",
    Finalizing: "The Sync is being deleted, and what it owns is pruned or let go.",
    NothingApplied: "Nothing was applied yet, so there is nothing to be healthy.",
    // On purpose
    Suspended: "`spec.suspend` is true.",
    ShadowDiffers: "Shadow mode: the cluster differs from the revision, and nothing is written.",
    // Held back, the accepted revision stays healed
    Rewound: "The branch went back to an older commit.",
    Diverged: "The branch was rewritten: the new commit does not descend from the accepted one.",
    AcceptedRevisionUnavailable: "The accepted commit is gone from the remote and from the cache.",
    AncestryUnknown: "History could not be read deep enough to compare the commits.",
    SignatureMissing: "A commit or tag is not signed.",
    SignatureDuplicated: "A commit or tag has more than one signature.",
    SignatureMalformed: "The signature of a commit or tag cannot be read.",
    SignatureUnsupported: "The signature of a commit or tag is of a kind that is not supported.",
    SignatureInvalid: "The signature of a commit or tag is not one over it.",
    SignatureExpired: "The signature of a commit or tag held for a time that is over.",
    ObjectForged: "A commit or tag is not written as git writes them, so two readers may see two things in it.",
    MergeTag: "A commit carries a merged tag with a signature of its own.",
    TagMismatch: "The tag object was made under another name, or leads to something else.",
    NamespaceMismatch: "The SSH signature of a commit or tag, or its key, is for another purpose than Git.",
    KeyWeak: "A commit or tag is signed by a key, or over a digest, that can be broken.",
    SignerUnknown: "A commit or tag is signed by a key that is not listed.",
    SignerExpired: "A commit or tag is signed by a key that was not valid any more when it was first seen.",
    SignerNotYetValid: "A commit or tag is signed by a key that was not valid yet when it was first seen.",
    SignerRevoked: "A commit or tag is signed by a key that is revoked.",
    SignerNotAllowed: "A commit or tag is signed by a key that is listed and may not sign it.",
    MergeUnequal: "A commit is signed by a key for merges alone, and is none, or holds something else than both its sides.",
    ObjectsReplaced: "The repository has replace refs or grafts, which show other commits than there are.",
    ReviewMissing: "A commit lacks approval by other people than those who made it.",
    PlanMissing: "Nobody has approved yet what the commit does to the cluster.",
    PlanDiffers: "What the commit would do to the cluster is not what was approved.",
    GlassBroken: "A commit went ahead of its review in an emergency, and nobody else has approved it yet.",
    InputsUnreviewed: "The Sync renders with something that stands in no reviewed commit.",
    OwnersInvalid: "The file of owners is missing or wrong, is not the one that review begins with, or would leave nobody who can approve.",
    Frozen: "A freeze lasts: nothing new is deployed until it ends.",
    FreezeInvalid: "A file of freezes is wrong, so that nobody can tell whether one lasts.",
    ChecksPending: "What others must say of the commit on the forge is not said yet.",
    ChecksFailed: "A check of the commit on the forge failed, or covers too little.",
    BelowStandard: "The Repository asks less than a Standard wants of it.",
    StandardViolated: "A policy of a Standard refuses an object of the revision, or cannot be checked.",
    StandardNotReady: "A Standard that speaks of the revision has nothing in force yet.",
    DeletionBudgetExceeded: "More would be deleted than the budget allows without a trailer.",
    // The repository's content or settings
    InvalidSpec: "A field of the spec cannot be meant so.",
    BuildFailed: "The files of the revision do not make objects.",
    ValidationFailed: "An object of the revision was refused.",
    StandardInvalid: "Something in the files of the Standard is wrong: the revision before stays in force.",
    StandardEmpty: "The Standard has no policy that is bound: the revision before stays in force.",
    Quarantined: "The revision killed the worker that reads it, again and again.",
    DependencyCycle: "Syncs wait for one another in a circle.",
    // The source
    RepositoryMissing: "The Repository object that the Sync or Standard names is not there.",
    RepositoryNotReady: "The Repository has not yielded a revision yet.",
    StatusForged: "A status says something of weight that the agent did not write there; it counts for nothing.",
    AccessDenied: "The Repository does not allow Syncs of this namespace.",
    InvalidUrl: "The URL cannot be used.",
    InvalidCredentials: "A Secret does not hold the credentials that the URL needs, or holds them in a form that cannot be read.",
    AuthenticationFailed: "The remote refused the credentials.",
    RepositoryNotFound: "The remote has no such repository, or hides it from these credentials.",
    RefNotFound: "The branch, tag, range or reference is not in the repository.",
    InvalidRange: "`spec.ref.semver` is not a range of versions.",
    EmptyRepository: "The repository has no branches and no tags.",
    CommitUnavailable: "The commit is not in the repository, or cannot be fetched from it.",
    HostKeyUnknown: "`known_hosts` does not name the key of the SSH host.",
    HostKeyChanged: "The SSH host shows another key than `known_hosts` names.",
    HostKeyRevoked: "`known_hosts` revokes the key of the SSH host.",
    HostKeyUnsupported: "The SSH host shows a key of a type that is not supported.",
    TlsFailed: "No trusted TLS connection could be made.",
    ConnectFailed: "The remote could not be reached.",
    ProxyFailed: "The proxy could not be reached, or refused.",
    RedirectRefused: "The remote redirects to another host, which is not followed.",
    Timeout: "The remote did not answer in time.",
    TooLarge: "More was sent than the limits allow.",
    RemoteFailed: "The remote answered with an error.",
    ProtocolFailed: "The remote does not speak Git as it should.",
    CacheCorrupted: "The local copy of the repository was damaged; it is fetched anew.",
    NotFetched: "The commit is not in the cache yet; it is fetched anew.",
    CacheFailed: "The local copy of the repository could not be read or written.",
    GitOperationFailed: "The remote could not be read.",
    // The worker that reads repositories
    WorkerStartFailed: "The worker process could not be started.",
    WorkerTimeout: "The worker process took too long and was replaced.",
    WorkerCrashed: "The worker process ended by itself or by a limit and was replaced.",
    WorkerProtocol: "The worker process answered what is not understood: a defect.",
    // Programs that it runs
    ProgramStartFailed: "A program that a revision needs, such as Helm, could not be started.",
    ProgramTimeout: "A program that a revision needs did not end in time and was killed.",
    ProgramOutput: "A program that a revision needs printed more than it may.",
    ChartNotFound: "The repository or registry has no such chart, or not in that version.",
    ChartFetchFailed: "A chart could not be brought from its repository or registry.",
    ChartDigestMismatch: "What a chart's repository or registry holds is not what its digest names.",
    RenderTimeout: "Rendering took longer than the Sync's `timeout`, and was ended.",
    // Forges
    ForgeUnavailable: "The forge did not answer, or asks to be left alone; it is asked again later.",
    // The agent
    CacheUnavailable: "The folder of the cache cannot be used.",
    KeyServiceUnavailable: "A key service that SOPS asks for a key did not answer.",
    InvalidSecret: "A Secret lacks a key that is needed, or holds what cannot be read.",
    SecretNotFound: "A Secret that the spec names is not there.",
    InvalidConfigMap: "A ConfigMap lacks a key that is needed, or holds what cannot be read.",
    ConfigMapNotFound: "A ConfigMap that the spec names is not there.",
    AcceptanceForged: "The record of what was accepted is not what the agent signed: nothing newer is applied.",
    InventoryFormat: "A newer version of the agent wrote the inventory: nothing is applied or pruned.",
    InventoryUnreadable: "The inventory cannot be read: nothing is applied or pruned.",
    WatchTimeout: "The watches of owned objects did not open in time.",
    Undecided: "Live objects must be read before the plan is whole: a defect.",
    Internal: "A defect of Tandem.",
    // Trailers that say nothing
    TrailerForm: "A `Tandem-Delete` line has not the form `[<cluster>/]<namespace>/<sync> <at most N>`.",
    TrailerNumber: "The number of a `Tandem-Delete` line is none.",
    TrailerSpelling: "A line of a commit message looks like `Tandem-Delete`, and is spelled otherwise.",
    TrailerSync: "The Sync of a `Tandem-Delete` line is not named as `<namespace>/<sync>`.",
    TrailerTwice: "A commit names the same Sync in two `Tandem-Delete` lines.",
    // The cluster
    ServiceAccountMissing: "The Sync names no ServiceAccount: nothing is applied without.",
    NoServiceAccount: "The name of the ServiceAccount cannot be used: nothing is applied without.",
    Forbidden: "The ServiceAccount of the Sync may not do what the revision needs.",
    Unauthorized: "The API server does not know who asks.",
    Invalid: "The object breaks the rules of its kind.",
    BadRequest: "The object has fields that its kind does not know, or cannot be read.",
    FieldNotDeclared: "A field of the object, or of its stored form, is not in the schema of its kind.",
    FieldConflict: "Another manager owns fields that are set to other values.",
    ObjectChanged: "The object changed between reading and writing; the next attempt reads it again.",
    AlreadyExists: "An object of that name is there already.",
    NotFound: "An object that is needed is not there.",
    NamespaceNotFound: "The namespace is not there.",
    NamespaceTerminating: "The namespace is being deleted.",
    NoSuchKind: "The cluster does not serve the kind.",
    ApiGroupUnavailable: "The server behind an API group does not answer.",
    AdmissionDenied: "A webhook or a policy of the cluster refused the object.",
    WebhookUnreachable: "A webhook of the cluster could not be asked.",
    DryRunUnsupported: "A webhook has side effects, so the object cannot be checked before it is applied.",
    QuotaExceeded: "A quota of the namespace is used up.",
    ObjectTooLarge: "The object is larger than the API server takes.",
    TooManyRequests: "The API server asks for fewer requests.",
    Expired: "The API server no longer has the version that was asked for; it is read anew.",
    ApiUnavailable: "The API server is overloaded, starting, or without its store.",
    ApiRefused: "The API server refused for a reason that is not known here.",
    ApiTimeout: "The API server did not answer in time.",
    ApiUnreachable: "The API server could not be reached.",
    UnexpectedAnswer: "The API server answered what is not understood.",
    ClusterNotConfigured: "There is no way to reach a cluster.",
    InvalidName: "A name cannot be used in a request.",
    LeaseLost: "Another replica may hold the lease, so nothing more is written.",
    WaitTimedOut: "What is waited for did not come within the timeout.",
    Superseded: "A newer revision took over.",
    ReconciliationFailed: "A step failed; the message says which and why.",
    PruneFailed: "What left Git could not be deleted.",
    HealthCheckFailed: "An object failed, or was not healthy within the timeout.",
    JobFailed: "A Job that runs before or after the workloads failed.",
    DriftFight: "Another controller sets a field back whenever it is put right.",
    // Told by Events alone
    Applied: "Objects were created, configured or deleted.",
    ClaimedByAnother: "Another Sync names an object that this one owns, and is refused.",
    DriftRepaired: "A change made by hand was put right.",
    AppliedDiffers: "What was applied is not what the API server said in its dry-run, and that was approved.",
    FieldsTakenOver: "Fields that another manager owned are ours now.",
    Held: "A newer revision is held back.",
    StandardWarning: "A policy of a Standard warns of an object.",
    Resumed: "`spec.suspend` is no longer true.",
    Healthy: "Everything that the Sync owns is healthy.",
    Unhealthy: "Something that the Sync owns is not healthy.",
}

impl Reason {
    /// The reason of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == name)
    }

    /// The reason of a failure, or `otherwise` where the failure's own is not listed; with the
    /// message as it is told. The message begins with what the reason does not say.
    pub fn of_failure(failed: &Failed, otherwise: Self) -> (Self, String) {
        let hint = failed.hint.as_ref().map_or_else(String::new, |hint| format!("; hint: {hint}"));
        match Self::parse(&failed.reason) {
            Some(reason) => (reason, format!("{}{hint}", failed.message)),
            None => (otherwise, format!("{}: {}{hint}", failed.reason, failed.message)),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<HoldReason> for Reason {
    fn from(reason: HoldReason) -> Self {
        match reason {
            HoldReason::Rewound => Self::Rewound,
            HoldReason::Diverged => Self::Diverged,
            HoldReason::AcceptedRevisionUnavailable => Self::AcceptedRevisionUnavailable,
            HoldReason::AncestryUnknown => Self::AncestryUnknown,
        }
    }
}

impl From<Flaw> for Reason {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::SignatureMissing => Self::SignatureMissing,
            Flaw::SignatureDuplicated => Self::SignatureDuplicated,
            Flaw::SignatureMalformed => Self::SignatureMalformed,
            Flaw::SignatureUnsupported => Self::SignatureUnsupported,
            Flaw::SignatureInvalid => Self::SignatureInvalid,
            Flaw::SignatureExpired => Self::SignatureExpired,
            Flaw::ObjectForged => Self::ObjectForged,
            Flaw::MergeTag => Self::MergeTag,
            Flaw::TagMismatch => Self::TagMismatch,
            Flaw::NamespaceMismatch => Self::NamespaceMismatch,
            Flaw::KeyWeak => Self::KeyWeak,
            Flaw::SignerUnknown => Self::SignerUnknown,
            Flaw::SignerExpired => Self::SignerExpired,
            Flaw::SignerNotYetValid => Self::SignerNotYetValid,
            Flaw::SignerRevoked => Self::SignerRevoked,
            Flaw::SignerNotAllowed => Self::SignerNotAllowed,
            Flaw::MergeUnequal => Self::MergeUnequal,
            Flaw::ObjectsReplaced => Self::ObjectsReplaced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Fault;

    #[test]
    fn every_reason_is_camel_case_and_comes_back_from_its_name() {
        for reason in Reason::ALL {
            let name = reason.as_str();
            assert!(
                name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
            );
            assert_eq!(Reason::parse(name), Some(*reason));
            assert!(reason.meaning().ends_with('.'), "{name}");
        }
    }

    #[test]
    fn reasons_of_holds_keep_their_names() {
        for hold in [
            HoldReason::Rewound,
            HoldReason::Diverged,
            HoldReason::AcceptedRevisionUnavailable,
            HoldReason::AncestryUnknown,
        ] {
            assert_eq!(Reason::from(hold).as_str(), hold.as_str());
        }
    }

    #[test]
    fn reasons_of_flaws_keep_their_names() {
        for flaw in Flaw::ALL {
            assert_eq!(Reason::from(*flaw).as_str(), flaw.as_str());
        }
    }

    #[test]
    fn a_failure_keeps_its_reason_or_puts_it_at_the_head_of_its_message() {
        let known = Failed::new("Forbidden", Fault::Cluster, "may not create").with_hint("grant it");
        assert_eq!(
            Reason::of_failure(&known, Reason::ReconciliationFailed),
            (Reason::Forbidden, "may not create; hint: grant it".to_owned())
        );
        let unknown = Failed::new("PackTooLarge", Fault::Repository, "3 GiB");
        assert_eq!(
            Reason::of_failure(&unknown, Reason::GitOperationFailed),
            (Reason::GitOperationFailed, "PackTooLarge: 3 GiB".to_owned())
        );
    }
}
