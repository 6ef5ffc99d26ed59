//! Helm's words against a chart, with their places in the tree.

use std::sync::LazyLock;

use regex::Regex;

use super::place::Places;
use crate::object::Problem;

/// Longest message: of what is longer, the middle is left out. The end says what went wrong.
const LONGEST: usize = 600;

/// `web/templates/a.yaml:3:5` or `(web/templates/a.yaml:3)`.
static PLACE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"([A-Za-z0-9_.-]+/[^\s:()\x22]+):(\d+)(?::\d+)?").expect("a pattern"));
/// `error on web/templates/a.yaml:`
static FILE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"error on ([^\s:]+/[^\s:]+):").expect("a pattern"));

/// What is wrong, by what Helm wrote on stderr when it refused.
pub fn problems(said: &str, places: &Places) -> Vec<Problem> {
    let said = words(said);
    if let Some(problems) = schema(&said, places) {
        return problems;
    }
    let problem = |rule: &str, message: String| Problem::new(rule, message).in_file(places.chart(), None);
    if said.contains("missing in charts/ directory") {
        let missing = said.rsplit("directory:").next().unwrap_or_default().trim();
        let message = format!("the chart depends on {missing}, and charts/ holds no such chart");
        let hint = "nothing is fetched for a chart in the tree: run `helm dependency update` and commit charts/";
        return vec![problem("ChartDependencyMissing", message).hint(hint)];
    }
    if said.contains("library charts are not installable") {
        let message = "the chart is a library, which prints nothing by itself".to_owned();
        let hint = "leave it out by a .tandemignore, or name the chart that uses it";
        return vec![problem("InvalidChart", message).hint(hint)];
    }
    if said.contains("chart requires kubeVersion") {
        return vec![problem("ChartNotForCluster", one_line(&said))];
    }
    let starts =
        ["validation:", "chart.metadata", "cannot load Chart.yaml", "Chart.yaml file is missing", "chart metadata"];
    if starts.iter().any(|start| said.starts_with(start)) {
        return vec![problem("InvalidChart", one_line(&said))];
    }
    let message = one_line(&said);
    if let Some(file) = said.strip_prefix("cannot load ").and_then(|rest| rest.split(':').next()) {
        return vec![
            Problem::new("InvalidValues", message).in_file(places.file(&format!("{}/{file}", places.name)), None),
        ];
    }
    let place = PLACE.captures(&said).filter(|found| found[1].starts_with(&format!("{}/", places.name)));
    let (file, line) = match (place, FILE.captures(&said)) {
        (Some(found), _) => (places.file(&found[1]), found[2].parse().ok()),
        (None, Some(found)) => (places.file(&found[1]), None),
        (None, None) => (places.chart(), None),
    };
    let problem = Problem::new("ChartRefused", message).in_file(file, line);
    vec![if said.contains("nil pointer evaluating") {
        problem.hint("a value that the template reads is not set: set it, or its parent, in the values")
    } else {
        problem
    }]
}

/// Hooks that Helm does not know and therefore leaves out, by what it says beside what it printed.
pub fn left_out(notes: &str, places: &Places) -> Vec<Problem> {
    let unknown = notes.lines().filter(|line| line.contains("skipping unknown hooks"));
    unknown
        .map(|line| {
            let hook = line.split("hookTypes=").nth(1).unwrap_or_default().trim().trim_matches('"');
            let message = format!("a template prints an object for the hook {hook:?}, which Helm 4 does not know and leaves out");
            let hint = "crd-install of Helm 2 is the folder crds/ now; other hooks are spelt pre-install, post-upgrade and so on";
            Problem::new("InvalidHook", message).in_file(places.chart(), None).hint(hint)
        })
        .collect()
}

/// Without what Helm says of itself.
fn words(said: &str) -> String {
    let said = said.split("\n\nUse --debug flag").next().unwrap_or_default();
    let kept = said.lines().filter(|line| !line.starts_with("level=") && !line.starts_with("time="));
    let said = kept.collect::<Vec<_>>().join("\n");
    said.trim().trim_start_matches("Error: ").trim_start_matches("INSTALLATION FAILED: ").to_owned()
}

fn one_line(said: &str) -> String {
    let mut line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let characters: Vec<char> = line.chars().collect();
    if characters.len() > LONGEST {
        let (head, tail) = (&characters[..LONGEST / 2], &characters[characters.len() - LONGEST / 2..]);
        line = head.iter().chain(" … ".chars().collect::<Vec<_>>().iter()).chain(tail).collect();
    }
    if line.is_empty() { "Helm refused the chart without a word".to_owned() } else { line }
}

/// One problem for each value that a schema refuses.
fn schema(said: &str, places: &Places) -> Option<Vec<Problem>> {
    let (_, list) =
        said.split_once("values don't meet the specifications of the schema(s) in the following chart(s):")?;
    let mut chart = places.name.as_str();
    let mut problems = Vec::new();
    for line in list.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix("- ") {
            Some(wrong) => {
                let of = if chart == places.name { String::new() } else { format!(" of the subchart {chart}") };
                let message = format!("the values{of} do not fit its schema: {}", one_line(wrong));
                let inner = if chart == places.name { "" } else { chart };
                problems.push(Problem::new("InvalidValues", message).in_file(places.schema(inner), None));
            }
            None => chart = line.trim_end_matches(':'),
        }
    }
    // Helm takes them from a map.
    problems.sort();
    (!problems.is_empty()).then_some(problems)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::render::{Blob, Limits};

    /// In the words of Helm v4.3.1.
    #[test]
    fn helms_words_get_places_in_the_tree() {
        let files = BTreeMap::from([
            ("Chart.yaml".to_owned(), Blob::new("name: web")),
            ("charts/db/Chart.yaml".to_owned(), Blob::new("name: db")),
        ]);
        let places = Places::of("apps/shop", &files, &Limits::default());
        for (said, told) in [
            (
                "Error: execution error at (web/templates/bad.yaml:3:3): no way\n\nUse --debug flag to render out invalid YAML\n",
                &[
                    "apps/shop/templates/bad.yaml:3: execution error at (web/templates/bad.yaml:3:3): no way (ChartRefused)",
                ][..],
            ),
            (
                "level=WARN msg=x\nError: YAML parse error on web/templates/bad.yaml: error converting YAML to JSON: yaml: mapping values are not allowed in this context\n",
                &[
                    "apps/shop/templates/bad.yaml: YAML parse error on web/templates/bad.yaml: error converting YAML to JSON: yaml: mapping values are not allowed in this context (ChartRefused)",
                ],
            ),
            (
                "Error: web/charts/db/templates/bad.yaml:1:10\n  executing \"web/charts/db/templates/bad.yaml\" at <.Values.a.b.c>:\n    nil pointer evaluating interface {}.b\n",
                &[
                    "apps/shop/charts/db/templates/bad.yaml:1: web/charts/db/templates/bad.yaml:1:10 executing \"web/charts/db/templates/bad.yaml\" at <.Values.a.b.c>: nil pointer evaluating interface {}.b (ChartRefused)",
                ],
            ),
            (
                "Error: parse error at (web/templates/bad.yaml:1): missing value for if",
                &[
                    "apps/shop/templates/bad.yaml:1: parse error at (web/templates/bad.yaml:1): missing value for if (ChartRefused)",
                ],
            ),
            (
                "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nweb:\n- at '': missing property 'q'\n- at '/x': got string, want integer\ndb:\n- at '/y': got null, want string\n",
                &[
                    "apps/shop/charts/db/values.schema.json: the values of the subchart db do not fit its schema: at '/y': got null, want string (InvalidValues)",
                    "apps/shop/values.schema.json: the values do not fit its schema: at '': missing property 'q' (InvalidValues)",
                    "apps/shop/values.schema.json: the values do not fit its schema: at '/x': got string, want integer (InvalidValues)",
                ],
            ),
            (
                "Error: an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: foo, bar\n",
                &[
                    "apps/shop/Chart.yaml: the chart depends on foo, bar, and charts/ holds no such chart (ChartDependencyMissing)",
                ],
            ),
            (
                "Error: library charts are not installable\n",
                &["apps/shop/Chart.yaml: the chart is a library, which prints nothing by itself (InvalidChart)"],
            ),
            (
                "Error: validation: chart.metadata.version is required\n",
                &["apps/shop/Chart.yaml: validation: chart.metadata.version is required (InvalidChart)"],
            ),
            (
                "Error: chart requires kubeVersion: >=2.0 which is incompatible with Kubernetes v1.37.0\n\nUse --debug flag",
                &[
                    "apps/shop/Chart.yaml: chart requires kubeVersion: >=2.0 which is incompatible with Kubernetes v1.37.0 (ChartNotForCluster)",
                ],
            ),
            ("", &["apps/shop/Chart.yaml: Helm refused the chart without a word (ChartRefused)"]),
        ] {
            let problems = problems(said, &places);
            assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), told, "{said}");
        }
        let notes = "level=INFO msg=\"skipping unknown hooks\" hookTypes=crd-install\n";
        assert!(left_out(notes, &places)[0].message.contains("\"crd-install\""));
    }
}
