//! All kinds at one moment.

use std::collections::BTreeMap;

use super::KindInfo;

/// All kinds at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Served versions by group and kind, preferred version first.
    kinds: BTreeMap<(String, String), Vec<KindInfo>>,
    /// Groups whose server did not answer; their kinds may be old or missing.
    pub stale: Vec<String>,
}

impl Snapshot {
    /// A snapshot of these kinds; the first of several versions is the preferred one.
    pub fn new(kinds: impl IntoIterator<Item = KindInfo>) -> Self {
        let mut snapshot = Self::default();
        for kind in kinds {
            snapshot.kinds.entry((kind.group.clone(), kind.kind.clone())).or_default().push(kind);
        }
        snapshot
    }

    /// This version of a kind.
    pub fn get(&self, group: &str, version: &str, kind: &str) -> Option<&KindInfo> {
        self.versions(group, kind).iter().find(|k| k.version == version)
    }

    /// A kind in the version that the API server prefers.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&KindInfo> {
        self.versions(group, kind).first()
    }

    /// All served versions of a kind, preferred first.
    pub fn versions(&self, group: &str, kind: &str) -> &[KindInfo] {
        self.kinds.get(&(group.to_owned(), kind.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// All kinds, each in its preferred version.
    pub fn all(&self) -> impl Iterator<Item = &KindInfo> {
        self.kinds.values().filter_map(|versions| versions.first())
    }

    /// Up to three kinds that the writer may have meant, as `Kind (apiVersion)`.
    pub fn similar(&self, group: &str, kind: &str) -> Vec<String> {
        let wanted = kind.to_lowercase();
        let mut found: Vec<(usize, String)> = self
            .all()
            .filter_map(|k| {
                let far = distance(&wanted, &k.kind.to_lowercase());
                let same_group = usize::from(k.group != group);
                (far <= 2.min(wanted.len() / 3))
                    .then(|| (far * 2 + same_group, format!("{} ({})", k.kind, k.api_version())))
            })
            .collect();
        found.sort();
        found.into_iter().take(3).map(|(_, text)| text).collect()
    }
}

/// Edits between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_kinds_are_few_and_the_nearest_comes_first() {
        let kind = |group: &str, kind: &str| KindInfo::known(group, "v1", kind, "x");
        let snapshot = Snapshot::new([
            kind("apps", "Deployment"),
            kind("apps", "DaemonSet"),
            kind("example.com", "Deployments"),
            kind("", "Pod"),
            kind("", "Node"),
        ]);
        for (group, wanted, expected) in [
            ("apps", "Deploymnet", vec!["Deployment (apps/v1)"]),
            ("apps", "deployment", vec!["Deployment (apps/v1)", "Deployments (example.com/v1)"]),
            ("example.com", "Deployment", vec!["Deployment (apps/v1)", "Deployments (example.com/v1)"]),
            ("", "Pods", vec!["Pod (v1)"]),
            ("", "Unheard", vec![]),
            ("", "", vec![]),
        ] {
            assert_eq!(snapshot.similar(group, wanted), expected, "{group} {wanted}");
        }
    }
}
