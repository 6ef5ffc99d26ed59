//! Which Sync or Repository a command speaks of: `NAME` or `NAMESPACE/NAME`, with `repository/`
//! or `sync/` before it where both are meant.

use std::str::FromStr;

/// A kind that commands speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A Sync.
    Sync,
    /// A Repository.
    Repository,
}

impl TargetKind {
    /// As in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            TargetKind::Sync => "Sync",
            TargetKind::Repository => "Repository",
        }
    }

    fn read(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "sync" | "syncs" | "tsync" | "syncs.tandemcd.io" => Some(Self::Sync),
            "repository" | "repositories" | "trepo" | "repositories.tandemcd.io" => Some(Self::Repository),
            _ => None,
        }
    }
}

/// One Sync or Repository.
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
            [namespace, name] => (Some((*namespace).to_owned()), *name),
            _ => return Err("write NAME, NAMESPACE/NAME or repository/NAMESPACE/NAME".to_owned()),
        };
        if name.is_empty() || namespace.as_deref() == Some("") {
            return Err("a name is missing".to_owned());
        }
        Ok(Self { kind, namespace, name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        use TargetKind::{Repository, Sync};
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
        ] {
            let read = text.parse::<Target>().ok();
            let read = read.as_ref().map(|t| (t.kind, t.namespace.as_deref(), t.name.as_str()));
            assert_eq!(read, expected, "{text:?}");
        }
    }
}
