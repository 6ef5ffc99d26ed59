//! Which Sync, Repository or Standard a command speaks of: `NAME` or `NAMESPACE/NAME`, with `repository/`
//! or `sync/` before it where several kinds are meant, or `standard/NAME`.

use std::str::FromStr;

/// A kind that commands speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A Sync.
    Sync,
    /// A Repository.
    Repository,
    /// A Standard, which is in no namespace.
    Standard,
}

impl TargetKind {
    /// As in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            TargetKind::Sync => "Sync",
            TargetKind::Repository => "Repository",
            TargetKind::Standard => "Standard",
        }
    }

    fn read(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "sync" | "syncs" | "tsync" | "syncs.tandemcd.io" => Some(Self::Sync),
            "repository" | "repositories" | "trepo" | "repositories.tandemcd.io" => Some(Self::Repository),
            "standard" | "standards" | "tstd" | "standards.tandemcd.io" => Some(Self::Standard),
            _ => None,
        }
    }
}

/// One Sync, Repository or Standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is; a Sync unless said.
    pub kind: TargetKind,
    /// Where; `None` is the namespace of the command.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, rest) = match TargetKind::read(parts[0]) {
            Some(kind) if parts.len() > 1 => (kind, &parts[1..]),
            _ => (TargetKind::Sync, &parts[..]),
        };
        let (namespace, name) = match rest {
            [name] => (None, *name),
            [_, _] if kind == TargetKind::Standard => {
                return Err("a Standard is in no namespace: write standard/NAME".to_owned());
            }
            [namespace, name] => (Some((*namespace).to_owned()), *name),
            _ => return Err("write NAME, NAMESPACE/NAME, repository/NAMESPACE/NAME or standard/NAME".to_owned()),
        };
        if name.is_empty() || namespace.as_deref() == Some("") {
            return Err("a name is missing".to_owned());
        }
        Ok(Self { kind, namespace, name: name.to_owned() })
    }
}

impl Target {
    /// The namespace that it is in; that of the command unless said, and none of a Standard.
    pub fn namespace(&self, of_command: &str) -> String {
        match self.kind {
            TargetKind::Standard => String::new(),
            _ => self.namespace.clone().unwrap_or_else(|| of_command.to_owned()),
        }
    }

    /// As people read it: kind, namespace, name.
    pub fn told(&self, of_command: &str) -> String {
        match self.namespace(of_command).as_str() {
            "" => format!("{} {}", self.kind.as_str(), self.name),
            namespace => format!("{} {namespace}/{}", self.kind.as_str(), self.name),
        }
    }
}

/// A Sync, for commands that speak of no other kind.
///
/// # Errors
/// It is of another kind, or cannot be read.
pub fn sync(text: &str) -> Result<Target, String> {
    let target: Target = text.parse()?;
    match target.kind {
        TargetKind::Sync => Ok(target),
        kind => {
            let kind = kind.as_str();
            let meant = format!("a Sync in a namespace of that name is sync/{text}");
            Err(format!("this command is for Syncs, and that is a {kind}; {meant}"))
        }
    }
}

/// A Sync or a Repository, which can be suspended.
///
/// # Errors
/// It is a Standard, or cannot be read.
pub fn suspendable(text: &str) -> Result<Target, String> {
    let target: Target = text.parse()?;
    match target.kind {
        TargetKind::Sync | TargetKind::Repository => Ok(target),
        TargetKind::Standard => {
            Err("a Standard cannot be suspended: what it refuses is changed where its policies are kept, in Git"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        use TargetKind::{Repository, Standard, Sync};
        for (text, expected) in [
            ("web", Some((Sync, None, "web"))),
            ("shop/web", Some((Sync, Some("shop"), "web"))),
            ("sync/web", Some((Sync, None, "web"))),
            ("Repository/app", Some((Repository, None, "app"))),
            ("trepo/shop/app", Some((Repository, Some("shop"), "app"))),
            ("sync", Some((Sync, None, "sync"))),
            ("", None),
            ("/web", None),
            ("sync/", None),
            ("a/b/c", None),
            ("standard/company", Some((Standard, None, "company"))),
            ("standards.tandemcd.io/company", Some((Standard, None, "company"))),
            ("standard", Some((Sync, None, "standard"))),
            ("sync/standard/web", Some((Sync, Some("standard"), "web"))),
            ("standard/ops/company", None),
            ("standard/", None),
        ] {
            let read = text.parse::<Target>().ok();
            let read = read.as_ref().map(|t| (t.kind, t.namespace.as_deref(), t.name.as_str()));
            assert_eq!(read, expected, "{text:?}");
        }
    }

    #[test]
    fn commands_take_the_kinds_that_they_are_for() {
        for (text, of_sync, can_rest) in [
            ("web", true, true),
            ("shop/web", true, true),
            ("sync/repository/web", true, true),
            ("repository/app", false, true),
            ("standard/company", false, false),
        ] {
            assert_eq!((sync(text).is_ok(), suspendable(text).is_ok()), (of_sync, can_rest), "{text}");
        }
    }
}
