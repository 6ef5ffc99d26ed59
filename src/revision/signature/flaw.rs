//! What can be wrong with the signature of a commit or a tag.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! flaws {
    ($($name:ident: $hint:literal, $meaning:literal;)*) => {
        /// What is wrong with a signature, or with the object that it should vouch for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Flaw { $(#[doc = $meaning] $name,)* }

        impl Flaw {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Stable CamelCase reason.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What the committer, or who keeps the keys, can do.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint,)* }
            }
        }
    };
}

flaws! {
    SignatureMissing: "sign it (git commit -S, git tag -s, git rebase --exec 'git commit --amend --no-edit -S'), or set spec.verify.since to a commit up to which history is trusted as it is",
        "It is not signed.";
    SignatureDuplicated: "sign it once, with git itself",
        "It has more than one signature, so two readers may believe two signers.";
    SignatureMalformed: "sign it anew, with git itself",
        "Its signature cannot be read.";
    SignatureUnsupported: "sign with an SSH or an OpenPGP key (git config gpg.format)",
        "Its signature is of a kind that is not supported.";
    SignatureInvalid: "do not trust it: it was changed after it was signed, or the signature was taken from elsewhere",
        "Its signature is not one over these bytes.";
    SignatureExpired: "sign it anew",
        "Its signature says itself until when it holds, and that is over.";
    ObjectForged: "make the commit or tag anew, with git itself",
        "It is not written as git writes commits and tags, so two readers may see two things in it.";
    MergeTag: "merge the commit and not the tag (git merge 'v1^{commit}')",
        "It carries a merged tag with a signature of its own inside.";
    TagMismatch: "make the tag anew under its own name, on the commit itself",
        "The tag object is that of another name, or leads to something else.";
    NamespaceMismatch: "sign with git; a key whose line in allowed_signers has namespaces= needs \"git\" among them",
        "The signature, or its key, is for another purpose than for Git.";
    KeyWeak: "use an ed25519 or ECDSA key, or RSA of at least 2048 bits, with SHA-256 or better",
        "The key or a digest can be broken.";
    SignerUnknown: "add the key to the Secret of spec.verify.secretRef if its owner may sign here",
        "It is signed by a key that is not listed.";
    SignerExpired: "extend the key and put it into the Secret of spec.verify.secretRef anew, or sign with another one",
        "The key is not valid any more.";
    SignerNotYetValid: "sign it anew once the key is valid, or correct valid-after",
        "The key is not valid yet.";
    SignerRevoked: "sign with another key",
        "The key is revoked.";
    SignerNotAllowed: "sign with a key that may sign, by its own flags, certificate and line in allowed_signers",
        "The key is listed, and may not sign this.";
    MergeUnequal: "merge it without changes of your own, or sign it with a key that may sign whatever it holds",
        "The key is listed for merges alone, and this is none, or holds something else than both its sides.";
    ObjectsReplaced: "remove the replacements (git replace -d) and grafts (info/grafts): what is shown there is not what would be deployed",
        "The repository has replace refs or grafts, which show other commits than there are.";
}

/// Why a commit or tag is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What is refused: `commit <id>` or `tag <name> of commit <id>`.
    pub object: String,
    /// What is wrong with it.
    pub flaw: Flaw,
    /// The same in words that follow the object's name; holds nothing that a committer wrote, save names of headers
    /// and keys.
    pub why: String,
}

impl Refusal {
    /// Refuses something.
    pub fn new(object: impl Into<String>, flaw: Flaw, why: impl Into<String>) -> Self {
        Self { object: object.into(), flaw, why: why.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}; hint: {}", self.object, self.why, self.flaw.hint())
    }
}
