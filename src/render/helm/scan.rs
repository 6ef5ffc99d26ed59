//! What a chart asks of its surroundings, as far as its text tells: so that what it does not ask for
//! is no reason to render it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use super::archive;
use super::request::{Asked, Repeat};
use crate::render::Blob;

/// Functions that print something else each time.
const RANDOM: &[&str] = &[
    "bcrypt",
    "encryptAES",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htpasswd",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "shuffle",
    "uuidv4",
    // Of a mapping, in no order.
    "keys",
    "values",
];

/// Functions that ask for the time.
const CLOCK: &[&str] = &["ago", "date", "dateInZone", "date_in_zone", "htmlDate", "htmlDateInZone", "now"];

static ACTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?s)\{\{.*?\}\}").expect("a pattern"));
static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[A-Za-z_][A-Za-z0-9_]*").expect("a pattern"));
static HAS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"APIVersions\.Has\s*\(?\s*["`]([^"`]*)["`]"#).expect("a pattern"));

/// What a chart makes use of.
#[derive(Debug)]
pub struct Uses {
    /// Of the cluster.
    pub asked: Asked,
    /// Whether it may print something else each time.
    pub repeat: Repeat,
}

impl Uses {
    /// Looks through a chart, its vendored archives and its values.
    pub fn of(files: &BTreeMap<String, Blob>, values: &[u8]) -> Self {
        let mut uses = Self { asked: Asked::default(), repeat: Repeat::No };
        uses.text(&String::from_utf8_lossy(values));
        for (path, blob) in files {
            if !archive::is_one(path) {
                uses.file(path, blob.bytes());
                continue;
            }
            match archive::unpack(blob.bytes()) {
                Ok(inner) => inner.iter().for_each(|(path, blob)| uses.file(path, blob.bytes())),
                // Helm says what is wrong with it.
                Err(_) => uses.anything(),
            }
        }
        uses
    }

    fn anything(&mut self) {
        (self.asked.kube_version, self.asked.all) = (true, true);
        self.repeat = Repeat::Later;
    }

    fn file(&mut self, path: &str, bytes: &[u8]) {
        let name = path.rsplit('/').next().unwrap_or_default();
        if archive::is_one(path) {
            // An archive in an archive.
            return self.anything();
        }
        let text = String::from_utf8_lossy(bytes);
        if name == "Chart.yaml" && text.contains("kubeVersion") {
            self.asked.kube_version = true;
        }
        self.text(&text);
    }

    fn text(&mut self, text: &str) {
        if !text.contains("{{") {
            return;
        }
        let mut words = BTreeSet::new();
        for action in ACTION.find_iter(text) {
            words.extend(WORD.find_iter(action.as_str()).map(|word| word.as_str()));
        }
        // The whole of what is known of the cluster, or a name put together from parts.
        let whole = words.contains("Capabilities") && text.matches("Capabilities").count() > dotted(text);
        self.asked.kube_version |= whole || words.contains("KubeVersion");
        if whole || text.matches("APIVersions").count() > HAS.find_iter(text).count() {
            self.asked.all = true;
        }
        self.asked.named.extend(HAS.captures_iter(text).map(|found| found[1].to_owned()));
        let any = |functions: &[&str]| functions.iter().any(|function| words.contains(function));
        if any(CLOCK) {
            self.repeat = Repeat::Later;
        } else if any(RANDOM) && self.repeat == Repeat::No {
            self.repeat = Repeat::Again;
        }
    }
}

/// How often a field of the capabilities is named, as against all of them.
fn dotted(text: &str) -> usize {
    ["KubeVersion", "APIVersions", "HelmVersion"]
        .iter()
        .map(|field| text.matches(&format!("Capabilities.{field}")).count())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::helm::Cluster;

    fn uses(template: &str) -> Uses {
        Uses::of(&BTreeMap::from([("templates/x.yaml".to_owned(), Blob::new(template))]), b"{}")
    }

    #[test]
    fn only_what_is_asked_for_counts() {
        let apis = ["example.com/v1", "example.com/v1/Widget", "other.io/v1"].map(str::to_owned);
        let known = Cluster { kube_version: None, api_versions: apis.to_vec() };
        for (template, kube, apis) in [
            ("a: {{ .Values.APIVersion }}", false, &[][..]),
            ("Capabilities and APIVersions in a text", false, &[]),
            ("{{ if .Capabilities.APIVersions.Has \"example.com/v1\" }}a{{ end }}", false, &["example.com/v1"]),
            ("{{ if $.Capabilities.APIVersions.Has `other.io/v1` }}a{{ end }}", false, &["other.io/v1"]),
            (
                "{{ if has \"x\" .Capabilities.APIVersions }}a{{ end }}",
                false,
                &["example.com/v1", "example.com/v1/Widget", "other.io/v1"],
            ),
            (
                "{{ .Capabilities.APIVersions.Has (printf \"%s/v1\" .Values.g) }}",
                false,
                &["example.com/v1", "example.com/v1/Widget", "other.io/v1"],
            ),
            ("{{ semverCompare \">=1.20\" .Capabilities.KubeVersion.Version }}", true, &[]),
            (
                "{{ with .Capabilities }}{{ .KubeVersion }}{{ end }}",
                true,
                &["example.com/v1", "example.com/v1/Widget", "other.io/v1"],
            ),
            ("{{ .Capabilities.HelmVersion.Version }}", false, &[]),
        ] {
            let uses = uses(template);
            assert_eq!(
                (uses.asked.kube_version, uses.asked.of(&known).api_versions),
                (kube, apis.iter().map(|a| (*a).to_owned()).collect()),
                "{template}"
            );
        }
    }

    #[test]
    fn what_may_print_something_else_is_rendered_twice() {
        for (template, repeat) in [
            ("now: randAlphaNum", Repeat::No),
            ("{{ .Values.x | quote }} now", Repeat::No),
            ("{{ randAlphaNum 5 }}", Repeat::Again),
            ("{{ .Values.x | default (uuidv4) }}", Repeat::Again),
            ("{{ now | unixEpoch }} {{ randAlpha 3 }}", Repeat::Later),
            ("{{- /* a */ -}}{{ keys .Values.m | first }}", Repeat::Again),
        ] {
            assert_eq!(uses(template).repeat, repeat, "{template}");
        }
        let values = Uses::of(&BTreeMap::new(), br#"{"password": "{{ randAlphaNum 5 }}"}"#);
        assert_eq!(values.repeat, Repeat::Again, "values may be templates");
    }
}
