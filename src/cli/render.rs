//! `tandem render`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem::ManuallyDrop;

use serde::Serialize;
use serde_json::Value;

use super::args::{Form, Global};
use super::output::count;
use super::source::Source;
use super::{Exit, Output, Stop};
use crate::failure::Fault;
use crate::object::{Cause, Causes, Manifest, Origin, Problem, mask, yaml};
use crate::render::{Made, Options, Rendered};

const AFTER: &str = "\
Examples:
  tandem render                     the current folder
  tandem render shop/ -o json       {manifests, problems}, each object with its file and line
  tandem render shop/ --rev main    the folder as it is in a commit
  tandem render shop/ --set ENV=dev with a value for ${ENV}
  tandem render shop/ | kubectl diff -f -
  tandem render shop/ --explain     which file, patch or transformer gave each field its value

Exit codes: 0 rendered, 3 with every problem on stderr.";

/// Print the objects of a folder, and every problem with file and line
///
/// Reads the folder of a working copy as the agent would read it from a commit, or from a commit
/// itself: a kustomization is built as kustomize builds it, a chart rendered by Helm, anything else
/// is read as plain YAML and JSON, and files that Git ignores are left out. The objects are
/// printed as YAML, none of them where there is a problem, or as one value with the problems under
/// `-o json`. What kustomize would print and no API server take (a name with `{{ }}` in it, no object
/// at all) is printed and told as a problem. Secrets are printed as they stand in the files; --mask-secrets is for output that
/// others read. Masked values of `stringData` stand in `data`, where no API server takes them.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Mask values of Secrets, what was encrypted, and what variables took from Secrets
    #[arg(long)]
    mask_secrets: bool,
    /// Say behind each field which file and line, patch or transformer gave it its value
    #[arg(long)]
    explain: bool,
}

pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<Exit, Stop> {
    let Built { rendered, accepted } = build(args, global).await?;
    let mut shown = Shown::from(rendered);
    let masked = if args.mask_secrets { shown.mask() } else { 0 };
    match output.form() {
        // What is piped into kubectl is all of it or nothing.
        Form::Text if !shown.problems.is_empty() && !accepted => {}
        Form::Text => shown.print(output)?,
        _ => output.result(&shown, |_, _| String::new())?,
    }
    if masked > 0 {
        output.note(&format!("values of {} are masked", count(masked, "Secret")));
    }
    // The process ends here, and with it what thousands of objects hold: freeing it one by one would
    // take a tenth of the time.
    let shown = ManuallyDrop::new(shown);
    if shown.problems.is_empty() {
        return Ok(Exit::Nothing);
    }
    output.problems(&shown.problems);
    if accepted {
        output.note("printed as kustomize would; a Sync would refuse it");
        return Ok(Exit::Nothing);
    }
    output.error(&count(shown.problems.len(), "problem"));
    Ok(Exit::Fault(Fault::Repository))
}

/// What was rendered.
struct Built {
    rendered: Rendered,
    /// Whether its problems are such as only an API server has, with what kustomize builds all the same.
    accepted: bool,
}

/// Problems of objects that kustomize prints, as it knows nothing of API servers.
const UNKNOWN_TO_KUSTOMIZE: [&str; 2] = ["InvalidObject", "NoObjects"];

async fn build(args: &Args, global: &Global) -> Result<Built, Stop> {
    let options = Options { explain: args.explain, ..Options::default() };
    let namespace = global.namespace.as_deref();
    let rendered = args.source.render(options.clone(), namespace).await?;
    let unknown = |problem: &Problem| UNKNOWN_TO_KUSTOMIZE.contains(&&*problem.rule);
    if !rendered.problems.is_empty() && rendered.problems.iter().all(unknown) {
        let anything = args.source.render(Options { made: Made::Anything, ..options }, namespace).await?;
        if anything.problems.is_empty() {
            return Ok(Built { rendered: Rendered { problems: rendered.problems, ..anything }, accepted: true });
        }
    }
    Ok(Built { rendered, accepted: false })
}

/// What is printed.
#[derive(Serialize)]
struct Shown {
    manifests: Vec<ShownManifest>,
    problems: Vec<Problem>,
}

#[derive(Serialize)]
struct ShownManifest {
    origin: Origin,
    object: Value,
    /// Where it holds values that were encrypted.
    #[serde(skip)]
    masked: Vec<String>,
    /// By JSON pointer into the object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<ShownField>,
}

#[derive(Serialize)]
struct ShownField {
    path: String,
    #[serde(flatten)]
    cause: Cause,
}

impl From<Rendered> for Shown {
    fn from(rendered: Rendered) -> Self {
        let shown = |Manifest { origin, body, causes, masked, .. }: Manifest| {
            let leaves = causes.as_deref().map(Causes::leaves).unwrap_or_default();
            let fields = leaves.into_iter().map(|(path, cause)| ShownField { path, cause: cause.clone() });
            ShownManifest { origin, object: body, masked, fields: fields.collect() }
        };
        Self { manifests: rendered.manifests.into_iter().map(shown).collect(), problems: rendered.problems }
    }
}

impl Shown {
    /// Masks the values of Secrets, and values that were encrypted elsewhere, and says how many
    /// Secrets there are.
    fn mask(&mut self) -> usize {
        for manifest in &mut self.manifests {
            mask::mask_pointers(&mut manifest.object, &manifest.masked);
        }
        let secrets = self.manifests.iter_mut().filter(|manifest| is_secret(&manifest.object));
        secrets.map(|manifest| mask_for_print(&mut manifest.object)).count()
    }

    /// Prints the objects as YAML, separated by `---`, each with the place it came from. It goes out piece by piece:
    /// memory that is touched for the first time costs as much as what is written into it.
    fn print(&self, output: &Output) -> std::io::Result<()> {
        let mut text = String::with_capacity(2 * PIECE);
        for (at, ShownManifest { origin, object, fields, .. }) in self.manifests.iter().enumerate() {
            if text.len() >= PIECE {
                output.bytes(text.as_bytes())?;
                text.clear();
            }
            if at > 0 {
                text.push_str("---\n");
            }
            let _ = writeln!(text, "# {}:{}", origin.file, origin.line); // Writing to a String cannot fail.
            if fields.is_empty() {
                yaml::write_into(&mut text, object);
            } else {
                text.push_str(&explained(&yaml::write(object), fields));
            }
        }
        output.bytes(text.as_bytes())
    }
}

/// Bytes that are printed at a time: what a pipe takes.
const PIECE: usize = 64 << 10;

/// Columns that comments stand behind at most; a longer line has its comment right behind it.
const COLUMN: usize = 60;

/// The text with the cause of each field as a comment at the end of its line.
fn explained(written: &str, fields: &[ShownField]) -> String {
    let lines = yaml::lines(written.as_bytes());
    let mut comments: BTreeMap<u32, &Cause> = BTreeMap::new();
    for ShownField { path, cause } in fields {
        if let Some(line) = lines.line(1, path) {
            // A list item and its first field share a line.
            comments.entry(line).or_insert(cause);
        }
    }
    let width = |line: &str| line.chars().count();
    let commented = |at: usize| comments.get(&u32::try_from(at + 1).unwrap_or(u32::MAX));
    let widths = written.lines().enumerate().filter(|(at, _)| commented(*at).is_some()).map(|(_, line)| width(line));
    let column = widths.filter(|width| *width < COLUMN).max().unwrap_or(0);
    let mut text = String::with_capacity(written.len() * 2);
    for (at, line) in written.lines().enumerate() {
        text.push_str(line);
        if let Some(cause) = commented(at) {
            text.push_str(&" ".repeat(column.saturating_sub(width(line))));
            text.push_str(&format!("  # {cause}"));
        }
        text.push('\n');
    }
    text
}

fn is_secret(object: &Value) -> bool {
    let text = |field| object.get(field).and_then(Value::as_str).unwrap_or_default();
    mask::is_secret(crate::object::split_api_version(text("apiVersion")).0, text("kind"))
}

/// Masks, and moves `stringData` into `data`: there a mask is no base64, so that a masked Secret
/// that is piped into `kubectl apply` by mistake is refused instead of written.
fn mask_for_print(object: &mut Value) {
    mask::mask_secret(object);
    let Some(fields) = object.as_object_mut() else { return };
    if let Some(Value::Object(plain)) = fields.remove("stringData") {
        let data = fields.entry("data").or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Some(data) = data.as_object_mut() {
            data.extend(plain);
        }
    }
}
