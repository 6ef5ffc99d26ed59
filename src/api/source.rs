//! What a Sync takes from the cluster before it renders: variables, from its spec, from ConfigMaps
//! and from Secrets; and private keys, from a Secret.

use std::collections::BTreeMap;
use std::fmt;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LocalSecretRef;

/// Values of the variables `${NAME}` in what is rendered. An empty one puts defaults in alone.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Substitute {
    /// Values by name. They win over those of `from`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[A-Za-z_][A-Za-z0-9_]*$'))").message("the name of a variable is made of letters, digits and _, and begins with no digit"))]
    #[schemars(extend("maxProperties" = 256))]
    pub vars: BTreeMap<String, String>,
    /// ConfigMaps and Secrets of this namespace, whose keys are names of variables. What a later
    /// one says wins over an earlier one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub from: Vec<SourceRef>,
    /// What becomes of a variable that has neither a value nor a default: `Refuse`, the whole
    /// revision is refused; `Keep`, it stays as it is written.
    #[serde(default, skip_serializing_if = "Unknown::is_refuse")]
    pub unknown: Unknown,
}

/// What becomes of a variable that has neither a value nor a default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Unknown {
    /// The revision is refused, with file and line.
    #[default]
    Refuse,
    /// It stays as it is written.
    Keep,
}

impl Unknown {
    fn is_refuse(&self) -> bool {
        *self == Self::Refuse
    }
}

/// A ConfigMap or Secret in the Sync's namespace, read as its account.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceRef {
    /// `ConfigMap` or `Secret`.
    pub kind: SourceKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Where it is not there, go on without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// Kinds that a render may take values from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum SourceKind {
    /// For everybody to see.
    #[default]
    ConfigMap,
    /// Its values are shown nowhere.
    Secret,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        })
    }
}

/// How files that are encrypted in the repository are decrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decryption {
    /// What encrypted them.
    #[serde(default)]
    pub provider: DecryptionProvider,
    /// Secret of this namespace, read as the account. A key of it that ends in `.agekey` holds private
    /// keys of age, one a line, or one of SSH; with the program sops there, one that ends in `.asc`
    /// private keys of PGP, `sops.vault-token` a token of the Vault at `sops.vault-address`
    /// (`sops.vault-ca` has its certificate authorities), and
    /// `sops.aws-kms`, `sops.gcp-kms` and `sops.azure-kv` credentials of those clouds.
    pub secret_ref: LocalSecretRef,
}

/// What encrypts files of a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DecryptionProvider {
    /// SOPS.
    #[default]
    #[serde(rename = "sops")]
    Sops,
}
