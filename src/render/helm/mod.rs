//! Charts: what Helm is asked for, and what becomes of its answer.
//!
//! Nothing is run here. A chart's files are read from the tree, its values merged, and Helm is asked
//! for in a [`Need`](super::Need); its answer is read with the same limits and rules as any other
//! YAML. What Helm's annotations say becomes what ours say:
//!
//! | Helm | here |
//! |---|---|
//! | hook `pre-install`, `pre-upgrade` | a Job: `tandemcd.io/phase: before`; anything else an ordinary object |
//! | hook `post-install`, `post-upgrade` | a Job: `tandemcd.io/phase: after`; anything else an ordinary object |
//! | `helm.sh/hook-weight` | of a Job with a phase: `tandemcd.io/order` |
//! | hooks of deletions, rollbacks and tests alone | left out |
//! | `helm.sh/resource-policy: keep` | `tandemcd.io/prune: disabled` |

mod archive;
mod chart;
mod difference;
mod output;
mod place;
mod refusal;
mod request;
mod scan;
mod values;

pub use chart::FILE;
pub use difference::difference;
pub use request::{Asked, Cluster, Layer, Part, Remote, Repeat, Request, Settings};
pub use values::secret_values;

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use place::Places;

use super::need::{Answer, Ask, Needs};
use super::path::join;
use super::{Blob, Options, Recorder, Tree};
use crate::object::{Manifest, Problem};

/// What a chart is rendered with.
pub struct With<'a> {
    /// What is known of its release.
    pub settings: &'a Settings,
    /// What the render is asked for.
    pub options: &'a Options,
}

/// Renders the chart in a folder, as far as answers are known.
pub fn render(
    (tree, record): (&dyn Tree, &Recorder<'_>),
    folder: &str,
    needs: &mut Needs,
    with: &With<'_>,
) -> (Vec<Manifest>, Vec<Problem>) {
    let files = chart::files(tree, record, folder, &with.options.limits);
    let merged = values::merged(record, folder, &with.settings.values, &with.options.limits);
    match (files, merged) {
        (Ok(files), Ok(values)) => of(files, values, folder, needs, with),
        (files, merged) => (Vec::new(), files.err().into_iter().chain(merged.err()).flatten().collect()),
    }
}

/// Renders a chart from elsewhere, with values from a folder.
pub fn render_remote(
    record: &Recorder<'_>,
    folder: &str,
    remote: &Remote,
    needs: &mut Needs,
    with: &With<'_>,
) -> (Vec<Manifest>, Vec<Problem>) {
    let told = remote.told();
    let placed = |problem: Problem| vec![problem.in_file(join(&told, FILE), None)];
    let files = match needs.ask(Ask::Pull(Box::new(remote.clone())), &with.options.answers) {
        Ok(Answer::Printed { output, .. }) => archive::unpack(output.bytes()).map_err(|message| {
            placed(Problem::new("InvalidChart", format!("of the chart that was brought: {message}")))
        }),
        Ok(Answer::Refused(said)) => Err(placed(Problem::new("ChartRefused", said))),
        Ok(Answer::Problem(problem)) | Err(problem) => Err(placed(*problem)),
    };
    let merged = values::merged(record, folder, &with.settings.values, &with.options.limits);
    match (files, merged) {
        (Ok(files), Ok(values)) => of(files, values, &told, needs, with),
        (files, merged) => (Vec::new(), files.err().into_iter().chain(merged.err()).flatten().collect()),
    }
}

/// Renders files and values, whose place people know as `folder`.
fn of(
    files: BTreeMap<String, Blob>,
    values: (Value, Vec<Blob>),
    folder: &str,
    needs: &mut Needs,
    with: &With<'_>,
) -> (Vec<Manifest>, Vec<Problem>) {
    let &With { settings, options } = with;
    let Options { answers, limits, .. } = options;
    let places = Places::of(folder, &files, limits);
    let (request, asked) = Request::new(files, values, settings);
    needs.asks(asked);
    let Some(mut request) = request else {
        let problem = Problem::new("NotAnswered", "the chart asks for the cluster, which was not looked at");
        return (Vec::new(), vec![problem.in_file(places.chart(), None)]);
    };
    if request.release_name.is_empty() {
        let own = folder.rsplit('/').next().filter(|name| !name.is_empty() && settings.chart.is_none());
        request.release_name = own.unwrap_or(&places.name).to_owned();
    }
    if let Some(problem) = invalid_release(&request.release_name) {
        return (Vec::new(), vec![problem.in_file(places.chart(), None)]);
    }
    let secrets = request.secrets.clone();
    match needs.ask(Ask::Chart(Box::new(request)), answers) {
        Ok(Answer::Printed { output, notes }) => {
            let (manifests, mut problems) = output::read(output.bytes(), &places, options);
            problems.extend(refusal::left_out(&notes, &places));
            (manifests, problems)
        }
        Ok(Answer::Refused(said)) => (Vec::new(), refusal::problems(&masked(&said, &secrets), &places)),
        Ok(Answer::Problem(problem)) => (Vec::new(), vec![problem.in_file(join(folder, FILE), None)]),
        Err(problem) => (Vec::new(), vec![problem.in_file(join(folder, FILE), None)]),
    }
}

/// Helm's words without the secret values that it may have shown in them: as they are, as Go quotes
/// them, and in base64.
fn masked(said: &str, secrets: &[Blob]) -> String {
    let mut said = said.to_owned();
    // The longest first: one secret may be part of another.
    let mut secrets: Vec<_> = secrets.iter().map(|secret| String::from_utf8_lossy(secret.bytes())).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        let quoted = format!("{secret:?}");
        for form in [&*secret, quoted.trim_matches('"'), &BASE64_STANDARD.encode(secret.as_bytes())] {
            said = said.replace(form, "***");
        }
    }
    said
}

/// A name that Helm would not take for a release.
fn invalid_release(name: &str) -> Option<Problem> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let bytes = name.as_bytes();
    let fine = bytes.iter().all(|byte| plain(*byte)) && edge(bytes.first()) && edge(bytes.last()) && name.len() <= 53;
    (!fine).then(|| {
        let message =
            format!("{name:?} is no name of a release: lower-case letters, digits, `-` and `.`, at most 53 of them");
        Problem::new("InvalidRelease", message).hint("name the release in spec.helm.releaseName")
    })
}
