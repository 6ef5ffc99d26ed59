//! Where a command reads files: a working copy, or a commit of a Git repository.

use std::path::{Component, Path, PathBuf};

use super::charts::Charts;
use super::clone::Clone;
use super::keys::KeyFiles;
use super::stop::Stop;
use super::variables::Variables;
use super::worktree::WorkTree;
use crate::git::GitTree;
use crate::render::{Options, Rendered, Tree, render};

/// Where files are read.
#[derive(Debug, clap::Args)]
pub struct Source {
    /// Folder of a working copy; with --repo, a folder from the root of that repository
    #[arg(default_value = ".", hide_default_value = true)]
    path: PathBuf,
    /// Read the folder as it is in this commit: a branch, a tag, HEAD~1, a commit id
    #[arg(long, value_name = "REVISION")]
    rev: Option<String>,
    /// Read from this Git repository, bare or not, at --rev
    #[arg(long, value_name = "FOLDER", requires = "rev")]
    repo: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyFiles,
    #[command(flatten)]
    variables: Variables,
    #[command(flatten)]
    charts: Charts,
}

impl Source {
    /// Renders what is there; `options` are those of the Sync that it is rendered for, `namespace` is
    /// that of releases where one is named.
    pub async fn render(&self, options: Options, namespace: Option<&str>) -> Result<Rendered, Stop> {
        let options = self.variables.added(self.keys.added(options)?)?;
        let options = self.charts.added(options, namespace)?;
        let Some(revision) = &self.rev else {
            return render_folder(&self.path, &self.charts, &self.keys, options).await;
        };
        let clone = match &self.repo {
            Some(repository) => Clone::at(repository)?,
            None => Clone::around(nearest_folder(&self.path))?,
        };
        let folder = match &self.repo {
            Some(_) => inside(&self.path),
            None => clone.folder_of(&self.path)?.as_deref().and_then(inside),
        };
        let Some(folder) = folder else {
            let hint = "name a folder below the root of the repository";
            return Err(Stop::usage(format!("{} is not in the repository", self.path.display()), hint));
        };
        render_commit(&clone, revision, &folder, &self.charts, &self.keys, options).await
    }
}

/// Renders a folder of a working copy.
pub async fn render_folder(
    folder: &Path,
    charts: &Charts,
    keys: &KeyFiles,
    options: Options,
) -> Result<Rendered, Stop> {
    let tree = WorkTree::open(folder)?;
    whole(&tree, tree.folder(), charts, keys, options).await
}

/// Renders a folder, from the root of the repository, as it is in a commit.
pub async fn render_commit(
    clone: &Clone,
    revision: &str,
    folder: &str,
    charts: &Charts,
    keys: &KeyFiles,
    options: Options,
) -> Result<Rendered, Stop> {
    let commit = clone.commit(revision)?;
    let repository = clone.repository(revision)?;
    let tree = GitTree::new(repository, &repository.path().display().to_string(), &commit)?;
    whole(&tree, folder, charts, keys, options).await
}

/// Renders until no program needs to be asked any more.
async fn whole(
    tree: &dyn Tree,
    folder: &str,
    charts: &Charts,
    keys: &KeyFiles,
    mut options: Options,
) -> Result<Rendered, Stop> {
    let programs = charts.programs(keys.program())?;
    loop {
        let rendered = render(tree, folder, &options);
        if rendered.needs.is_empty() {
            return Ok(rendered);
        }
        programs.meet(rendered.needs, &mut options).await?;
    }
}

/// The folder that exists, of the path or above it: a folder that a commit has may be gone now.
fn nearest_folder(path: &Path) -> &Path {
    path.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("."))
}

/// A relative path as trees have it: with `/`, without `.`; `None` where it leaves the root.
fn inside(path: &Path) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str()?),
            Component::ParentDir => {
                names.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, expected) in [
            (".", Some("")),
            ("apps/./web/", Some("apps/web")),
            ("apps/../web", Some("web")),
            ("..", None),
            ("a/../../b", None),
            ("/etc", None),
        ] {
            assert_eq!(inside(Path::new(path)).as_deref(), expected, "{path}");
        }
    }
}
