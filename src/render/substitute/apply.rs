//! All objects of a render with their variables put in.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::object::{Substituted, substitute, unmark};
use super::text::{Expression, Piece, pieces};
use super::variables::Variables;
use crate::object::yaml::{self, Lines};
use crate::object::{Cause, Causes, Manifest, ObjectId, Origin, Problem};
use crate::render::object::{Fault, Names, Reading, manifest};
use crate::render::{Limits, Options, Rendered, Tree};

/// Puts the variables in. Objects that something is wrong with are left out, and told.
pub fn apply(rendered: &mut Rendered, tree: &dyn Tree, variables: &Variables, options: &Options) {
    let limits = &options.limits;
    let how = Reading { names: Names::Settled, sealed: options.decryption.are_withheld() };
    let mut step = Step { tree, limits, how, files: HashMap::new() };
    let mut places: BTreeMap<ObjectId, Origin> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut memory = 0;
    for before in std::mem::take(&mut rendered.manifests) {
        let after = match step.one(before, variables) {
            Ok(after) => after,
            Err(wrong) => {
                problems.extend(wrong);
                continue;
            }
        };
        memory += yaml::memory(&after.body);
        if memory > limits.total_memory {
            let most = limits.total_memory;
            let message = format!(
                "with their variables the objects need more than the {most} bytes of memory together that are allowed"
            );
            problems.push(Problem::new("LimitExceeded", message).at(&after.origin));
            break;
        }
        if let Some(place) = places.insert(after.id.clone(), after.origin.clone()) {
            let message = format!(
                "the object stands twice once its variables are put in, first at {}:{}",
                place.file, place.line
            );
            problems.push(Problem::new("DuplicateObject", message).at(&after.origin).of(&after.id));
            continue;
        }
        rendered.manifests.push(after);
    }
    // Marks of variables may have come into messages too.
    for problem in &mut rendered.problems {
        problem.message = yaml::unmarked(&problem.message).0.into_owned();
    }
    problems.sort();
    rendered.problems.extend(problems);
}

struct Step<'a> {
    tree: &'a dyn Tree,
    limits: &'a Limits,
    how: Reading,
    /// Files in which something is wrong.
    files: HashMap<String, File>,
}

/// A file in which something is wrong: where its fields stand, and its lines.
struct File {
    lines: Lines,
    text: Vec<String>,
}

/// Lines of a block of text that are searched for a variable: one that stands further down is told by the line of its
/// object.
const BLOCK: usize = 1000;

impl Step<'_> {
    fn one(&mut self, before: Manifest, variables: &Variables) -> Result<Manifest, Vec<Problem>> {
        let Manifest { origin, body, mut masked, causes, .. } = before;
        let unfilled = causes.is_some().then(|| body.clone());
        let done = substitute(body, variables, self.limits.total_memory);
        let Substituted { body, secrets } = done.map_err(|faults| self.told(faults, &origin))?;
        // A key that had a variable in it is called otherwise now: all that is around it is masked then.
        for pointer in &mut masked {
            while body.pointer(pointer).is_none() {
                pointer.truncate(pointer.rfind('/').unwrap_or_default());
            }
        }
        masked.extend(secrets);
        masked.sort_unstable();
        masked.dedup();
        let after = manifest(body, origin.clone(), self.how).map_err(|faults| self.told(faults, &origin))?;
        let causes = match (causes, unfilled) {
            (Some(causes), Some(mut unfilled)) => {
                unmark(&mut unfilled);
                Some(Box::new(explained(&causes, &unfilled, &after.body, variables)))
            }
            _ => None,
        };
        Ok(Manifest { masked, causes, ..after })
    }

    fn told(&mut self, faults: Vec<Fault>, origin: &Origin) -> Vec<Problem> {
        let told = |Fault { pointer, problem }: Fault| {
            let line = self.line(origin, &pointer, &problem.message);
            problem.in_file(origin.file.as_str(), Some(line))
        };
        faults.into_iter().map(told).collect()
    }

    /// The line of a field. Where a build has moved it, or a patch has brought it, the line of the
    /// file that has the variable, and else that of the object.
    fn line(&mut self, origin: &Origin, pointer: &str, message: &str) -> u32 {
        let (tree, limits) = (self.tree, self.limits);
        let File { lines, text } = self.files.entry(origin.file.clone()).or_insert_with(|| {
            let bytes = tree.read(&origin.file, limits.file_bytes).ok().flatten().unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect();
            File { lines: yaml::lines(&bytes), text }
        });
        let line = lines.line(origin.document, pointer);
        let Some(written) = written(message) else { return line.unwrap_or(origin.line) };
        let below = |line: u32| text.get(line.saturating_sub(1) as usize..).unwrap_or_default();
        if let Some(line) = line.filter(|line| below(*line).first().is_some_and(|l| l.contains(written))) {
            return line;
        }
        // A block of text begins above the line that has it; nothing else may be between.
        let from = line.unwrap_or(origin.line).max(origin.line);
        let found = below(from).iter().zip(from..).take(BLOCK).find(|(l, _)| l.contains(written));
        found.map_or(origin.line, |(_, line)| line)
    }
}

/// What gave each field its value: the variables too, where some were put in.
fn explained(causes: &Causes, before: &Value, after: &Value, variables: &Variables) -> Causes {
    let known: HashMap<String, &Cause> = causes.leaves().into_iter().collect();
    causes.changed(before, after, "", &|pointer| {
        let (file, line, by) =
            known.get(pointer).map_or_else(Default::default, |c| (c.file.clone(), c.line, c.by.clone()));
        let text = before.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let origins = pieces(text).into_iter().filter_map(|piece| match piece {
            Piece::Variable(Expression { name, .. }) => match variables.get(name) {
                Some(variable) => Some(format!("{name} of {}", variable.origin)),
                None => Some(format!("{name} by its default")),
            },
            _ => None,
        });
        let by: Vec<String> = Some(by).filter(|by| !by.is_empty()).into_iter().chain(origins).collect();
        Cause { file, line, by: by.join(", ") }
    })
}

/// The expression that a message speaks of.
fn written(message: &str) -> Option<&str> {
    let from = message.find("${")?;
    let end = message[from..].find(['}', '…']).map_or(message.len(), |at| from + at + 1);
    Some(message[from..end].trim_end_matches('…'))
}
