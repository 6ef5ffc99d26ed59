//! Why a forge could not be asked or told.

use std::time::Duration;

use crate::failure::{Failure, Fault};

/// Why a forge could not be asked or told. No message holds a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// The address of the API cannot be used.
    #[error("{0} is no address of a forge's API")]
    Url(String),
    /// The token would go over a connection that everybody can read.
    #[error("the token is not sent to {0}, which is not https")]
    PlainToken(String),
    /// What the Secret holds cannot be a token.
    #[error("the token of the forge is empty, or holds characters that no token has")]
    Token,
    /// The key of a GitHub App is none.
    #[error("the key of the GitHub App (githubAppPrivateKey) is no RSA key in PEM")]
    AppKey,
    /// The certificate authorities cannot be read.
    #[error("the certificate authorities (ca.crt) hold no PEM certificate")]
    Ca,
    /// It leads elsewhere; the token is not taken along.
    #[error("{0} redirects, and a token is sent to no other address")]
    Redirected(String),
    /// The token is not taken, or may not do this.
    #[error("{0} refused the token: {1}")]
    Refused(String, u16),
    /// It has no such repository or commit, or none that the token may see.
    #[error("{0} is not there, or the token may not see it")]
    NotFound(String),
    /// It has nothing of the kind.
    #[error("Gitea and Forgejo have no deployments")]
    NoDeployments,
    /// It is asked too often.
    #[error("{place} asks to be left alone for {} s", pause.as_secs())]
    Limited {
        /// What was asked.
        place: String,
        /// For how long.
        pause: Duration,
    },
    /// It could not be reached, or not trusted.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// Its answer makes no sense.
    #[error("{0} answers what is not understood: {1}")]
    Nonsense(String, String),
}

impl Failure for ForgeError {
    fn reason(&self) -> &'static str {
        match self {
            ForgeError::Url(_) | ForgeError::PlainToken(_) | ForgeError::Redirected(_) => "InvalidUrl",
            ForgeError::NoDeployments => "InvalidSpec",
            ForgeError::Token | ForgeError::AppKey | ForgeError::Ca => "InvalidSecret",
            ForgeError::Refused(..) | ForgeError::NotFound(_) => "AuthenticationFailed",
            ForgeError::Limited { .. } | ForgeError::Unreachable(..) | ForgeError::Nonsense(..) => "ForgeUnavailable",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            ForgeError::Url(_) | ForgeError::PlainToken(_) | ForgeError::Redirected(_) | ForgeError::NoDeployments => {
                Fault::Repository
            }
            ForgeError::Token
            | ForgeError::AppKey
            | ForgeError::Ca
            | ForgeError::Refused(..)
            | ForgeError::NotFound(_) => Fault::Cluster,
            ForgeError::Limited { .. } | ForgeError::Unreachable(..) | ForgeError::Nonsense(..) => Fault::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            ForgeError::Url(_) | ForgeError::PlainToken(_) => "see spec.forge.apiURL; it starts with https://",
            ForgeError::Redirected(_) => {
                "was the repository renamed, or moved? Write its present address into spec.url"
            }
            ForgeError::NoDeployments => {
                "take spec.publish.deployments away; spec.publish.commitStatus tells the same there"
            }
            ForgeError::Token | ForgeError::AppKey | ForgeError::Ca => "see the Secret that spec.forge.secretRef names",
            ForgeError::Refused(..) | ForgeError::NotFound(_) => {
                "the token, or the GitHub App, must be allowed this there: manifests/docs/forge.md lists what each use needs"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
