//! Why a chart could not be brought.

use crate::failure::{Failure, Fault};

/// Why a chart could not be brought. No message holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    /// The address cannot be used.
    #[error("{0} is no address of a chart repository or registry")]
    Url(String),
    /// Credentials would go over a connection that everybody can read.
    #[error("credentials are not sent to {0}, which is not https")]
    PlainCredentials(String),
    /// The chart would come over a connection that everybody can write to.
    #[error("the index came over https, and names {0}, which is not, with no digest of the chart")]
    PlainChart(String),
    /// The certificate authorities cannot be read.
    #[error("the certificate authorities (ca.crt) hold no PEM certificate")]
    Ca,
    /// There is no such chart.
    #[error("{place} has no {what}")]
    NotFound {
        /// Which repository or registry.
        place: String,
        /// What was looked for.
        what: String,
    },
    /// The server wants other credentials.
    #[error("{0} refused the credentials, or asks for some")]
    Refused(String),
    /// The server could not be reached, or not trusted.
    #[error("{url} cannot be reached: {message}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// Why.
        message: String,
    },
    /// The server answered what makes no sense.
    #[error("{url} answers what is not understood: {message}")]
    Nonsense {
        /// What was asked for.
        url: String,
        /// Why.
        message: String,
    },
    /// The content is not what the digest names.
    #[error("{what} has the digest {found}, and {wanted} is wanted")]
    Digest {
        /// What was brought.
        what: String,
        /// The digest that it has.
        found: String,
        /// The digest that it should have.
        wanted: String,
    },
}

impl Failure for ChartError {
    fn reason(&self) -> &'static str {
        match self {
            ChartError::Url(_) | ChartError::PlainCredentials(_) | ChartError::PlainChart(_) => "InvalidUrl",
            ChartError::Ca => "InvalidSecret",
            ChartError::NotFound { .. } => "ChartNotFound",
            ChartError::Refused(_) => "AuthenticationFailed",
            ChartError::Unreachable { .. } | ChartError::Nonsense { .. } => "ChartFetchFailed",
            ChartError::Digest { .. } => "ChartDigestMismatch",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            ChartError::Unreachable { .. } | ChartError::Nonsense { .. } => Fault::Transient,
            ChartError::Ca | ChartError::Refused(_) => Fault::Cluster,
            _ => Fault::Repository,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            ChartError::Url(_) => "it starts with https:// or oci://",
            ChartError::PlainCredentials(_) => "use https, or take the credentials away",
            ChartError::PlainChart(_) => "name the chart's digest in spec.helm.chart, or have the index say https",
            ChartError::NotFound { .. } => "see spec.helm.chart: repository, name and version",
            ChartError::Refused(_) => "spec.helm.chart.secretRef names a Secret with username and password",
            ChartError::Digest { .. } => {
                "the content was changed under its version: look at it before you take its digest over"
            }
            ChartError::Ca | ChartError::Unreachable { .. } | ChartError::Nonsense { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
