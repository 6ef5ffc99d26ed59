//! `tandem render`.

use serde::Serialize;
use serde_json::Value;

use super::args::Form;
use super::output::count;
use super::source::Source;
use super::{Exit, Output, Stop};
use crate::failure::Fault;
use crate::object::{Manifest, Origin, Problem, mask, yaml};
use crate::render::Rendered;

const AFTER: &str = "\
Examples:
  tandem render                     the current folder
  tandem render shop/ -o json       {manifests, problems}, each object with its file and line
  tandem render shop/ --rev main    the folder as it is in a commit
  tandem render shop/ | kubectl diff -f -

Exit codes: 0 rendered, 3 with every problem on stderr.";

/// Print the objects of a folder, and every problem with file and line
///
/// Reads the folder of a working copy as the agent would read it from a commit, or from a commit
/// itself: a kustomization is built as kustomize builds it, anything else is read as plain YAML and
/// JSON, and files that Git ignores are left out. The objects are printed as YAML, none of them
/// where there is a problem, or as one value with the problems under `-o json`. Secrets are printed
/// as they stand in the files; --mask-secrets is for output that others read. Masked values of
/// `stringData` stand in `data`, where no API server takes them.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Mask values of Secrets
    #[arg(long)]
    mask_secrets: bool,
}

pub fn run(args: &Args, output: &Output) -> Result<Exit, Stop> {
    let mut shown = Shown::from(args.source.render()?);
    let masked = if args.mask_secrets { shown.mask() } else { 0 };
    match output.form() {
        // What is piped into kubectl is all of it or nothing.
        Form::Text if !shown.problems.is_empty() => {}
        Form::Text => output.bytes(shown.text().as_bytes())?,
        Form::Json | Form::Yaml => output.result(&shown, |_, _| String::new())?,
    }
    if masked > 0 {
        output.note(&format!("values of {} are masked", count(masked, "Secret")));
    }
    if shown.problems.is_empty() {
        return Ok(Exit::Nothing);
    }
    output.problems(&shown.problems);
    output.error(&count(shown.problems.len(), "problem"));
    Ok(Exit::Fault(Fault::Repository))
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
}

impl From<Rendered> for Shown {
    fn from(rendered: Rendered) -> Self {
        let shown = |manifest: Manifest| ShownManifest { origin: manifest.origin, object: manifest.body };
        Self { manifests: rendered.manifests.into_iter().map(shown).collect(), problems: rendered.problems }
    }
}

impl Shown {
    /// Masks the values of Secrets and says how many Secrets there are.
    fn mask(&mut self) -> usize {
        let secrets = self.manifests.iter_mut().filter(|manifest| is_secret(&manifest.object));
        secrets.map(|manifest| mask_for_print(&mut manifest.object)).count()
    }

    /// The objects as YAML, separated by `---`, each with the place it came from.
    fn text(&self) -> String {
        let mut text = String::new();
        for ShownManifest { origin, object } in &self.manifests {
            if !text.is_empty() {
                text.push_str("---\n");
            }
            text.push_str(&format!("# {}:{}\n", origin.file, origin.line));
            text.push_str(&yaml::write(object));
        }
        text
    }
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
